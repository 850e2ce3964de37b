// structural_similarity per pixel, value and gradient: what the CPU and CUDA kernels share.
//
// The images enter as their sum s = x + y and difference d = x - y, in units of the data range.
// With windowed means m_s, m_d of the two, their variances v_s, v_d, and p = norm v_s, q = norm
// v_d, the formula reads
//     S = (m_s^2 - m_d^2 + c1) (p - q + c2) / ((m_s^2 + m_d^2 + c1) (p + q + c2)),
// c1 = 2 K1^2, c2 = 2 K2^2, because 2 m_x m_y = (m_s^2 - m_d^2) / 2 and so on. That takes four
// windowed sums instead of five, and where x and y are alike the difference is not lost in
// rounding: equal images give 1, and a gradient of 0. Sums are of s and d less a number that is the
// same for all pixels of a tile and near to theirs (`centre`), for the sake of v = mean of squares
// - square of mean.
//
// Gradient: S depends on m_s both directly and by v_s = e_s - m_s^2, e_s the mean square. A window
// hands dS/dm_s and 2 dS/de_s to each of its pixels, which gets w (dS/dm_s + s 2 dS/de_s) for s;
// likewise for d; then dS/dx = dS/ds + dS/dd and dS/dy = dS/ds - dS/dd.
//
// V is float, double, or a vector type with multiply_add and reciprocal in its namespace.
#pragma once

#include "common/math.h"

namespace fastpose::similarity {

enum Window : int { gaussian = 0, uniform = 1 };

// The window along one axis, by the distance from its middle.
template <int kWindow>
struct Taps;
template <>
struct Taps<gaussian> {
  static constexpr int radius = 5;
  FASTPOSE_HD double at(int distance) {
    return distance == 0   ? 0.2660117248617943434
           : distance == 1 ? 0.2130055377112536999
           : distance == 2 ? 0.1093606895097000107
           : distance == 3 ? 0.03600077212843082365
           : distance == 4 ? 0.007598758135239184185
                           : 0.001028380084479109882;
  }
};
template <>
struct Taps<uniform> {
  static constexpr int radius = 3;
  FASTPOSE_HD double at(int) { return 1.0 / 7; }
};

// What is summed up over windows, or handed to their pixels: one number for s, d, s^2 and d^2 each.
template <typename V>
struct Four {
  V s, d, ss, dd;
};

constexpr double kC1 = 2 * 0.01 * 0.01;
constexpr double kC2 = 2 * 0.03 * 0.03;

// S of a window with those means of s, d, s^2 and d^2, all less `centre_s` and `centre_d`. With
// kSlopes also what it hands to its pixels: dS/dm_s, dS/dm_d, 2 dS/de_s, 2 dS/de_d. Written with
// multiply_add throughout, so that compilers cannot round the value differently without slopes.
template <bool kSlopes, typename V>
FASTPOSE_HD V window_similarity(const Four<V>& mean, V centre_s, V centre_d, V norm,
                                Four<V>& slope) {
  const V s = mean.s + centre_s, d = mean.d + centre_d;
  const V variance_s = multiply_add(V(0) - mean.s, mean.s, mean.ss);
  const V variance_d = multiply_add(V(0) - mean.d, mean.d, mean.dd);
  const V bright = multiply_add(s, s, V(kC1));
  const V strong = multiply_add(norm, variance_s, V(kC2));
  const V top_1 = multiply_add(V(0) - d, d, bright);
  const V bottom_1 = multiply_add(d, d, bright);
  const V top_2 = multiply_add(V(0) - norm, variance_d, strong);
  const V bottom_2 = multiply_add(norm, variance_d, strong);
  const V top = top_1 * top_2, bottom = bottom_1 * bottom_2;
  const V inverse = reciprocal(bottom), rough = top * inverse;
  if (kSlopes) {
    const V light = V(4) * top_2 * inverse * (inverse * bottom_2);  // 4 top_2 / (bottom_1 bottom)
    const V weight = V(4) * norm * top_1 * inverse * (inverse * bottom_1);
    slope.ss = weight * (norm * variance_d);
    slope.dd = (V(0) - weight) * strong;
    slope.s = multiply_add(light * s, d * d, V(0) - mean.s * slope.ss);
    slope.d = multiply_add(V(0) - light * d, bright, V(0) - mean.d * slope.dd);
  }
  return multiply_add(multiply_add(V(0) - bottom, rough, top), inverse, rough);  // exactly 1 is 1
}

}  // namespace fastpose::similarity
