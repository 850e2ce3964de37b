// warp_templates per map and per pixel, forward and backward: what the CPU and CUDA kernels share.
//
// Pixel p of a map sees its template at s = M (p - t), where M is the inverse of A and [A | t] the
// affine map. With i = floor(s), f = s - i and the four texels T00 at i, T10 right of it, T01
// below, T11 below right, each 0 if it is not in the template,
//     value = top + fy (bottom - top),  top = T00 + fx (T10 - T00),  bottom = T01 + fx (T11 - T01).
//
// Gradient. Let q = dL/dI dI/ds. Since ds = dM (p - t) - M dt and dM = -M dA M, the sums over a
// map's pixels S = sum q and Q = sum q s^T give
//     dL/dA = -M^T Q,  dL/dt = -M^T S.
// What a gradient is multiplied by may be 0: then it counts nothing, even if it is not finite.
//
// T is float or double; V is T, or a vector type with multiply_add and the operators.
#pragma once

#include <cstdint>

#include "common/math.h"

namespace fastpose::warp {

template <typename T>
struct Limits;
template <>
struct Limits<float> {
  static constexpr float rounding = 0x1p-23f, smallest = 0x1p-126f, largest = 0x1.fffffep127f;
};
template <>
struct Limits<double> {
  static constexpr double rounding = 0x1p-52, smallest = 0x1p-1022,
                          largest = 0x1.fffffffffffffp1023;
};
constexpr int kSingular = 4;  // a determinant of so few roundings of its terms is 0

template <typename T>
FASTPOSE_HD T magnitude(T a) {
  return a < 0 ? -a : a;
}

// a b - c d, with the error of about one rounding where multiply_add is one operation.
template <typename T>
FASTPOSE_HD T difference_of_products(T a, T b, T c, T d) {
  const T cd = c * d;
  return multiply_add(a, b, -cd) + multiply_add(-c, d, cd);
}

// --- maps ----------------------------------------------------------------------------------------

// From pixels to texels.
template <typename T>
struct Map {
  T xx, xy, yx, yy;  // M
  T tx, ty;
};

// The map of (a b; c d | tx ty), given in type T and inverted in Wide; see is_spoilt.
template <typename T, typename Wide>
FASTPOSE_HD Map<Wide> make_map(T a, T b, T tx, T c, T d, T ty) {
  const Wide a_ = a, b_ = b, c_ = c, d_ = d;
  const Wide determinant = difference_of_products(a_, d_, b_, c_);
  const Wide terms = magnitude(a_ * d_) + magnitude(b_ * c_);
  const Wide per = 1 / determinant;
  Map<Wide> map = {d_ * per, -b_ * per, -c_ * per, a_ * per, Wide(tx), Wide(ty)};
  constexpr Wide kLargest = Limits<T>::largest;
  const bool regular = magnitude(determinant) > kSingular * Wide(Limits<T>::rounding) * terms &&
                       magnitude(determinant) >= Wide(Limits<T>::smallest) && terms <= kLargest &&
                       magnitude(map.xx) <= kLargest && magnitude(map.xy) <= kLargest &&
                       magnitude(map.yx) <= kLargest && magnitude(map.yy) <= kLargest &&
                       magnitude(map.tx) <= kLargest && magnitude(map.ty) <= kLargest;
  if (!regular) map.xx = Wide(NAN);
  return map;
}

// A map that is singular or not finite: all of its pixels and gradients are NaN.
template <typename T>
FASTPOSE_HD bool is_spoilt(const Map<T>& map) {
  return map.xx != map.xx;
}

// --- pixels --------------------------------------------------------------------------------------

template <typename V>
struct Texels {
  V t00, t10, t01, t11;
};

template <typename V>
FASTPOSE_HD V value_of(const Texels<V>& t, V fx, V fy) {
  const V top = multiply_add(fx, t.t10 - t.t00, t.t00);
  const V bottom = multiply_add(fx, t.t11 - t.t01, t.t01);
  return multiply_add(fy, bottom - top, top);
}

template <typename V>
struct Slope {
  V x, y;  // dI/ds
};

template <typename V>
FASTPOSE_HD Slope<V> slope_of(const Texels<V>& t, V fx, V fy) {
  const V top = t.t10 - t.t00, bottom = t.t11 - t.t01;
  const V left = t.t01 - t.t00, right = t.t11 - t.t10;
  return {multiply_add(fy, bottom - top, top), multiply_add(fx, right - left, left)};
}

// --- gradient of one map -------------------------------------------------------------------------

constexpr int kMapSums = 6;  // members of MapSums

template <typename T>
struct MapSums {
  T x, y;            // S
  T xx, xy, yx, yy;  // Q: of q_x s_x, q_x s_y, q_y s_x, q_y s_y
};

template <typename T>
struct AffineGradient {
  T a, b, tx, c, d, ty;
};

template <typename T>
FASTPOSE_HD AffineGradient<T> finish(const Map<T>& map, const MapSums<T>& sums) {
  return {-(map.xx * sums.xx + map.yx * sums.yx), -(map.xx * sums.xy + map.yx * sums.yy),
          -(map.xx * sums.x + map.yx * sums.y),   -(map.xy * sums.xx + map.yy * sums.yx),
          -(map.xy * sums.xy + map.yy * sums.yy), -(map.xy * sums.x + map.yy * sums.y)};
}

// --- which pixels --------------------------------------------------------------------------------

// Pixels first .. last - 1 of a row.
struct Span {
  int first, last;
};

// `span` without those for which low < start + step x < high holds for no start between `least` and
// `most`; up to a pixel on either side may stay. NaN leaves none.
template <typename T>
FASTPOSE_HD Span clipped(Span span, T least, T most, T step, T low, T high) {
  if (step == 0) return most >= low && least < high ? span : Span{0, 0};
  const T one = (low - most) / step, other = (high - least) / step;
  const T from = minimum(one, other) - 1, to = maximum(one, other) + 1;
  if (!(from < span.last && to > span.first)) return {0, 0};
  return {from > span.first ? int(from) : span.first, to < span.last ? int(to) + 1 : span.last};
}

}  // namespace fastpose::warp
