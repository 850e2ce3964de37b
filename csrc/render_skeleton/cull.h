// Which limbs can win somewhere in a rectangle of pixels; for cpu.cpp, in its namespace.
//
// Let s be the limb nearest to the rectangle's centre m. The distance D from a limb is convex, so
// for any other limb e and pixel u
//     D_e(u) >= D_e(m) + <grad D_e(m), u - m>,
// and that bound minus D_s(u) is concave: if it is positive in the four corners it is everywhere in
// the rectangle, and e never wins there.
#pragma once

#include "common/simd.h"
#include "render_skeleton/limbs.h"
#include "render_skeleton/math.h"
#include "render_skeleton/render_skeleton.h"

namespace fastpose::FASTPOSE_ISA {
namespace {

using namespace skeleton;  // NOLINT

// A block is what is culled together, a lane per tile: 4 x 4 tiles, as high as a band.
constexpr int kBlockColumns = 4;
constexpr int kBlockTiles = 16;
constexpr int kBlockWidth = kBlockColumns * kTileWidth;
static_assert(kBlockTiles == kBlockColumns * kBlockColumns);
static_assert(kBandRows == kBlockColumns * kTileRows);
static_assert(kTileWidth % Floats::lanes == 0 && kBlockTiles % Floats::lanes == 0);
constexpr int kCullBlocks = 16;  // from so many limbs on, those far from the whole block go first

template <typename V>
struct Bound {
  V distance;        // at the centre
  V rise_x, rise_y;  // of the bound, from there to the rectangle's sides
  V along;           // where the centre lies along the limb
};

// The lower bound of a limb's distance within a rectangle (half_x, half_y) about a centre that lies
// at (x, y) from the limb's start; up to kRough of it too large or too small.
constexpr double kRough = 5e-4;
template <bool kWide, typename V>
FASTPOSE_INLINE Bound<V> bound_from(V x, V y, V half_x, V half_y, V dx, V dy, V length,
                                    V half_width) {
  using T = typename V::scalar;
  const V zero(T(0));
  const V on_line = multiply_add(dx, x, dy * y);
  const Nearest<V> near =
      nearest_point<kWide>(on_line, multiply_add(dx, y, zero - dy * x), length, half_width);
  const V squared = squared_distance(near);
  const V inverse = rough_inverse_root(squared + V(T(1e-20)));
  const V along = near.past_along * inverse, across = near.past_across * inverse;
  return {squared * inverse, multiply_add(along, dx, zero - across * dy) * half_x,
          multiply_add(along, dy, across * dx) * half_y, on_line};
}

// Bit l is set where the bound lies above the limits in the corners (+,+), (+,-), (-,+), (-,-).
template <typename V>
FASTPOSE_INLINE uint32_t beaten(const Bound<V>& bound, const V (&limit)[4]) {
  const V sum = bound.rise_x + bound.rise_y, difference = bound.rise_x - bound.rise_y;
  return less(limit[0], bound.distance + sum) & less(limit[1], bound.distance + difference) &
         less(limit[2], bound.distance - difference) & less(limit[3], bound.distance - sum);
}

// The distance from a limb in the four corners, and a little more: what a bound must exceed.
template <bool kWide, typename V>
FASTPOSE_INLINE void limits_from(V x, V y, V half_x, V half_y, V dx, V dy, V length, V half_width,
                                 V slack, V (&limit)[4]) {
  using T = typename V::scalar;
  for (int k = 0; k < 4; ++k) {
    const V at_x = k < 2 ? x + half_x : x - half_x, at_y = k % 2 == 0 ? y + half_y : y - half_y;
    const Nearest<V> near =
        nearest_point<kWide>(multiply_add(dx, at_x, dy * at_y),
                             multiply_add(dx, at_y, V(T(0)) - dy * at_x), length, half_width);
    const V distance = square_root(squared_distance(near) + V(T(1e-20)));
    limit[k] = multiply_add(distance, V(T(1 + kRough)), slack);
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
    for (int i = 0; i < kBlockColumns; ++i) {
      // Tiles outside of the image repeat its last column or row; nobody asks for their lists.
      const int column = last(left + i * kTileWidth, 1, drawing.width);
      const int row = last(top + i * kTileRows, 1, drawing.height);
      const T x0 = xs[column], x1 = xs[last(column, kTileWidth, drawing.width)];
      const T y0 = ys[row], y1 = ys[last(row, kTileRows, drawing.height)];
      for (int j = 0; j < kBlockColumns; ++j) {
        const int of_column = j * kBlockColumns + i, of_row = i * kBlockColumns + j;
        x[of_column] = (x0 + x1) / 2, half_x[of_column] = (x1 - x0) / 2;
        y[of_row] = (y0 + y1) / 2, half_y[of_row] = (y1 - y0) / 2;
      }
    }
    const T x0 = xs[left], x1 = xs[last(left, kBlockWidth, drawing.width)];
    const T y0 = ys[top], y1 = ys[last(top, kBandRows, drawing.height)];
    whole_x = (x0 + x1) / 2, whole_half_x = (x1 - x0) / 2;
    whole_y = (y0 + y1) / 2, whole_half_y = (y1 - y0) / 2;
  }
};

// Where the pixels of a lane's tile lie along a limb: bit l of `low` and of `high` is that of its
// Place.
struct Places {
  uint32_t low, high;

