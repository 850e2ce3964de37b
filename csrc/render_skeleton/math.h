// render_skeleton per limb and per pixel, forward and backward: what the CPU and CUDA kernels
// share.
//
// A limb e runs from a to b, d = (b - a) / |b - a|, n is d turned by 90 degrees. A pixel u lies
//     along = <u - a, d>,  across = <u - a, n>
// and its nearest point c of the limb (a rectangle of width w; w = 0 is the line) at
//     on_axis = clamp(along, 0, |b - a|),  beside = clamp(across, -w/2, w/2).
// The rest, past_along = along - on_axis and past_across = across - beside, is u - c in the limb's
// own frame, so the squared distance is past_along^2 + past_across^2.
//
// Gradient. I = f(min over limbs of |u - c|^2); only the nearest limb counts. How c slides along
// the limb does not matter, because there |u - c| is stationary or the clamp holds c. With k =
// dL/dI * -2 dI/d(|u - c|^2) and t = on_axis / |b - a|:
//     dL/da += k (1 - t) (u - c) + k (beside past_along / |b - a|) n
//     dL/db += k      t  (u - c) - k (beside past_along / |b - a|) n
// (the last terms: moving an end across turns the rectangle). past_along is not 0 only where t is 0
// or 1, so the four sums of LimbSums over the pixels a limb wins give both ends, see `finish`.
//
// T is float or double; V is T, or a vector type with the same few functions found by its
// namespace: multiply_add, minimum, maximum.
#pragma once

#include <cstdint>

#include "common/math.h"

namespace fastpose::skeleton {

enum Profile : int { exponential = 0, gaussian = 1 };

// --- limbs ---------------------------------------------------------------------------------------

template <typename T>
struct Limb {
  T x, y;        // start a; NaN if an end is not finite or so far out that squares overflow
  T dx, dy;      // direction d; n is (-dy, dx)
  T length;      // |b - a|; 0: the limb is the point a
  T per_length;  // 1 / |b - a|, or 0
  T half_width;  // w / 2
};

template <typename T>
FASTPOSE_HD Limb<T> make_limb(T ax, T ay, T bx, T by, T width) {
  const T ex = bx - ax, ey = by - ay;
  const T length = square_root(ex * ex + ey * ey);
  const T check = 16 * (ax * ax + ay * ay + bx * bx + by * by);
  const T spoilt = check - check;  // 0, or NaN if anything overflowed or was not finite
  const bool point = !(length > 0 && spoilt == 0);  // so that sums of 0 give a gradient of 0
  const T per_length = point ? T(0) : T(1) / length;
  return {ax + spoilt, ay + spoilt, point ? T(1) : ex * per_length, point ? T(0) : ey * per_length,
          length,      per_length,  point ? T(0) : width / 2};
}

// A limb whose start is NaN wins every pixel of its channel, which becomes NaN.
template <typename T>
FASTPOSE_HD bool is_spoilt(const Limb<T>& limb) {
  return limb.x != limb.x || limb.y != limb.y;
}

// One coordinate (stride apart) of end i: the mean of its joints, see Drawing in render_skeleton.h.
template <typename T>
FASTPOSE_HD T mean_coordinate(const T* joints, int64_t stride, const int32_t* index, int from,
                              int to) {
  T total = joints[index[from] * stride];
  for (int i = from + 1; i < to; ++i) total += joints[index[i] * stride];
  return total / T(to - from);
}

// --- pixels against limbs ------------------------------------------------------------------------

template <typename V>
struct Nearest {
  V on_axis, beside;          // nearest point c in the limb's frame
  V past_along, past_across;  // u - c
};

// The nearest point for a pixel at (along, across) in the frame of a limb of that length and half
// width. kWide = false is for limbs that are lines.
template <bool kWide, typename V>
FASTPOSE_HD Nearest<V> nearest_point(V along, V across, V length, V half_width) {
  Nearest<V> near;
  near.on_axis = minimum(maximum(along, V(0)), length);
  near.past_along = along - near.on_axis;
  if (kWide) {
    near.beside = minimum(maximum(across, V(0) - half_width), half_width);
    near.past_across = across - near.beside;
  } else {
    near.beside = V(0);
    near.past_across = across;
  }
  return near;
}

template <typename V>
FASTPOSE_HD V squared_distance(const Nearest<V>& near) {
  return multiply_add(near.past_along, near.past_along, near.past_across * near.past_across);
}

// --- gradient of one limb ------------------------------------------------------------------------

template <typename V>
struct LimbSums {
  V start;   // sum of k past_along where t = 0
  V end;     // the same where t = 1
  V across;  // sum of k past_across
  V turn;    // sum of k (on_axis past_across - beside past_along); times 1 / |b - a| is b's share
};

template <bool kWide, typename V>
FASTPOSE_HD void accumulate(LimbSums<V>& sums, const Nearest<V>& near, V k) {
  sums.start = multiply_add(k, minimum(near.past_along, V(0)), sums.start);
  sums.end = multiply_add(k, maximum(near.past_along, V(0)), sums.end);
  const V pull = k * near.past_across;
  sums.across = sums.across + pull;
  sums.turn = multiply_add(pull, near.on_axis, sums.turn);
  if (kWide) sums.turn = sums.turn - k * near.beside * near.past_along;
}

template <typename T>
struct EndGradients {
  T ax, ay, bx, by;
};

// Gradient of the two ends from the sums over all pixels that the limb wins. Sum may be wider than
// T.
template <typename T, typename Sum>
FASTPOSE_HD EndGradients<Sum> finish(const Limb<T>& limb, LimbSums<Sum> sums) {
  if (!(limb.length > 0)) {  // a point: t = 0 on both sides
    sums.start += sums.end;
    sums.end = 0;
  }
  const Sum to_end = sums.turn * Sum(limb.per_length);
  const Sum to_start = sums.across - to_end;
  const Sum dx = Sum(limb.dx), dy = Sum(limb.dy);
  return {sums.start * dx - to_start * dy, sums.start * dy + to_start * dx,
          sums.end * dx - to_end * dy, sums.end * dy + to_end * dx};
}

}  // namespace fastpose::skeleton
