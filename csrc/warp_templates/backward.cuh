// Backward kernels of warp_templates: two launches for the maps, one for the templates.
//
// For the maps each lane sums over its pixels, each warp over its lanes, each block over its warps;
// the second kernel adds the blocks. For the templates each texel looks for the pixels that see it.
// All in a fixed order, so that every run gives the same bytes.
#pragma once

#include "warp_templates/scene.cuh"

namespace fastpose::warp {

// Blocks that a multiprocessor must be able to hold: 96 registers per thread, 128 where pixels are
// of any type, 255 for double.
template <typename T, typename Pixel>
constexpr int kBackwardBlocks = std::is_same_v<T, double> ? 2
                                : std::is_void_v<Pixel>   ? 4
                                                          : 5;

// A pixel of a gradient. `Pixel` is its type where neighbours of a row are neighbours in memory,
// and void for any type and strides.
template <typename T, typename Pixel>
__device__ __forceinline__ T gradient_at(const Image& grad, int64_t row, int x) {
  if constexpr (std::is_void_v<Pixel>) {
    return load<T>(grad, row + x * grad.stride[3]);
  } else {
    return to_float(static_cast<const Pixel*>(grad.data)[row + x]);
  }
}

// --- gradient of the maps ------------------------------------------------------------------------

// a b, or 0 where b is 0.
template <typename T>
__device__ __forceinline__ T times(T a, T b) {
  return b == 0 ? T(0) : a * b;
}

template <typename T>
__device__ __forceinline__ void accumulate(MapSums<T>& sums, const Seen<T>& seen, T gradient) {
  const Slope<T> slope = slope_of(seen.texels, seen.fx, seen.fy);
  const T x = times(gradient, slope.x), y = times(gradient, slope.y);
  sums.x += x;
  sums.y += y;
  sums.xx = multiply_add(x, seen.x, sums.xx);
  sums.xy = multiply_add(x, seen.y, sums.xy);
  sums.yx = multiply_add(y, seen.x, sums.yx);
  sums.yy = multiply_add(y, seen.y, sums.yy);
}

// Writes the MapSums of each block to `partial`. Block (p, ., .) sums in plane p = b K + k.
template <typename T, typename Pixel>
__global__ void __launch_bounds__(kThreads, kBackwardBlocks<T, Pixel>)
    warp_templates_backward_kernel(const __grid_constant__ Scene<T> scene,
                                   const __grid_constant__ Image grad, T* __restrict__ partial) {
  T* warp_sums = reinterpret_cast<T*>(shared_memory);  // [kWarps][kMapSums]
  const int b = blockIdx.x / scene.count, k = blockIdx.x % scene.count;
  const int lane = threadIdx.x % kWarpSize;
  const Map<T> map = scene.map_of(b, k);
  const T* texels = scene.template_of(k);
  const int64_t plane = b * grad.stride[0] + k * grad.stride[1];
  MapSums<T> sums = {};
  if (is_spoilt(map)) sums = {NAN, NAN, NAN, NAN, NAN, NAN};
  Tile tile;
  const Sights<T> sights(scene, map, tile.top);
  for (; tile.inside(scene) && !is_spoilt(map); tile.next()) {
    const Sight sight = sights.at(tile.left);
    if (sight == Sight::nothing) continue;
    const int x = tile.left + lane;
#pragma unroll
    for (int first = 0; first < kTileRows; first += kAtOnce) {
      T gradient[kAtOnce];
#pragma unroll
      for (int i = 0; i < kAtOnce; ++i) {
        const int y = tile.top + first + i;
        const bool there = x < scene.width && y < scene.height;
        gradient[i] = there ? gradient_at<T, Pixel>(grad, plane + y * grad.stride[2], x) : T(0);
      }
      Seen<T> seen[kAtOnce];
      see_rows(scene, map, texels, tile, first, sight, seen);
#pragma unroll
      for (int i = 0; i < kAtOnce; ++i) accumulate(sums, seen[i], gradient[i]);
    }
  }
  const T total[kMapSums] = {warp_sum(sums.x),  warp_sum(sums.y),  warp_sum(sums.xx),
                             warp_sum(sums.xy), warp_sum(sums.yx), warp_sum(sums.yy)};
#pragma unroll
  for (int i = 0; i < kMapSums; ++i)
    if (lane == i) warp_sums[threadIdx.x / kWarpSize * kMapSums + i] = total[i];
  __syncthreads();
  const int64_t block = (int64_t(blockIdx.x) * gridDim.y + blockIdx.y) * gridDim.z + blockIdx.z;
  if (threadIdx.x < kMapSums) {
    T sum = warp_sums[threadIdx.x];
#pragma unroll
    for (int warp = 1; warp < kWarps; ++warp) sum += warp_sums[warp * kMapSums + threadIdx.x];
    partial[block * kMapSums + threadIdx.x] = sum;
  }
}

// Adds the sums of a plane's blocks and turns them into the gradient of its map; a warp per plane.
// Lane l takes sum l % 8 of every fourth block.
template <typename T>
__global__ void __launch_bounds__(kThreads)
    warp_templates_backward_finish_kernel(const __grid_constant__ Scene<T> scene,
                                          const T* __restrict__ partial, int planes, int blocks,
                                          T* __restrict__ grad_affine) {
  constexpr int kLanes = 8, kShares = kWarpSize / kLanes;
  const int lane = threadIdx.x % kWarpSize, which = lane % kLanes;
  const int64_t plane = int64_t(blockIdx.x) * kWarps + threadIdx.x / kWarpSize;
  if (plane >= planes) return;
  double sum = 0;
  for (int block = lane / kLanes; which < kMapSums && block < blocks; block += kShares)
    sum += partial[(plane * blocks + block) * kMapSums + which];
  sum += __shfl_xor_sync(kFullWarp, sum, kLanes);
  sum += __shfl_xor_sync(kFullWarp, sum, 2 * kLanes);
  double total[kMapSums];
#pragma unroll
  for (int i = 0; i < kMapSums; ++i) total[i] = __shfl_sync(kFullWarp, sum, i);
  if (lane != 0) return;
  const Map<T> map = scene.map_of(int(plane / scene.count), int(plane % scene.count));
  const Map<double> wide = {map.xx, map.xy, map.yx, map.yy, map.tx, map.ty};
  const AffineGradient<double> gradient =
      finish(wide, {total[0], total[1], total[2], total[3], total[4], total[5]});
  T* to = grad_affine + plane * 6;
  to[0] = T(gradient.a);
  to[1] = T(gradient.b);
  to[2] = T(gradient.tx);
  to[3] = T(gradient.c);
  to[4] = T(gradient.d);
  to[5] = T(gradient.ty);
}

// --- gradient of the templates -------------------------------------------------------------------

constexpr int kStaged = 64;  // maps that a block prepares together

// A map in both directions.
template <typename T>
struct Return {
  Map<T> map;
  T a, b, c, d;      // A
  T per_xx, per_yx;  // pixels of a row from texel to texel along x and y; 0 if infinite
};

template <typename T>
__device__ __forceinline__ Return<T> return_of(const Scene<T>& scene, int b, int k) {
  const T* row = scene.affine_of(b, k);
  const T* next = row + scene.affine_stride[2];
  const int64_t step = scene.affine_stride[3];
  const Map<T> map = scene.map_of(b, k);
  constexpr T kLeast = 1 / Limits<T>::largest;
  return {map,
          row[0],
          row[step],
          next[0],
          next[step],
          fabs(map.xx) > kLeast ? 1 / map.xx : T(0),
          fabs(map.yx) > kLeast ? 1 / map.yx : T(0)};
}

// The pixels first .. last of a side of `size` within `reach` of `at`, which may be no number.
template <typename T>
__device__ __forceinline__ Span around(T at, T reach, int size) {
  return {int(fmin(fmax(ceil(at - reach), T(0)), T(size))),
          int(fmax(fmin(floor(at + reach), T(size - 1)), T(-1)))};
}

// What the pixels of one map that see the texel (column, row) give to it.
template <typename T, typename Pixel>
__device__ __forceinline__ T gathered(const Scene<T>& scene, const Image& grad, int64_t plane,
                                      const Return<T>& back, int column, int row) {
  constexpr T kSlack = T(1) / 64;  // for the rounding of where the texel lies
  const Map<T>& map = back.map;
  const T texel_x = T(column), texel_y = T(row);
  const T x = multiply_add(back.a, texel_x, multiply_add(back.b, texel_y, map.tx));
  const T y = multiply_add(back.c, texel_x, multiply_add(back.d, texel_y, map.ty));
  const Span columns = around(x, fabs(back.a) + fabs(back.b) + kSlack, scene.width);
  const Span rows = around(y, fabs(back.c) + fabs(back.d) + kSlack, scene.height);
  const T reach_x = back.per_xx == 0 ? T(INFINITY) : fabs(back.per_xx) + kSlack;
  const T reach_y = back.per_yx == 0 ? T(INFINITY) : fabs(back.per_yx) + kSlack;
  T sum = 0;
  for (int v = rows.first; v <= rows.last; ++v) {
    const T to_y = T(v) - map.ty, down = T(v) - y;
    // Of the row, what lies less than a texel from it along x, and along y.
    const Span near_x = around(x - map.xy * down * back.per_xx, reach_x, scene.width);
    const Span near_y = around(x - map.yy * down * back.per_yx, reach_y, scene.width);
    const int last = min(columns.last, min(near_x.last, near_y.last));
    const int first = max(columns.first, max(near_x.first, near_y.first));
    const int64_t line = plane + v * grad.stride[2];
    for (int u = first; u <= last; ++u) {
      const T to_x = T(u) - map.tx;
      const T off_x = fabs(multiply_add(map.xx, to_x, map.xy * to_y) - texel_x);
      const T off_y = fabs(multiply_add(map.yx, to_x, map.yy * to_y) - texel_y);
      if (off_x < 1 && off_y < 1)
        sum = multiply_add(gradient_at<T, Pixel>(grad, line, u), (1 - off_x) * (1 - off_y), sum);
    }
  }
  return sum;
}

// A thread per texel; blocks first to first + groups - 1 of a template, first = k groups. Two
// stores of prepared maps take turns, so that one barrier each time is enough: behind it, every
// thread has left the other one.
template <typename T, typename Pixel>
__global__ void __launch_bounds__(kThreads, kBackwardBlocks<T, Pixel>)
    warp_templates_backward_templates_kernel(const __grid_constant__ Scene<T> scene,
                                             const __grid_constant__ Image grad, int groups,
                                             T* __restrict__ grad_templates) {
  auto* both = reinterpret_cast<Return<T>(*)[kStaged]>(shared_memory);
  const int k = blockIdx.x / groups, texel = blockIdx.x % groups * kThreads + threadIdx.x;
  const int size = scene.rows * scene.columns;
  const int row = texel / scene.columns, column = texel % scene.columns;
  T sum = 0;
  int turn = 0;
  for (int first = 0; first < scene.batch; first += kStaged, turn ^= 1) {
    Return<T>* staged = both[turn];
    const int count = min(kStaged, scene.batch - first);
    if (int(threadIdx.x) < count) staged[threadIdx.x] = return_of(scene, first + threadIdx.x, k);
    __syncthreads();
    for (int i = 0; i < count && texel < size; ++i) {
      const int64_t plane = (first + i) * grad.stride[0] + k * grad.stride[1];
      sum += is_spoilt(staged[i].map)
                 ? T(NAN)
                 : gathered<T, Pixel>(scene, grad, plane, staged[i], column, row);
    }
  }
  if (texel < size) grad_templates[int64_t(k) * size + texel] = sum;
}

}  // namespace fastpose::warp
