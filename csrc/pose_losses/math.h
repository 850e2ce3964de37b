// The pose losses per number: what the CPU and CUDA kernels share.
//
// V is float, double, or a vector type with the same few functions in its namespace: multiply_add,
// maximum, and those of vectors.h.
#pragma once

#include "common/math.h"

namespace fastpose::pose_losses {

FASTPOSE_HD float exponential_minus_one(float a) { return expm1f(a); }
FASTPOSE_HD double exponential_minus_one(double a) { return expm1(a); }
// 0 where x <= y, else a: also where x or y is NaN.
FASTPOSE_HD float keep_unless_at_most(float a, float x, float y) { return x <= y ? 0.0f : a; }
FASTPOSE_HD double keep_unless_at_most(double a, double x, double y) { return x <= y ? 0.0 : a; }

// How far z lies from 0 if that is further than `bound`, else 0. NaN stays.
template <typename V>
FASTPOSE_HD V distance_outside(V z, V bound) {
  const V distance = maximum(V(0) - z, z);
  return keep_unless_at_most(distance, distance, bound);
}

// Its derivative; NaN where z is not finite.
template <typename V>
FASTPOSE_HD V sign_outside(V z, V bound) {
  const V right = keep_unless_at_most(V(2), z, V(0));
  return keep_unless_at_most(right - V(1) + (z - z), maximum(V(0) - z, z), bound);
}

// Twice the divergence of a coordinate from the prior.
template <typename V>
FASTPOSE_HD V twice_divergence(V mean, V log_variance) {
  return multiply_add(mean, mean, exponential_minus_one(log_variance) - log_variance);
}

}  // namespace fastpose::pose_losses
