// Which limbs can win somewhere in a rectangle of pixels; for cpu.cpp, in its namespace.
//
// Let s be the limb nearest to the rectangle's centre m. The distance D from a limb is convex, so
// for any other limb e and pixel u
//     D_e(u) >= D_e(m) + <grad D_e(m), u - m>,
// and that bound minus D_s(u) is concave: if it is positive in the four corners it is everywhere in
// the rectangle, and e never wins there.
#pragma once

#include "common/simd.h"
#include "render_skeleton/math.h"
#include "render_skeleton/render_skeleton.h"

namespace fastpose::FASTPOSE_ISA {
namespace {

using namespace skeleton;  // NOLINT

constexpr int kTileWidth = 16;
constexpr int kTileRows = 8;
// A block is what is culled together, a lane per tile: 4 x 4 tiles, as high as a band.
constexpr int kBlockColumns = 4;
constexpr int kBlockTiles = 16;
constexpr int kBlockWidth = kBlockColumns * kTileWidth;
static_assert(kBandRows == kBlockTiles / kBlockColumns * kTileRows);
static_assert(kTileWidth % Floats::lanes == 0 && kBlockTiles % Floats::lanes == 0);
constexpr int kCullBlocks = 32;  // from so many limbs on, those far from the whole block go first

// The limbs of one image, one array per field so that a vector holds several limbs.
template <typename T>
struct LimbTable {
  static constexpr int size = kMostLimbs + kTileWidth;
  alignas(64) T x[size], y[size], dx[size], dy[size], length[size], half_width[size];
  T slack;  // bound of the rounding errors of distances within the image

  void set(const Drawing& drawing, int64_t b) {
    const T* joints = static_cast<const T*>(drawing.points) + b * drawing.point_stride[0];
    const int32_t* offset = drawing.plan + drawing.channels + 1;
    const int32_t* index = offset + 2 * drawing.limbs + 1;
    T reach = 1;
    for (int e = 0; e < drawing.limbs; ++e) {
      T at[2][2];
      for (int end = 0; end < 2; ++end) {
        for (int axis = 0; axis < 2; ++axis) {
          at[end][axis] =
              mean_coordinate(joints + axis * drawing.point_stride[2], drawing.point_stride[1],
                              index, offset[2 * e + end], offset[2 * e + end + 1]);
          const T far = at[end][axis] < 0 ? -at[end][axis] : at[end][axis];
          if (far > reach) reach = far;
        }
      }
      const T width = drawing.widths ? T(drawing.widths[e]) : T(0);
      const Limb<T> limb = make_limb(at[0][0], at[0][1], at[1][0], at[1][1], width);
      x[e] = limb.x, y[e] = limb.y, dx[e] = limb.dx, dy[e] = limb.dy;
      length[e] = limb.length, half_width[e] = limb.half_width;
    }
    for (int e = drawing.limbs; e < drawing.limbs + kTileWidth; ++e) {
      x[e] = y[e] = dx[e] = dy[e] = length[e] = half_width[e] = 0;
    }
    slack = reach * (sizeof(T) == 4 ? T(1e-5) : T(1e-13));
  }

  // The first limb in [begin, end) that wins everywhere because it is NaN, or -1.
  int spoilt(int begin, int end) const {
    for (int e = begin; e < end; ++e) {
      if (x[e] != x[e] || y[e] != y[e]) return e;
    }
    return -1;
  }
};

// One limb, spread over vectors, against the pixels of a tile: a vector of columns, kTileRows rows.
// Differences from the limb's start are taken first: near it they are exact, and it is there that
// the value is steep.
template <bool kWide, typename V>
struct Ruler {
  using T = typename V::scalar;
  V dx, dy, length, half_width, along_start, across_start;
  alignas(64) T below[kTileRows];

  FASTPOSE_INLINE Ruler(const LimbTable<T>& limbs, int e, V pixel_x, const T* pixel_y)
      : dx(limbs.dx[e]), dy(limbs.dy[e]), length(limbs.length[e]), half_width(limbs.half_width[e]) {
    const V x = pixel_x - V(limbs.x[e]);
    along_start = dx * x;
    across_start = V(T(0) - limbs.dy[e]) * x;
    for (int r = 0; r < kTileRows; ++r) below[r] = pixel_y[r] - limbs.y[e];
  }