  Place at(int lane) const {
    return static_cast<Place>((low >> lane & 1) + 2 * (high >> lane & 1));
  }
};

template <bool kWide, typename V, typename T>
FASTPOSE_INLINE Places places_of(const LimbTable<T>& limbs, int e, V along, V half_x, V half_y) {
  if (kWide) return {0, 0};
  const V reach = multiply_add(absolute(V(limbs.dx[e])), half_x, absolute(V(limbs.dy[e])) * half_y);
  const V least = along - reach, most = along + reach, zero(T(0)), length(limbs.length[e]);
  const uint32_t inside = less(zero, least) & less(most, length);
  return {less(most, zero) | inside, less(length, least) | inside};
}

// For every tile of a block, the limbs that can win in it, in their order.
template <typename T>
struct TileLists {
  using V = typename Wide<T>::type;
  Entry list[kBlockTiles][kMostLimbs];
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
    for (int tile = 0; tile < kBlockTiles; tile += V::lanes) {
      if (number == 1) {
        const int e = some[0];
        const V x = V::load(block.x + tile) - V(limbs.x[e]);
        const V y = V::load(block.y + tile) - V(limbs.y[e]);
        const V along = multiply_add(V(limbs.dx[e]), x, V(limbs.dy[e]) * y);
        append<kWide>(limbs, e, along, block, tile, kAll);
      } else {
        near_tiles<kWide>(limbs, some, number, block, tile);
      }
    }
  }

 private:
  static constexpr uint32_t kAll = (1u << V::lanes) - 1;

  // Adds limb e to the tiles whose bits are set; `along` is where their centres lie along it.
  template <bool kWide>
  FASTPOSE_INLINE void append(const LimbTable<T>& limbs, int e, V along, const Block<T>& block,
                              int tile, uint32_t left) {
    if (!left) return;
    const Places places = places_of<kWide>(limbs, e, along, V::load(block.half_x + tile),
                                           V::load(block.half_y + tile));
    for (; left; left &= left - 1) {
      const int lane = __builtin_ctz(left);
      list[tile + lane][count[tile + lane]++] = Entry(e, places.at(lane));
    }
  }

  // A lane is a tile.
  template <bool kWide>
  void near_tiles(const LimbTable<T>& limbs, const int16_t* some, int number, const Block<T>& block,
                  int tile) {
    const V x = V::load(block.x + tile), half_x = V::load(block.half_x + tile);
    const V y = V::load(block.y + tile), half_y = V::load(block.half_y + tile);
    Bound<V> bounds[kMostLimbs];
    V least_distance(T(1e30));
    V near_x(T(0)), near_y = near_x, dx = near_x, dy = near_x, length = near_x, width = near_x;
    for (int i = 0; i < number; ++i) {
      const int e = some[i];
      const V from_x = x - V(limbs.x[e]), from_y = y - V(limbs.y[e]);
      bounds[i] = bound_from<kWide>(from_x, from_y, half_x, half_y, V(limbs.dx[e]), V(limbs.dy[e]),
                                    V(limbs.length[e]), V(limbs.half_width[e]));
      const V distance = bounds[i].distance, before = least_distance;
      least_distance = choose_less(distance, before, near_x, from_x);
      choose_less(distance, before, near_y, from_y);
      choose_less(distance, before, dx, V(limbs.dx[e]));
      choose_less(distance, before, dy, V(limbs.dy[e]));
      choose_less(distance, before, length, V(limbs.length[e]));
      if (kWide) choose_less(distance, before, width, V(limbs.half_width[e]));
    }
    V limit[4];
    limits_from<kWide>(near_x, near_y, half_x, half_y, dx, dy, length, width, V(limbs.slack),
                       limit);
    for (int i = 0; i < number; ++i) {
      const uint32_t left = ~beaten(bounds[i], limit) & kAll;
      append<kWide>(limbs, some[i], bounds[i].along, block, tile, left);
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
      const uint32_t hit = ~less(nearest, bounds[i].distance) & kAll;
      if (hit) s = e + __builtin_ctz(hit);
      if (hit) break;
    }
    V limit[4];
    limits_from<kWide>(x - V(limbs.x[s]), y - V(limbs.y[s]), half_x, half_y, V(limbs.dx[s]),
                       V(limbs.dy[s]), V(limbs.length[s]), V(limbs.half_width[s]), V(limbs.slack),
                       limit);
    int number = 0;
    for (int e = begin, i = 0; e < end; e += V::lanes, ++i) {
      uint32_t left = ~beaten(bounds[i], limit) & kAll;
      if (end - e < V::lanes) left &= (1u << (end - e)) - 1;
      for (; left; left &= left - 1)
        found[number++] = static_cast<int16_t>(e + __builtin_ctz(left));
    }
    return number;
  }
};

}  // namespace
}  // namespace fastpose::FASTPOSE_ISA
