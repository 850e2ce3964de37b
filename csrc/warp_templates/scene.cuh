// What the CUDA kernels of warp_templates are given, and how a tile of pixels sees its template.
//
// A warp draws tiles of 32 x 8 pixels: a lane is a column, so that neighbouring lanes read
// neighbouring texels and write neighbouring pixels.
#pragma once

#include <type_traits>

#include "common/fast_math.cuh"
#include "common/launch.cuh"
#include "common/pixels.cuh"
#include "common/reduce.cuh"
#include "warp_templates/math.h"
#include "warp_templates/warp_templates.h"

namespace fastpose::warp {

constexpr int kWarps = 4;
constexpr int kThreads = kWarps * kWarpSize;
constexpr int kTileWidth = kWarpSize;
constexpr int kTileRows = 8;
constexpr int kAtOnce = 4;  // rows whose loads overlap

// A Warp in the type of its numbers.
template <typename T>
struct Scene {
  const T* templates;  // without gaps
  const T* affine;
  int64_t affine_stride[4];
  int batch, count, rows, columns, height, width;

  explicit Scene(const Warp& from)
      : templates(static_cast<const T*>(from.templates)),
        affine(static_cast<const T*>(from.affine)),
        affine_stride{from.affine_stride[0], from.affine_stride[1], from.affine_stride[2],
                      from.affine_stride[3]},
        batch(static_cast<int>(from.batch)),
        count(from.count),
        rows(from.rows),
        columns(from.columns),
        height(from.height),
        width(from.width) {}

  // The first of the six numbers of a map, which are affine_stride[2] and [3] apart.
  __device__ __forceinline__ const T* affine_of(int b, int k) const {
    return affine + b * affine_stride[0] + k * affine_stride[1];
  }
  __device__ __forceinline__ Map<T> map_of(int b, int k) const {
    const T* row = affine_of(b, k);
    const T* next = row + affine_stride[2];
    const int64_t step = affine_stride[3];
    return make_map<T, T>(row[0], row[step], row[2 * step], next[0], next[step], next[2 * step]);
  }
  __device__ __forceinline__ const T* template_of(int k) const {
    return settled(templates + k * (int64_t(rows) * columns));
  }
};

// Block (., r, s) draws the rows of tiles 4 r to 4 r + 3 (one per warp), and in each the tiles s,
// s + gridDim.z, ...
struct Tile {
  int left, top;  // the first pixel; the same in every lane

  __device__ __forceinline__ Tile()
      : left(blockIdx.z * kTileWidth),
        top((blockIdx.y * kWarps + threadIdx.x / kWarpSize) * kTileRows) {}

  template <typename T>
  __device__ __forceinline__ bool inside(const Scene<T>& scene) const {
    return top < scene.height && left < scene.width;
  }
  __device__ __forceinline__ void next() { left += gridDim.z * kTileWidth; }
};

enum class Sight { nothing, border, inside };

// For which columns the pixels of a row of tiles see anything of the template, and for which
// nothing beyond its texels. Room is left for the rounding of their sources; bounds that are not
// numbers allow the former and forbid the latter.
template <typename T>
class Sights {
 public:
  __device__ __forceinline__ Sights(const Scene<T>& scene, const Map<T>& map, int top)
      : x_(map.xx, map.xy, map.tx, map.ty, scene.width, top, T(scene.columns)),
        y_(map.yx, map.yy, map.tx, map.ty, scene.width, top, T(scene.rows)) {}

  // Of the tile whose first column is `left`.
  __device__ __forceinline__ Sight at(int left) const {
    const T first = T(left), last = T(left + kTileWidth - 1);
    if (x_.misses(first, last) || y_.misses(first, last)) return Sight::nothing;
    return x_.holds(first, last) && y_.holds(first, last) ? Sight::inside : Sight::border;
  }

 private:
  // What one coordinate of the source, along u + down v, allows.
  struct Bounds {
    T from, to;              // may be in -1 .. size
    T inner_from, inner_to;  // is in 0 .. size - 1

    __device__ __forceinline__ Bounds(T along, T down, T tx, T ty, int width, int top, T size) {
      const T start = down * (T(top) - ty), end = down * (T(top + kTileRows - 1) - ty);
      const T shift = along * tx, per = 1 / along;
      const T least = fmin(start, end) - shift, most = fmax(start, end) - shift;
      const T slack =
          T(0.01) + T(1e-5) * (fabs(start) + fabs(end) + fabs(shift) + fabs(along) * T(width));
      const T one = (-1 - slack - most) * per, other = (size + slack - least) * per;
      from = fmin(one, other);
      to = fmax(one, other);
      const T low = (slack - least) * per, high = (size - 1 - slack - most) * per;
      inner_from = along > 0 ? low : high;
      inner_to = along > 0 ? high : low;
    }
    __device__ __forceinline__ bool misses(T first, T last) const {
      return last < from || first > to;
    }
    __device__ __forceinline__ bool holds(T first, T last) const {
      return first >= inner_from && last <= inner_to;
    }
  };
  Bounds x_, y_;
};

// What one pixel sees.
template <typename T>
struct Seen {
  T x, y;  // its source
  T fx, fy;
  Texels<T> texels;
};

// The pixel whose source is (x, y). kInside: all four texels are known to be there.
template <bool kInside, typename T>
__device__ __forceinline__ Seen<T> see(const Scene<T>& scene, const T* texels, T x, T y) {
  // Off the template a source may be no number to calculate with.
  if (!kInside && !(x >= -1 && x < scene.columns && y >= -1 && y < scene.rows)) return {};
  T left, top;
  const int column = floor_of(x, left), row = floor_of(y, top);
  const T* at = texels + (row * scene.columns + column);
  const T* below = at + scene.columns;
  Seen<T> seen = {x, y, x - left, y - top, {}};
  if (kInside) {
    seen.texels = {__ldg(at), __ldg(at + 1), __ldg(below), __ldg(below + 1)};
  } else {
    const bool first = column >= 0, last = column + 1 < scene.columns;
    const bool upper = row >= 0, lower = row + 1 < scene.rows;
    seen.texels = {upper && first ? __ldg(at) : T(0), upper && last ? __ldg(at + 1) : T(0),
                   lower && first ? __ldg(below) : T(0), lower && last ? __ldg(below + 1) : T(0)};
  }
  return seen;
}

// The lane's pixels in kAtOnce rows of a tile from row `first` on, inside of the image or not.
template <typename T>
__device__ __forceinline__ void see_rows(const Scene<T>& scene, const Map<T>& map, const T* texels,
                                         const Tile& tile, int first, Sight sight,
                                         Seen<T> (&seen)[kAtOnce]) {
  const T to_x = T(tile.left + int(threadIdx.x % kWarpSize)) - map.tx;
  const T x = map.xx * to_x, y = map.yx * to_x, to_y = T(tile.top + first) - map.ty;
  if (sight == Sight::inside) {
#pragma unroll
    for (int i = 0; i < kAtOnce; ++i)
      seen[i] = see<true>(scene, texels, multiply_add(map.xy, to_y + T(i), x),
                          multiply_add(map.yy, to_y + T(i), y));
  } else {
#pragma unroll
    for (int i = 0; i < kAtOnce; ++i)
      seen[i] = see<false>(scene, texels, multiply_add(map.xy, to_y + T(i), x),
                           multiply_add(map.yy, to_y + T(i), y));
  }
}

}  // namespace fastpose::warp