  FASTPOSE_INLINE Nearest<V> at(int row) const {
    const V y(below[row]);
    return nearest_point<kWide>(multiply_add(dy, y, along_start), multiply_add(dx, y, across_start),
                                length, half_width);
  }
};

template <typename V>
struct Bound {
  V distance;        // at the centre
  V rise_x, rise_y;  // of the bound, from there to the rectangle's sides
};

// The lower bound of a limb's distance within a rectangle (half_x, half_y) about a centre that lies
// at (x, y) from the limb's start.
template <bool kWide, typename V>
FASTPOSE_INLINE Bound<V> bound_from(V x, V y, V half_x, V half_y, V dx, V dy, V length,
                                    V half_width) {
  using T = typename V::scalar;
  const V zero(T(0));
  const Nearest<V> near = nearest_point<kWide>(
      multiply_add(dx, x, dy * y), multiply_add(dx, y, zero - dy * x), length, half_width);
  const V squared = squared_distance(near);
  const V inverse = inverse_root(squared + V(T(1e-20)));
  const V along = near.past_along * inverse, across = near.past_across * inverse;
  return {squared * inverse, multiply_add(along, dx, zero - across * dy) * half_x,
          multiply_add(along, dy, across * dx) * half_y};
}

// Bit l is set where the bound lies above the limits in the corners (+,+), (+,-), (-,+), (-,-).
template <typename V>
FASTPOSE_INLINE uint32_t beaten(const Bound<V>& bound, const V (&limit)[4]) {
  const V sum = bound.rise_x + bound.rise_y, difference = bound.rise_x - bound.rise_y;
  return less(limit[0], bound.distance + sum) & less(limit[1], bound.distance + difference) &
         less(limit[2], bound.distance - difference) & less(limit[3], bound.distance - sum);
}

// The distance from a limb in the four corners.
template <bool kWide, typename V>
FASTPOSE_INLINE void limits_from(V x, V y, V half_x, V half_y, V dx, V dy, V length, V half_width,
                                 V slack, V (&limit)[4]) {
  using T = typename V::scalar;
  for (int k = 0; k < 4; ++k) {
    const V at_x = k < 2 ? x + half_x : x - half_x, at_y = k % 2 == 0 ? y + half_y : y - half_y;
    const Nearest<V> near =
        nearest_point<kWide>(multiply_add(dx, at_x, dy * at_y),
                             multiply_add(dx, at_y, V(T(0)) - dy * at_x), length, half_width);
    limit[k] = square_root(squared_distance(near) + V(T(1e-20))) + slack;
  }
}

// The rectangles of a block's tiles, cut at the image's edge, and that of the whole block.
template <typename T>
struct Block {
  alignas(64) T x[kBlockTiles], y[kBlockTiles], half_x[kBlockTiles], half_y[kBlockTiles];
  T whole_x, whole_y, whole_half_x, whole_half_y;

  Block(const Drawing& drawing, const Grid& grid, int left, int top) {
    const T* xs = static_cast<const T*>(grid.x);
    const T* ys = static_cast<const T*>(grid.y);
    const auto last = [](int from, int size, int end) {
      return from + size < end ? from + size - 1 : end - 1;
    };
    for (int tile = 0; tile < kBlockTiles; ++tile) {
      // Tiles outside of the image repeat its last column or row; nobody asks for their lists.
      const int column = last(left + tile % kBlockColumns * kTileWidth, 1, drawing.width);
      const int row = last(top + tile / kBlockColumns * kTileRows, 1, drawing.height);
      const T x0 = xs[column], x1 = xs[last(column, kTileWidth, drawing.width)];
      const T y0 = ys[row], y1 = ys[last(row, kTileRows, drawing.height)];
      x[tile] = (x0 + x1) / 2, half_x[tile] = (x1 - x0) / 2;
      y[tile] = (y0 + y1) / 2, half_y[tile] = (y1 - y0) / 2;
    }
    const T x0 = xs[left], x1 = xs[last(left, kBlockWidth, drawing.width)];
    const T y0 = ys[top], y1 = ys[last(top, kBandRows, drawing.height)];
    whole_x = (x0 + x1) / 2, whole_half_x = (x1 - x0) / 2;
    whole_y = (y0 + y1) / 2, whole_half_y = (y1 - y0) / 2;
  }
};

// For every tile of a block, the limbs that can win in it, in their order.
template <typename T>
struct TileLists {
  using V = typename Wide<T>::type;
  int16_t list[kBlockTiles][kMostLimbs];
  int count[kBlockTiles];

