// Forward kernels of warp_templates: one launch, one warp per tile.
#pragma once

#include "warp_templates/scene.cuh"

namespace fastpose::warp {

// Blocks that a multiprocessor must be able to hold: 64 registers per thread, 128 for double.
template <typename T>
constexpr int kForwardBlocks = std::is_same_v<T, float> ? 8 : 4;

// Fills a tile with stores of 16 bytes; `corner` is its first pixel.
template <typename Pixel>
__device__ __forceinline__ void fill(Pixel* corner, int64_t pitch, const Scene<float>& scene,
                                     const Tile& tile, float value) {
  constexpr int kColumns = 16 / sizeof(Pixel), kLanes = kTileWidth / kColumns;
  constexpr int kRows = kWarpSize / kLanes;  // with one store of the warp
  const int lane = threadIdx.x % kWarpSize, x = lane % kLanes * kColumns;
  if (tile.left + x >= scene.width) return;
  Pack<Pixel, kColumns> pack;
#pragma unroll
  for (int i = 0; i < kColumns; ++i) assign(pack.pixel[i], value);
#pragma unroll
  for (int row = lane / kLanes; row < kTileRows; row += kRows) {
    if (tile.top + row < scene.height) store_pack(corner + row * pitch + x, pack);
  }
}

// For images whose rows take stores of 16 bytes. Block (p, ., .) draws in plane p = b K + k.
template <typename Pixel>
__global__ void __launch_bounds__(kThreads, kForwardBlocks<float>)
    warp_templates_forward_kernel(const __grid_constant__ Scene<float> scene,
                                  const __grid_constant__ Image out) {
  const int b = blockIdx.x / scene.count, k = blockIdx.x % scene.count;
  const Map<float> map = scene.map_of(b, k);
  const float* texels = scene.template_of(k);
  Pixel* plane = static_cast<Pixel*>(out.data) + b * out.stride[0] + k * out.stride[1];
  Tile tile;
  const Sights<float> sights(scene, map, tile.top);
  for (; tile.inside(scene); tile.next()) {
    Pixel* corner = plane + tile.top * out.stride[2] + tile.left;
    const Sight sight = sights.at(tile.left);
    if (sight == Sight::nothing || is_spoilt(map)) {
      fill(corner, out.stride[2], scene, tile, is_spoilt(map) ? NAN : 0.0f);
      continue;
    }
    const int lane = threadIdx.x % kWarpSize, rows = scene.height - tile.top;
    Pixel* to = corner + lane;
#pragma unroll
    for (int first = 0; first < kTileRows; first += kAtOnce) {
      Seen<float> seen[kAtOnce];  // all of them before any is stored, so that their loads overlap
      see_rows(scene, map, texels, tile, first, sight, seen);
      if (tile.left + lane >= scene.width) continue;
#pragma unroll
      for (int i = 0; i < kAtOnce; ++i, to += out.stride[2])
        if (first + i < rows) assign(*to, value_of(seen[i].texels, seen[i].fx, seen[i].fy));
    }
  }
}

// For every other image. A warp collects its tile of some maps in shared memory and writes them
// with neighbouring lanes at neighbouring addresses: pixels of a row where those are dense, else
// channels of a pixel. Two such stores take turns, so that one barrier each time is enough: behind
// it, every lane has left the other one.
constexpr int kTilePixels = kTileWidth * kTileRows;

template <typename T>
struct Collected {
  static constexpr int kMaps = 16 / sizeof(T);
  static constexpr int kPitch = kMaps + 1;  // from pixel to pixel; odd against bank conflicts
  Map<T> map[kMaps];                        // of the whole block
  T value[kWarps][2][kTilePixels * kPitch];
};

// Block (b groups + g, ., .) draws maps g together to g together + together - 1 of image b.
template <typename T>
__global__ void __launch_bounds__(kThreads, kForwardBlocks<T>)
    warp_templates_forward_strided_kernel(const __grid_constant__ Scene<T> scene,
                                          const __grid_constant__ Image out, int together) {
  auto& collected = *reinterpret_cast<Collected<T>*>(shared_memory);
  constexpr int kPitch = Collected<T>::kPitch;
  const int groups = (scene.count + together - 1) / together;
  const int b = blockIdx.x / groups, first = blockIdx.x % groups * together;
  const int count = min(together, scene.count - first);
  if (int(threadIdx.x) < count) collected.map[threadIdx.x] = scene.map_of(b, first + threadIdx.x);
  __syncthreads();
  const int lane = threadIdx.x % kWarpSize;
  int turn = 0;
  for (Tile tile; tile.inside(scene); tile.next(), turn ^= 1) {
    T* values = collected.value[threadIdx.x / kWarpSize][turn];
    for (int c = 0; c < count; ++c) {
      const Map<T> map = collected.map[c];
      const Sight sight = Sights<T>(scene, map, tile.top).at(tile.left);
      if (sight == Sight::nothing || is_spoilt(map)) {
#pragma unroll
        for (int row = 0; row < kTileRows; ++row)
          values[(row * kTileWidth + lane) * kPitch + c] = is_spoilt(map) ? T(NAN) : T(0);
        continue;
      }
#pragma unroll
      for (int row = 0; row < kTileRows; row += kAtOnce) {
        Seen<T> seen[kAtOnce];
        see_rows(scene, map, scene.template_of(first + c), tile, row, sight, seen);
#pragma unroll
        for (int i = 0; i < kAtOnce; ++i)
          values[((row + i) * kTileWidth + lane) * kPitch + c] =
              value_of(seen[i].texels, seen[i].fx, seen[i].fy);
      }
    }
    __syncwarp();
    for (int i = lane; i < kTilePixels * together; i += kWarpSize) {
      const int c = i % together, pixel = i / together;
      const int x = tile.left + pixel % kTileWidth, y = tile.top + pixel / kTileWidth;
      if (c < count && x < scene.width && y < scene.height)
        store(out, offset_of(out, b, first + c, y, x), values[pixel * kPitch + c]);
    }
  }
}

}  // namespace fastpose::warp
