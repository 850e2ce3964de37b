// The processor's own approximations for float, exact functions for double.
//
// The float ones are single instructions with a relative error of about 2^-22 that flush
// subnormal numbers to 0. Off the GPU (tests/cuda_on_cpu) the C library's stand in.
#pragma once

#include <math.h>

#include "host_device.h"

namespace fastpose {

#if defined(__CUDACC__)
__device__ __forceinline__ float fast_sqrt(float a) {
  float result;
  asm("sqrt.approx.ftz.f32 %0, %1;" : "=f"(result) : "f"(a));
  return result;
}
__device__ __forceinline__ float fast_rsqrt(float a) {
  float result;
  asm("rsqrt.approx.ftz.f32 %0, %1;" : "=f"(result) : "f"(a));
  return result;
}
__device__ __forceinline__ float fast_exp2(float a) {
  float result;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(result) : "f"(a));
  return result;
}
// floor(a) as a number and as an integer, |a| < 2^22: rounded down to a multiple of 1 by adding
// what has no room for more digits. The instruction for it is four times as slow.
__device__ __forceinline__ int floor_of(float a, float& floor) {
  constexpr float kNoRoom = 0x1.8p23f;
  const float shifted = __fadd_rd(a, kNoRoom);
  floor = shifted - kNoRoom;
  return __float_as_int(shifted) - 0x4b400000;  // the bits of kNoRoom
}
#else
inline float fast_sqrt(float a) { return sqrtf(a); }
inline float fast_rsqrt(float a) { return 1 / sqrtf(a); }
inline float fast_exp2(float a) { return exp2f(a); }
inline int floor_of(float a, float& floor) { return int(floor = floorf(a)); }
#endif

FASTPOSE_HD double fast_sqrt(double a) { return sqrt(a); }
FASTPOSE_HD double fast_rsqrt(double a) { return 1 / sqrt(a); }
FASTPOSE_HD double fast_exp2(double a) { return exp2(a); }
__device__ __forceinline__ int floor_of(double a, double& floor) { return int(floor = ::floor(a)); }

// a clamped to [0, 1]; free on the GPU as part of the instruction that makes a. NaN gives 0.
__device__ __forceinline__ float saturate(float a) { return __saturatef(a); }
__device__ __forceinline__ double saturate(double a) { return a > 0 ? (a < 1 ? a : 1.0) : 0.0; }

}  // namespace fastpose