  template <bool kWide>
  void find(const LimbTable<T>& limbs, int begin, int end, const Block<T>& block) {
    int16_t some[kMostLimbs];
    int number = 0;
    if (end - begin < kCullBlocks) {
      for (int e = begin; e < end; ++e) some[number++] = static_cast<int16_t>(e);
    } else {
      number = near_block<kWide>(limbs, begin, end, block, some);
    }
    for (int tile = 0; tile < kBlockTiles; ++tile) count[tile] = 0;
    if (number == 1) {
      for (int tile = 0; tile < kBlockTiles; ++tile) list[tile][count[tile]++] = some[0];
      return;
    }
    for (int tile = 0; tile < kBlockTiles; tile += V::lanes) {
      near_tiles<kWide>(limbs, some, number, block, tile);
    }
  }

 private:
  // A lane is a tile.
  template <bool kWide>
  void near_tiles(const LimbTable<T>& limbs, const int16_t* some, int number, const Block<T>& block,
                  int tile) {
    const V x = V::load(block.x + tile), half_x = V::load(block.half_x + tile);
    const V y = V::load(block.y + tile), half_y = V::load(block.half_y + tile);
    Bound<V> bounds[kMostLimbs];
    V least_distance(T(1e30)), s(T(0));
    for (int i = 0; i < number; ++i) {
      const int e = some[i];
      bounds[i] =
          bound_from<kWide>(x - V(limbs.x[e]), y - V(limbs.y[e]), half_x, half_y, V(limbs.dx[e]),
                            V(limbs.dy[e]), V(limbs.length[e]), V(limbs.half_width[e]));
      least_distance = choose_less(bounds[i].distance, least_distance, s, V(T(e)));
    }
    V limit[4];
    limits_from<kWide>(x - V::lookup(limbs.x, s), y - V::lookup(limbs.y, s), half_x, half_y,
                       V::lookup(limbs.dx, s), V::lookup(limbs.dy, s), V::lookup(limbs.length, s),
                       kWide ? V::lookup(limbs.half_width, s) : V(T(0)), V(limbs.slack), limit);
    for (int i = 0; i < number; ++i) {
      uint32_t left = ~beaten(bounds[i], limit) & ((1u << V::lanes) - 1);
      for (; left; left &= left - 1) {
        const int lane = tile + __builtin_ctz(left);
        list[lane][count[lane]++] = some[i];
      }
    }
  }

  // A lane is a limb.
  template <bool kWide>
  static int near_block(const LimbTable<T>& limbs, int begin, int end, const Block<T>& block,
                        int16_t* found) {
    const V x(block.whole_x), y(block.whole_y);
    const V half_x(block.whole_half_x), half_y(block.whole_half_y), far(T(1e30));
    Bound<V> bounds[kMostLimbs / V::lanes + 1];
    V least_distance = far;
    for (int e = begin, i = 0; e < end; e += V::lanes, ++i) {
      bounds[i] = bound_from<kWide>(x - V::load(limbs.x + e), y - V::load(limbs.y + e), half_x,
                                    half_y, V::load(limbs.dx + e), V::load(limbs.dy + e),
                                    V::load(limbs.length + e), V::load(limbs.half_width + e));
      bounds[i].distance = first_lanes(bounds[i].distance, end - e, far);
      least_distance = minimum(least_distance, bounds[i].distance);
    }
    const V nearest(least(least_distance));
    int s = begin;
    for (int e = begin, i = 0; e < end; e += V::lanes, ++i) {
      const uint32_t hit = ~less(nearest, bounds[i].distance) & ((1u << V::lanes) - 1);
      if (hit) s = e + __builtin_ctz(hit);
      if (hit) break;
    }
    V limit[4];
    limits_from<kWide>(x - V(limbs.x[s]), y - V(limbs.y[s]), half_x, half_y, V(limbs.dx[s]),
                       V(limbs.dy[s]), V(limbs.length[s]), V(limbs.half_width[s]), V(limbs.slack),
                       limit);
    int number = 0;
    for (int e = begin, i = 0; e < end; e += V::lanes, ++i) {
      uint32_t left = ~beaten(bounds[i], limit) & ((1u << V::lanes) - 1);
      if (end - e < V::lanes) left &= (1u << (end - e)) - 1;
      for (; left; left &= left - 1)
        found[number++] = static_cast<int16_t>(e + __builtin_ctz(left));
    }
    return number;
  }
};

}  // namespace
}  // namespace fastpose::FASTPOSE_ISA
