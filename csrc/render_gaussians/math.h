// render_gaussians per map, forward and backward: what the CPU and CUDA kernels share.
//
// With (dx, dy) = u - m the pixel u from the mean,
//     a = along (dx - shear dy),  b = across dy,  value = 2^(-a^2) 2^(-b^2)
// where shear = S_xy / S_yy, along^2 = log2(e)/2 / (S_xx - S_xy^2 / S_yy) and across^2 =
// log2(e)/2 / S_yy: a Gaussian is the density of y times that of x given y. What cancels in it has
// all the digits that S has, and a diagonal S has shear 0: a product of two tables.
//
// Gradient. With w = dL/dvalue value, the five sums of w (a, b, a a, a b, b b) are P sum w d and
// P (sum w d d^T) P in that frame, d = u - m, P = S^-1; then dL/dm = P sum w d and
// dL/dS = 1/2 P (sum w d d^T) P.
#pragma once

#include <cstdint>

#include "common/math.h"
#include "render_gaussians/render_gaussians.h"

namespace fastpose::gaussians {

template <typename T>
struct Limits;
template <>
struct Limits<float> {
  static constexpr float least = 1.17549435e-38f;  // normal numbers
  static constexpr float most = 3.40282347e38f;
  static constexpr float epsilon = 1.1920929e-7f;
};
template <>
struct Limits<double> {
  static constexpr double least = 2.2250738585072014e-308;
  static constexpr double most = 1.7976931348623157e308;
  static constexpr double epsilon = 2.220446049250313e-16;
};

constexpr int kSingular = 8;  // epsilons: less of S_xx left without y is rounding noise
constexpr double kHalfLog2E = 0.72134752044448170368;

// --- what one map is made of ---------------------------------------------------------------------

// A mean c and a covariance; with an affine map (A, t) they are a template.
template <typename T>
struct Part {
  T x, y;
  T xx, xy, yy;
  bool moved;
  T linear[2][2], shift[2];
};

template <typename T>
FASTPOSE_HD Part<T> part_of(const Drawing& drawing, int64_t b, int64_t k) {
  const T* mean =
      static_cast<const T*>(drawing.mean) + b * drawing.mean_stride[0] + k * drawing.mean_stride[1];
  Part<T> part = {};
  part.x = mean[0];
  part.y = mean[drawing.mean_stride[2]];
  if (drawing.covariance != nullptr) {
    const int64_t* stride = drawing.covariance_stride;
    const T* c = static_cast<const T*>(drawing.covariance) + b * stride[0] + k * stride[1];
    part.xx = c[0];
    part.xy = (c[stride[3]] + c[stride[2]]) / 2;
    part.yy = c[stride[2] + stride[3]];
  } else {
    part.xx = part.yy = T(drawing.variance);
  }
  part.moved = drawing.is_moved;
  if (part.moved) {
    const int64_t* stride = drawing.affine_stride;
    const T* row = static_cast<const T*>(drawing.affine) + b * stride[0] + k * stride[1];
    for (int i = 0; i < 2; ++i, row += stride[2]) {
      part.linear[i][0] = row[0];
      part.linear[i][1] = row[stride[3]];
      part.shift[i] = row[2 * stride[3]];
    }
  }
  return part;
}

template <typename T>
struct Gaussian {
  T x, y;           // mean m; x is NaN for a map that is all NaN, see render_gaussians() in Python
  T shear;          // S_xy / S_yy
  T along, across;  // see the top
};

template <typename T>
FASTPOSE_HD T magnitude(T a) {
  return a < 0 ? -a : a;
}

// a b + c, rounded once on every processor.
FASTPOSE_HD float fused(float a, float b, float c) { return fmaf(a, b, c); }
FASTPOSE_HD double fused(double a, double b, double c) { return fma(a, b, c); }

// The regression of x on y, where both variances are to grow by `jitter`: x is (slope + rest) y and
// what is left, of variance `left`. `rest` is what rounding took from the slope: a thin Gaussian
// has so little left of S_xx that without it most digits of that would be wrong.
template <typename T>
struct Regression {
  T slope, rest, left;
};

template <typename T>
FASTPOSE_HD Regression<T> regress(T xx, T xy, T yy, T jitter, T per_yy) {
  const T slope = xy * per_yy;
  const T rest = per_yy * fused(-slope, jitter, fused(-slope, yy, xy));
  return {slope, rest, fused(-xy, rest, fused(-xy, slope, xx) + jitter)};
}

// Of a covariance S: S_xx, S_yy, 1 / S_yy, S_xy / S_yy, S_xx - S_xy^2 / S_yy.
template <typename T>
struct Spread {
  T xx, yy, per_yy, shear, left;
};

template <typename T>
FASTPOSE_HD Spread<T> spread_of(const Part<T>& part, T jitter) {
  const T yy = part.yy + jitter, per_yy = 1 / yy;
  const Regression<T> own = regress(part.xx, part.xy, part.yy, jitter, per_yy);
  return {part.xx + jitter, yy, per_yy, own.slope + own.rest, own.left};
}

// The same of A C A^T. With C a regression on its `greater` coordinate, u the other's column of A,
// v that one's, and w = v + slope u, it is left u u^T + greater w w^T: nothing cancels.
template <typename T>
FASTPOSE_HD Spread<T> moved_spread_of(const Part<T>& part, T jitter) {
  const T a = part.linear[0][0], b = part.linear[0][1];
  const T c = part.linear[1][0], d = part.linear[1][1];
  const bool wide = magnitude(part.xx) > magnitude(part.yy);
  const T greater = wide ? part.xx : part.yy, lesser = wide ? part.yy : part.xx;
  const T u_x = wide ? b : a, u_y = wide ? d : c, v_x = wide ? a : b, v_y = wide ? c : d;
  const T per_greater = greater == 0 ? T(0) : 1 / greater;
  const Regression<T> own = regress(lesser, part.xy, greater, T(0), per_greater);
  const auto w = [&](T u, T v) { return fused(own.rest, u, fused(own.slope, u, v)); };
  const T w_x = w(u_x, v_x), w_y = w(u_y, v_y);
  const T with_u = own.left * u_y, with_w = greater * w_y;  // covariances with y
  const T xx = own.left * (u_x * u_x) + greater * (w_x * w_x);
  const T yy = with_u * u_y + with_w * w_y + jitter, per_yy = 1 / yy;
  T shear = (with_u * u_x + with_w * w_x) * per_yy;
  // x - shear y still goes with y as far as rounding has spoilt the shear.
  const T u = fused(-shear, u_y, u_x), v = fused(-shear, v_y, v_x);
  shear += per_yy * fused(-shear, jitter, with_u * u + with_w * w(u, v));
  // |A C A^T + j| = |A|^2 |C| + j (tr(A C A^T) + j) does not lose a singular A to rounding.
  const T product = b * c, det = fused(a, d, -product) - fused(b, c, -product);
  const T left = det * (det * (own.left * (greater * per_yy))) + jitter * ((xx + yy) * per_yy);
  return {xx + jitter, yy, per_yy, shear, left};
}

template <typename T>
FASTPOSE_HD Gaussian<T> make_gaussian(const Part<T>& part, T jitter) {
  T x = part.x, y = part.y;
  if (part.moved) {
    x = fused(part.linear[0][0], part.x, fused(part.linear[0][1], part.y, part.shift[0]));
    y = fused(part.linear[1][0], part.x, fused(part.linear[1][1], part.y, part.shift[1]));
  }
  const Spread<T> spread = part.moved ? moved_spread_of(part, jitter) : spread_of(part, jitter);
  const T yy = spread.yy, shear = spread.shear, left = spread.left;
  using Limit = Limits<T>;
  const T along = square_root(T(kHalfLog2E) / left);
  const T across = square_root(T(kHalfLog2E) * spread.per_yy);
  const T far_y = 1 + magnitude(y);
  const T deviations = (1 + magnitude(x) + magnitude(shear) * far_y) * along + far_y * across;
  const bool positive =
      yy >= Limit::least && left >= Limit::least && left > kSingular * Limit::epsilon * spread.xx;
  const bool sound =
      positive && spread.xx <= Limit::most && yy <= Limit::most && deviations <= Limit::most;
  return {sound ? x : T(NAN), y, shear, along, across};
}

template <typename T>
FASTPOSE_HD bool is_spoilt(const Gaussian<T>& gaussian) {
  return gaussian.x != gaussian.x;
}

// --- gradients of one map ------------------------------------------------------------------------

// Sums over the pixels of a map: w times a, b, a a, a b, b b.
template <typename V>
struct Sums {
  V a, b, aa, ab, bb;
};

template <typename T>
struct PartGradients {
  T x, y;
  T xx, xy, yy;  // of a symmetric matrix: xy stands in two places
  T linear[2][2], shift[2];
};

// From the sums to the gradients of what the map is made of. Sum may be wider than T.
template <typename T, typename Sum>
FASTPOSE_HD PartGradients<Sum> finish(const Part<T>& part, const Gaussian<T>& gaussian,
                                      const Sums<Sum>& sums) {
  const Sum scale = Sum(1 / kHalfLog2E), shear = Sum(gaussian.shear);
  const Sum along = Sum(gaussian.along), across = Sum(gaussian.across);
  const Sum spoilt = Sum(gaussian.x - gaussian.x);  // 0 or NaN
  const Sum x = scale * sums.a * along + spoilt, y = scale * sums.b * across - shear * x;
  const Sum half = scale * scale / 2;
  const Sum xx = half * sums.aa * along * along + spoilt;
  const Sum cross = half * sums.ab * along * across;
  const Sum xy = cross - shear * xx;
  const Sum yy = half * sums.bb * across * across - shear * (cross + xy);
  PartGradients<Sum> result = {x, y, xx, xy, yy, {}, {x, y}};
  if (!part.moved) return result;
  const Sum c_xx = Sum(part.xx), c_xy = Sum(part.xy), c_yy = Sum(part.yy);
  const Sum a = Sum(part.linear[0][0]), b = Sum(part.linear[0][1]);
  const Sum c = Sum(part.linear[1][0]), d = Sum(part.linear[1][1]);
  // G A with G = dL/dS
  const Sum ga = xx * a + xy * c, gb = xx * b + xy * d;
  const Sum gc = xy * a + yy * c, gd = xy * b + yy * d;
  const Sum at_x = Sum(part.x), at_y = Sum(part.y);
  result.linear[0][0] = 2 * (ga * c_xx + gb * c_xy) + x * at_x;
  result.linear[0][1] = 2 * (ga * c_xy + gb * c_yy) + x * at_y;
  result.linear[1][0] = 2 * (gc * c_xx + gd * c_xy) + y * at_x;
  result.linear[1][1] = 2 * (gc * c_xy + gd * c_yy) + y * at_y;
  result.x = a * x + c * y;
  result.y = b * x + d * y;
  result.xx = a * ga + c * gc;
  result.xy = a * gb + c * gd;
  result.yy = b * gb + d * gd;
  return result;
}

}  // namespace fastpose::gaussians
