// The nearest limb of every pixel of a tile, found by one warp. Limbs lie in shared memory.
//
// For up to 32 limbs at a time each lane takes one and sees it from the tile's centre o: nearest
// point q, v = o - q. Let f be the nearest limb there. For a pixel o + s
//     d_e^2 >= |v_e|^2 + 2 <v_e, s>          (its gradient is 2 v, and it is convex)
//     d_f^2 <= |v_f|^2 + 2 <v_f, s> + |s|^2  (q_f is on f)
// so e can win only if |v_e|^2 - |v_f|^2 + 2 <v_e - v_f, s> < |s|^2 somewhere. The warp votes on
// that for the worst s of the tile and tries the limbs that pass: all that could win, about 3 of 18
// at 128 x 128. Comparing the differences matters: far from a person all limbs are about as far.
#pragma once

#include "common/fast_math.cuh"
#include "common/reduce.cuh"
#include "render_skeleton/math.h"

namespace fastpose::skeleton {

constexpr unsigned kNone = 0xffffffffu;
constexpr int kTileWidth = 16;
constexpr int kUnculled = 2;  // so few limbs are tried without a vote

// A lane draws kColumns neighbours in each of kRows rows of its warp's tile; (x, y) is the first.
template <int kRows, int kColumns>
struct Lane {
  static constexpr int kRowStep = kWarpSize * kColumns / kTileWidth;  // from row to row of a lane
  static constexpr int kTileHeight = kRowStep * kRows;
  int index, x, y;

  __device__ __forceinline__ explicit Lane(int index)
      : index(index),
        x(index % (kTileWidth / kColumns) * kColumns),
        y(index / (kTileWidth / kColumns)) {}
};

// Normalised coordinates: a lane's pixels, and the tile's rectangle of pixel centres.
template <typename T, int kRows, int kColumns>
struct Pixels {
  T x[kColumns], y[kRows];
  T centre_x, centre_y, half_x, half_y;
};

// What a pixel sees of a limb: u - c, c the limb's nearest point, and its square.
template <typename T>
struct Offset {
  T x, y, squared;
};

// A limb that is a line, prepared so that a pixel costs 7 instructions, or 6 where rows share
// u - a: c = a + t (b - a) with t = <u - a, (b - a) / |b - a|^2>, and clamping t costs nothing.
template <typename T>
struct alignas(16) Line {
  static constexpr bool kWide = false;
  T x, y;          // a; NaN if spoilt, see make_limb
  T to_x, to_y;    // b - a
  T per_x, per_y;  // (b - a) / |b - a|^2
  T length, per_length;

  __device__ static Line of(const Limb<T>& limb, T bx, T by) {
    return {limb.x,
            limb.y,
            bx - limb.x,
            by - limb.y,
            limb.dx * limb.per_length,
            limb.dy * limb.per_length,
            limb.length,
            limb.per_length};
  }

  __device__ __forceinline__ Offset<T> offset(T from_x, T from_y, T row) const {
    const T t = saturate(multiply_add(from_x, per_x, row));
    const T past_x = multiply_add(-t, to_x, from_x), past_y = multiply_add(-t, to_y, from_y);
    return {past_x, past_y, multiply_add(past_x, past_x, past_y * past_y)};
  }
  __device__ __forceinline__ Offset<T> from(T u, T v) const {
    return offset(u - x, v - y, (v - y) * per_y);
  }

  template <int kRows, int kColumns>
  __device__ __forceinline__ void squared(const Pixels<T, kRows, kColumns>& at,
                                          T (&result)[kRows][kColumns]) const {
    T from_x[kColumns];
#pragma unroll
    for (int i = 0; i < kColumns; ++i) from_x[i] = at.x[i] - x;
#pragma unroll
    for (int j = 0; j < kRows; ++j) {
      const T from_y = at.y[j] - y, row = from_y * per_y;
#pragma unroll
      for (int i = 0; i < kColumns; ++i) result[j][i] = offset(from_x[i], from_y, row).squared;
    }
  }

  __device__ __forceinline__ Limb<T> limb() const {
    const T dx = length > 0 ? to_x * per_length : T(1);
    return {x, y, dx, to_y * per_length, length, per_length, T(0)};
  }
};

// A limb with a width, see math.h; distances are measured from the middle of its length.
template <typename T>
struct alignas(16) Bar {
  static constexpr bool kWide = true;
  T x, y, dx, dy;
  T half_length, half_width, length, per_length;

  __device__ static Bar of(const Limb<T>& limb, T, T) {
    return {limb.x,          limb.y,          limb.dx,     limb.dy,
            limb.length / 2, limb.half_width, limb.length, limb.per_length};
  }

  __device__ __forceinline__ Offset<T> from(T u, T v) const {
    const T along = (u - x) * dx + (v - y) * dy, across = (v - y) * dx - (u - x) * dy;
    const Nearest<T> near = nearest_point<true>(along, across, length, half_width);
    return {near.past_along * dx - near.past_across * dy,
            near.past_along * dy + near.past_across * dx, squared_distance(near)};
  }

