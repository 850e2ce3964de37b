// The limbs of an image against the pixels of a tile; for cpu.cpp, in its namespace.
//
// Often all pixels of a tile lie beside a limb, or all beyond the same end of it: then the squared
// distance and the sums of the gradient take a third of the operations.
#pragma once

#include "common/simd.h"
#include "render_skeleton/math.h"
#include "render_skeleton/render_skeleton.h"

namespace fastpose::FASTPOSE_ISA {
namespace {

using namespace skeleton;  // NOLINT

constexpr int kTileWidth = 16;
constexpr int kTileRows = 8;

// Where the nearest points of a tile's pixels lie on a limb.
enum class Place : int { mixed = 0, at_start = 1, at_end = 2, between = 3 };

// A limb in the list of a tile.
class Entry {
 public:
  Entry() = default;
  Entry(int limb, Place place) : bits_(static_cast<int16_t>(limb * 4 + static_cast<int>(place))) {}
  int limb() const { return bits_ >> 2; }
  Place place() const { return static_cast<Place>(bits_ & 3); }

 private:
  int16_t bits_;
};

// The limbs of one image, one array per field so that a vector holds several limbs.
template <typename T>
struct LimbTable {
  static constexpr int size = kMostLimbs + kTileWidth;
  alignas(64) T x[size], y[size], dx[size], dy[size], length[size], half_width[size];
  T end_x[kMostLimbs], end_y[kMostLimbs];
  // The rows of a band, seen from the starts and from the ends: a number that lies in memory is
  // spread over a vector for nothing.
  alignas(64) T below[2][kMostLimbs][kBandRows];
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
      end_x[e] = at[1][0], end_y[e] = at[1][1];
    }
    for (int e = drawing.limbs; e < drawing.limbs + kTileWidth; ++e) {
      x[e] = y[e] = dx[e] = dy[e] = length[e] = half_width[e] = 0;
    }
    slack = reach * (sizeof(T) == 4 ? T(1e-5) : T(1e-13));
  }

  void set_band(const Drawing& drawing, const Grid& grid, int band) {
    const T* pixel_y = static_cast<const T*>(grid.y) + band * kBandRows;
    const int left = drawing.height - band * kBandRows + kTileRows - 1;  // whole tiles, not rows
    const int rows = left < kBandRows ? left / kTileRows * kTileRows : kBandRows;
    for (int e = 0; e < drawing.limbs; ++e) {
      for (int r = 0; r < rows; ++r) {
        below[0][e][r] = pixel_y[r] - y[e];
        below[1][e][r] = pixel_y[r] - end_y[e];
      }
    }
  }

  // The first limb in [begin, end) that wins everywhere because it is NaN, or -1.
  int spoilt(int begin, int end) const {
    for (int e = begin; e < end; ++e) {
      if (x[e] != x[e] || y[e] != y[e]) return e;
    }
    return -1;
  }
};

// One limb, spread over vectors, against the pixels of a tile: a vector of columns, kTileRows rows
// from `row` of the band on. Differences from the limb's start are taken first: near it they are
// exact, and it is there that the value is steep.
template <bool kWide, typename V>
struct Ruler {
  using T = typename V::scalar;
  V dx, dy, length, half_width, along_start, across_start;
  const T* below;

  FASTPOSE_INLINE Ruler(const LimbTable<T>& limbs, int e, V pixel_x, int row)
      : dx(limbs.dx[e]),
        dy(limbs.dy[e]),
        length(limbs.length[e]),
        half_width(limbs.half_width[e]),
        below(limbs.below[0][e] + row) {
    const V x = pixel_x - V(limbs.x[e]);
    along_start = dx * x;
    across_start = V(T(0) - limbs.dy[e]) * x;
  }

  FASTPOSE_INLINE V along(int r) const { return multiply_add(dy, V(below[r]), along_start); }
  FASTPOSE_INLINE V across(int r) const { return multiply_add(dx, V(below[r]), across_start); }
  FASTPOSE_INLINE Nearest<V> at(int r) const {
    return nearest_point<kWide>(along(r), across(r), length, half_width);
  }
};

// The same against one end of the limb.
template <typename V>
struct EndRuler {
  using T = typename V::scalar;
  V x;
  const T* below;

  FASTPOSE_INLINE EndRuler(const LimbTable<T>& limbs, int e, bool last, V pixel_x, int row)
      : x(pixel_x - V(last ? limbs.end_x[e] : limbs.x[e])), below(limbs.below[last][e] + row) {}
};

// Calls use(r, squared distance) for every row of a tile.
template <bool kWide, typename V, typename Use>
FASTPOSE_INLINE void for_squares(const LimbTable<typename V::scalar>& limbs, Entry entry, V pixel_x,
                                 int row, const Use& use) {
  const int e = entry.limb();
  const Place place = entry.place();
  if (kWide || place == Place::mixed) {
    const Ruler<kWide, V> ruler(limbs, e, pixel_x, row);
    for (int r = 0; r < kTileRows; ++r) use(r, squared_distance(ruler.at(r)));
  } else if (place == Place::between) {
    const Ruler<kWide, V> ruler(limbs, e, pixel_x, row);
    for (int r = 0; r < kTileRows; ++r) {
      const V across = ruler.across(r);
      use(r, across * across);
    }
  } else {
    const EndRuler<V> ruler(limbs, e, place == Place::at_end, pixel_x, row);
    const V square = ruler.x * ruler.x;
    for (int r = 0; r < kTileRows; ++r) {
      const V below(ruler.below[r]);
      use(r, multiply_add(below, below, square));
    }
  }
}

// The limb's share of a tile's gradient, with k = weight(r) in row r; see math.h.
template <bool kWide, typename V, typename Weight>
FASTPOSE_INLINE LimbSums<V> sums_of(const LimbTable<typename V::scalar>& limbs, Entry entry,
                                    V pixel_x, int row, const Weight& weight) {
  using T = typename V::scalar;
  const int e = entry.limb();
  const Place place = entry.place();
  const V zero(T(0));
  LimbSums<V> total{zero, zero, zero, zero};
  const Ruler<kWide, V> ruler(limbs, e, pixel_x, row);
  if (kWide || place == Place::mixed) {
    for (int r = 0; r < kTileRows; ++r) accumulate<kWide>(total, ruler.at(r), weight(r));
  } else if (place == Place::between) {
    for (int r = 0; r < kTileRows; ++r) {
      const V pull = weight(r) * ruler.across(r);
      total.across = total.across + pull;
      total.turn = multiply_add(pull, ruler.along(r), total.turn);
    }
  } else {  // the sum of k (u - c) first, and that in the limb's frame
    const bool last = place == Place::at_end;
    const EndRuler<V> end(limbs, e, last, pixel_x, row);
    V sum_k = zero, sum_y = zero;
    for (int r = 0; r < kTileRows; ++r) {
      const V k = weight(r);
      sum_k = sum_k + k;
      sum_y = multiply_add(k, V(end.below[r]), sum_y);
    }
    const V sum_x = sum_k * end.x;
    (last ? total.end : total.start) = multiply_add(ruler.dx, sum_x, ruler.dy * sum_y);
    total.across = multiply_add(ruler.dx, sum_y, zero - ruler.dy * sum_x);
    if (last) total.turn = total.across * ruler.length;
  }
  return total;
}

}  // namespace
}  // namespace fastpose::FASTPOSE_ISA
