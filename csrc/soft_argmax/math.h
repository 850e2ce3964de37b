// soft_argmax per side and per map, forward and backward: what the CPU and CUDA kernels share.
//
// Joint. With m the largest logit, e_ij = exp(l_ij - m), S = sum of e and w = e / S:
//     x = sum of w_ij x_j,  y = sum of w_ij y_i,  p = max w = 1 / S
//     dL/dl_ij = w_ij (g (x_j - x) + h (y_i - y) - c p) + [ij is the first largest] c p
// where g, h, c are the gradients of x, y, p. Marginal. u are the weights of the columns, the
// softmax of a_j = mean over i of l_ij, and v those of the rows:
//     x = sum of u_j x_j,  y = sum of v_i y_i,  p = sqrt(max u max v)
//     dL/da_j = u_j (g (x_j - x) - c p / 2) + [j is the first largest] c p / 2
//     dL/dl_ij = (dL/da_j) / H + (dL/db_i) / W
// So both gradients are an outer sum of two sides, A_j + B_i, in the joint mode times w_ij.
//
// Where numbers are not finite: a maximum starts from the lowest finite number, so that -inf has
// weight 0; if every weight of a map is 0, `inverse_sum` makes them NaN; a NaN or +inf makes NaN of
// the sum and so of everything.
//
// T is float or double; V is T, or a vector type.
#pragma once

#include <float.h>

#include "common/math.h"

namespace fastpose::soft_argmax {

constexpr double kLog2E = 1.4426950408889634074;

template <typename T>
FASTPOSE_HD T lowest() {
  return sizeof(T) == 4 ? T(-FLT_MAX) : T(-DBL_MAX);
}

// Coordinate of column or row i of a side of `size`.
FASTPOSE_HD double coordinate(int i, int size, double extent) {
  return (pixel_start(size) + i * pixel_step(size)) * extent;
}

// 1 / sum of a map's or a side's exponentials; NaN if there is no weight or the sum is NaN.
template <typename T>
FASTPOSE_HD T inverse_sum(T sum) {
  return sum > 0 ? T(1) / sum : T(NAN);
}

// u_j (g (x_j - x) - pull) of the comment above.
template <typename V>
FASTPOSE_HD V side_slope(V weight, V place, V centre, V grad, V pull) {
  return weight * (grad * (place - centre) - pull);
}

}  // namespace fastpose::soft_argmax