  template <int kRows, int kColumns>
  __device__ __forceinline__ void squared(const Pixels<T, kRows, kColumns>& at,
                                          T (&result)[kRows][kColumns]) const {
    T from_x[kColumns];
#pragma unroll
    for (int i = 0; i < kColumns; ++i) from_x[i] = at.x[i] - x;
#pragma unroll
    for (int j = 0; j < kRows; ++j) {
      const T from_y = at.y[j] - y;
      const T along_row = multiply_add(from_y, dy, -half_length), across_row = from_y * dx;
#pragma unroll
      for (int i = 0; i < kColumns; ++i) {
        const T along = multiply_add(from_x[i], dx, along_row);
        const T across = multiply_add(-from_x[i], dy, across_row);
        const T past_along = fmax(fabs(along) - half_length, T(0));
        const T past_across = fmax(fabs(across) - half_width, T(0));
        result[j][i] = multiply_add(past_along, past_along, past_across * past_across);
      }
    }
  }

  __device__ __forceinline__ Limb<T> limb() const {
    return {x, y, dx, dy, length, per_length, half_width};
  }
};

// Smallest squared distance so far of each pixel, and whose it is (only if kWinner).
template <typename T, int kRows, int kColumns, bool kWinner>
struct Nearby {
  T squared[kRows][kColumns];
  unsigned winner[kRows][kColumns];

  __device__ __forceinline__ void fill(T distance) {
#pragma unroll
    for (int i = 0; i < kRows * kColumns; ++i) {
      squared[i / kColumns][i % kColumns] = distance;
      winner[i / kColumns][i % kColumns] = kNone;
    }
  }

  template <typename Shape>
  __device__ __forceinline__ void consider(const Shape& shape, unsigned limb,
                                           const Pixels<T, kRows, kColumns>& at) {
    T distance[kRows][kColumns];
    shape.squared(at, distance);
#pragma unroll
    for (int n = 0; n < kRows * kColumns; ++n) {
      const int j = n / kColumns, i = n % kColumns;
      if (!kWinner) {
        squared[j][i] = fmin(distance[j][i], squared[j][i]);
      } else if (distance[j][i] < squared[j][i]) {
        squared[j][i] = distance[j][i];
        winner[j][i] = limb;
      }
    }
  }
};

// Lane l looks at limb kWarpSize - 1 - l of a group, so that votes from the top take limbs in
// order.
__device__ __forceinline__ int limb_in_group(int lane) { return kWarpSize - 1 - lane; }

// Finds the nearest of limbs first .. last - 1 (the first of those that tie) for all pixels of a
// warp's tile. Returns kNone, or the first limb that is spoilt: it wins everywhere with NaN.
template <typename T, typename Shape, int kRows, int kColumns, bool kWinner>
__device__ __forceinline__ unsigned search(const Shape* shapes, int first, int last, int lane,
                                           const Pixels<T, kRows, kColumns>& at,
                                           Nearby<T, kRows, kColumns, kWinner>& nearby) {
  const bool culled = last - first > kUnculled;
  // The nearest from the centre. Keys: 0 is spoilt, then by distance, then the lanes without a
  // limb.
  Offset<T> own = {}, nearest = {};
  unsigned least = kNone, whose = kNone;
#pragma unroll 1
  for (int group = first; group < last; group += kWarpSize) {
    const int e = group + limb_in_group(lane);
    if (e >= last) continue;
    if (culled) {
      own = shapes[e].from(at.centre_x, at.centre_y);
    } else {
      own.squared = shapes[e].x;
    }
    const unsigned key = own.squared != own.squared ? 0 : ordered(own.squared) + 1;
    if (key < least) {
      least = key;
      whose = e;
      nearest = own;
    }
  }
  const unsigned least_of_all = __reduce_min_sync(kFullWarp, least);
  if (least_of_all == 0) {
    nearby.fill(T(NAN));
    return __reduce_min_sync(kFullWarp, least == 0 ? whose : kNone);
  }
  T limit = T(INFINITY);
  if (culled) {
    const int source = 31 - __clz(__ballot_sync(kFullWarp, least == least_of_all));
    nearest.x = __shfl_sync(kFullWarp, nearest.x, source);
    nearest.y = __shfl_sync(kFullWarp, nearest.y, source);
    nearest.squared = __shfl_sync(kFullWarp, nearest.squared, source);
    // |s|^2 at its worst, and room for the rounding of the squares.
    limit = at.half_x * at.half_x + at.half_y * at.half_y + nearest.squared * T(4e-6);
  }

  nearby.fill(T(INFINITY));
  for (int group = first; group < last; group += kWarpSize) {
    const int e = group + limb_in_group(lane);
    if (last - first > kWarpSize && e < last) own = shapes[e].from(at.centre_x, at.centre_y);
    const T change = fabs(own.x - nearest.x) * at.half_x + fabs(own.y - nearest.y) * at.half_y;
    const bool can_win = e < last && !(own.squared - nearest.squared - 2 * change > limit);
    unsigned votes = __ballot_sync(kFullWarp, can_win);
    const Shape* top = shapes + group + kWarpSize - 1;
#pragma unroll 1
    while (votes != 0) {
      const int bit = 31 - __clz(votes);
      votes ^= 1u << bit;
      nearby.consider(*(top - bit), group + kWarpSize - 1 - bit, at);
    }
  }
  return kNone;
}

}  // namespace fastpose::skeleton
