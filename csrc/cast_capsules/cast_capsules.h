// Rays at tapered capsules: which part each sample of a frame sees, how far, and how lit.
#pragma once

#include <cstdint>

#include "common/dispatch.h"

namespace fastpose {

// T frames, P parts, W x W samples a frame; arrays without gaps, the last index the fastest. Read
// by ctypes: fastpose/ops/cast_capsules/__init__.py lists the same fields.
struct CapsuleRays {
  int64_t frames;         // T
  int64_t parts;          // P
  int64_t wide;           // W
  int64_t texels_along;   // V
  int64_t texels_around;  // U
  double left;            // x / z of the first column
  double top;             // y / z of the first row
  double step;            // from sample to sample
  const double* ends;     // (T,P,2,2) the two ends in samples, x before y
  const double* radius;   // (T,P,2) their largest radii in samples
  const double* start;    // (T,P,3) the camera in part space
  const double* to_part;  // (T,P,3,3) from camera to part space
  const double* near;     // (T,P) camera z at which rays start
  const double* length;   // (T,P) from end to end, metres
  const double* r0;       // (P) radii, metres
  const double* r1;       // (P)
  const double* stretch;  // (P) of part space along z
  const double* shine;    // (T,P,3) the light in the part's axes
  float* depth;           // (T,W,W) camera z, infinite where nothing was hit so far
  int32_t* texel;         // (T,W,W)
  float* light;           // (T,W,W)
};

FASTPOSE_DECLARE_CPU(void, cast_capsules, const CapsuleRays& rays)

}  // namespace fastpose
