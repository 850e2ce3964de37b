// What csrc/<op>/math.h is written in, for the host and the GPU: plain numbers with the vocabulary
// that vectors (simd.h) have too, and where pixels lie.
#pragma once

#include <math.h>

#include "common/host_device.h"

namespace fastpose {

// --- the vocabulary for plain numbers ------------------------------------------------------------

#if defined(__CUDA_ARCH__) || defined(__FMA__)
FASTPOSE_HD float multiply_add(float a, float b, float c) { return fmaf(a, b, c); }
FASTPOSE_HD double multiply_add(double a, double b, double c) { return fma(a, b, c); }
#else  // without the instruction fma() is a slow library call
FASTPOSE_HD float multiply_add(float a, float b, float c) { return a * b + c; }
FASTPOSE_HD double multiply_add(double a, double b, double c) { return a * b + c; }
#endif
#if defined(__CUDA_ARCH__)  // one instruction, where the other form takes two
FASTPOSE_HD float minimum(float a, float b) { return fminf(a, b); }
FASTPOSE_HD double minimum(double a, double b) { return fmin(a, b); }
FASTPOSE_HD float maximum(float a, float b) { return fmaxf(a, b); }
FASTPOSE_HD double maximum(double a, double b) { return fmax(a, b); }
#else
FASTPOSE_HD float minimum(float a, float b) { return a < b ? a : b; }
FASTPOSE_HD double minimum(double a, double b) { return a < b ? a : b; }
FASTPOSE_HD float maximum(float a, float b) { return a > b ? a : b; }
FASTPOSE_HD double maximum(double a, double b) { return a > b ? a : b; }
#endif
FASTPOSE_HD float square_root(float a) { return sqrtf(a); }
FASTPOSE_HD double square_root(double a) { return sqrt(a); }
#if defined(__CUDA_ARCH__)  // one instruction with an error of 1 in the last place
FASTPOSE_HD float reciprocal(float a) {
  float result;
  asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(result) : "f"(a));
  return result;
}
#else
FASTPOSE_HD float reciprocal(float a) { return 1 / a; }
#endif
FASTPOSE_HD double reciprocal(double a) { return 1 / a; }

// --- pixels --------------------------------------------------------------------------------------

// Distance of pixel centres along a side of `size` pixels in normalised units.
FASTPOSE_HD double pixel_step(int size) { return size > 1 ? 2.0 / (size - 1) : 0.0; }
// Coordinate of the first pixel's centre; the only pixel of a side of 1 lies at 0.
FASTPOSE_HD double pixel_start(int size) { return size > 1 ? -1.0 : 0.0; }

}  // namespace fastpose
