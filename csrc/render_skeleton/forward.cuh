// Forward kernels of render_skeleton: one launch, one warp per tile.
#pragma once

#include <type_traits>

#include "render_skeleton/scene.cuh"

namespace fastpose::skeleton {

// Blocks that a multiprocessor must be able to hold: 64 registers per thread, 128 for double.
template <typename T>
constexpr int kForwardBlocks = std::is_same_v<T, float> ? 8 : 4;

// Intensities of one channel for a lane's pixels.
template <typename T, typename Shape, int kRows, int kColumns>
__device__ __forceinline__ void draw(const Scene<T>& scene, const Shape* shapes, int channel,
                                     int lane, const Pixels<T, kRows, kColumns>& at,
                                     Nearby<T, kRows, kColumns, false>& result) {
  const Range range = limbs_of(scene, channel);
  search(shapes, range.first, range.last, lane, at, result);
#pragma unroll
  for (int j = 0; j < kRows; ++j) scene.intensities(result.squared[j]);
}

// For images whose rows take stores of 16 bytes.
template <typename Pixel, template <typename> typename ShapeOf>
__global__ void __launch_bounds__(kThreads, kForwardBlocks<float>)
    render_skeleton_forward_kernel(const __grid_constant__ Scene<float> scene,
                                   const __grid_constant__ Image out) {
  constexpr int kColumns = 16 / sizeof(Pixel), kRows = 8 / kColumns;
  using Shape = ShapeOf<float>;
  Shape* shapes = reinterpret_cast<Shape*>(shared_memory);
  stage(shapes, scene, blockIdx.x);
  __syncthreads();
  for (Tile<float, kRows, kColumns> tile; tile.inside(scene); tile.next()) {
    const Pixels<float, kRows, kColumns> at = tile.pixels(scene);
    int64_t offset = offset_of(out, blockIdx.x, 0, tile.y(0), tile.x());
    for (int c = 0; c < scene.channels; ++c, offset += out.stride[1]) {
      Nearby<float, kRows, kColumns, false> value;
      draw(scene, shapes, c, tile.lane.index, at, value);
#pragma unroll
      for (int j = 0; j < kRows; ++j) {
        if (tile.y(j) >= scene.height || tile.x() >= scene.width) break;
        Pack<Pixel, kColumns> pack;
#pragma unroll
        for (int i = 0; i < kColumns; ++i) assign(pack.pixel[i], value.squared[j][i]);
        const int64_t down = j * tile.lane.kRowStep * out.stride[2];
        Pack<Pixel, kColumns>::at(out, offset + down) = pack;
      }
    }
  }
}

// For every other image. A warp collects some channels of its tile in shared memory and writes them
// with neighbouring lanes at neighbouring addresses: pixels of a row where those are dense, else
// channels of a pixel. Two such stores take turns, so that one barrier each time is enough: behind
// it, every lane has left the other one.
constexpr int kLooseColumns = 4;
constexpr int kLoosePixels = kLooseColumns * kWarpSize;

template <typename T>
struct Collected {
  static constexpr int kChannels = 32 / sizeof(T);
  static constexpr int kPitch = kChannels + 1;  // from pixel to pixel; odd against bank conflicts
  T value[2][kLoosePixels * kPitch];
};

template <typename T, template <typename> typename ShapeOf>
__global__ void __launch_bounds__(kThreads, kForwardBlocks<T>)
    render_skeleton_forward_strided_kernel(const __grid_constant__ Scene<T> scene,
                                           const __grid_constant__ Image out) {
  using Shape = ShapeOf<T>;
  Shape* shapes = reinterpret_cast<Shape*>(shared_memory);
  auto& both = reinterpret_cast<Collected<T>*>(shapes + scene.limbs)[threadIdx.x / kWarpSize];
  constexpr int kMost = Collected<T>::kChannels, kPitch = Collected<T>::kPitch;
  stage(shapes, scene, blockIdx.x);
  __syncthreads();
  const bool dense_rows = out.stride[3] == 1;
  int together = 1;  // channels that are written side by side, a power of 2
  while (!dense_rows && together < kMost && together < scene.channels) together *= 2;
  int turn = 0;
  for (Tile<T, 1, kLooseColumns> tile; tile.inside(scene); tile.next()) {
    const int lane = tile.lane.index;
    const Pixels<T, 1, kLooseColumns> at = tile.pixels(scene);
    for (int first = 0; first < scene.channels; first += together, turn ^= 1) {
      T* collected = both.value[turn];
      const int count = min(together, scene.channels - first);
      for (int c = 0; c < count; ++c) {
        Nearby<T, 1, kLooseColumns, false> value;
        draw(scene, shapes, first + c, lane, at, value);
#pragma unroll
        for (int i = 0; i < kLooseColumns; ++i)
          collected[(lane * kLooseColumns + i) * kPitch + c] = value.squared[0][i];
      }
      __syncwarp();
      for (int i = lane; i < kLoosePixels * together; i += kWarpSize) {
        const int c = i % together, pixel = i / together;
        const int x = tile.left + pixel % kTileWidth, y = tile.top + pixel / kTileWidth;
        if (c < count && x < scene.width && y < scene.height)
          store(out, offset_of(out, blockIdx.x, first + c, y, x), collected[pixel * kPitch + c]);
      }
    }
  }
}

}  // namespace fastpose::skeleton
