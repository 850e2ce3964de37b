// Kernels of structural_similarity: a block per tile of a plane, then a warp per image; and the
// gradients from slopes.
#pragma once

#include "structural_similarity/tile.cuh"

namespace fastpose::similarity {

// Tiles of a plane, and how many of them lie side by side.
template <typename T>
__host__ __device__ inline int cuda_tiles_across(const Comparison& pair) {
  return (pair.width + Plan<T>::side - 1) / Plan<T>::side;
}
template <typename T>
__host__ __device__ inline int cuda_tiles(const Comparison& pair) {
  return cuda_tiles_across<T>(pair) * ((pair.height + Plan<T>::side - 1) / Plan<T>::side);
}

// The sum of S over the windows whose first pixel lies in the tile, to `partial`. Blocks go by
// image, tile, channel, so that the channels of channels-last images are read together.
template <typename T, int kWindow, bool kSlopes, typename Pixel>
__global__ void __launch_bounds__(Plan<T>::threads, Plan<T>::blocks)
    structural_similarity_forward_kernel(const __grid_constant__ Comparison pair,
                                         const __grid_constant__ Slopes slopes,
                                         double* __restrict__ partial) {
  auto& memory = reinterpret_cast<Shared<T, kWindow, kSlopes>&>(shared_memory);
  const unsigned channels = unsigned(pair.channels), tiles = cuda_tiles<T>(pair);
  const int c = int(blockIdx.x % channels);
  const unsigned number = blockIdx.x / channels % tiles;
  const int64_t b = blockIdx.x / channels / tiles;
  const unsigned across = cuda_tiles_across<T>(pair);
  Tile<T, kWindow, kSlopes, Pixel> tile(pair, memory, b, c, int(number / across) * Plan<T>::side,
                                        int(number % across) * Plan<T>::side);
  tile.load();
  __syncthreads();
  tile.sum_down();
  __syncthreads();
  tile.compare();
  __syncthreads();
  tile.sum_values();
  if constexpr (kSlopes) tile.spread_along();
  __syncthreads();
  if (threadIdx.x == 0) partial[(b * channels + c) * tiles + number] = tile.total();
  if constexpr (kSlopes) tile.write(slopes.x, slopes.y, b, c);
}

// The mean of each image from the sums of its tiles.
template <typename T>
__global__ void __launch_bounds__(kWarpSize)
    structural_similarity_finish_kernel(const double* __restrict__ partial, int parts,
                                        double windows, T* __restrict__ values) {
  double sum = 0;
  for (int i = threadIdx.x; i < parts; i += kWarpSize)
    sum += partial[int64_t(blockIdx.x) * parts + i];
  sum = warp_sum(sum);
  if (threadIdx.x == 0) values[blockIdx.x] = T(sum / windows);
}

// --- gradients from slopes -----------------------------------------------------------------------

constexpr int kScaleThreads = 256;

// Of images whose numbers lie one behind the other; `count` for each image. 16 bytes at once.
template <typename T, typename Pixel>
__global__ void __launch_bounds__(kScaleThreads)
    structural_similarity_backward_kernel(const Pixel* __restrict__ slope, Pixel* __restrict__ grad,
                                          const T* __restrict__ grad_output, int64_t stride,
                                          double per_window, int64_t batch, int64_t count) {
  constexpr int kAtOnce = 16 / sizeof(Pixel);
  using Packed = Pack<Pixel, kAtOnce>;
  const int64_t pack = int64_t(blockIdx.x) * kScaleThreads + threadIdx.x;
  if (pack * kAtOnce >= count) return;
  for (int64_t b = blockIdx.y; b < batch; b += gridDim.y) {
    const T share = T(double(grad_output[b * stride]) * per_window);
    const int64_t at = b * count / kAtOnce + pack;
    Packed numbers = reinterpret_cast<const Packed*>(slope)[at];
#pragma unroll
    for (int k = 0; k < kAtOnce; ++k) assign(numbers.pixel[k], number_of(numbers.pixel[k]) * share);
    reinterpret_cast<Packed*>(grad)[at] = numbers;
  }
}

// Of all others.
template <typename T>
__global__ void __launch_bounds__(kScaleThreads)
    structural_similarity_backward_strided_kernel(const __grid_constant__ Image slope,
                                                  const __grid_constant__ Image grad,
                                                  const T* __restrict__ grad_output, int64_t stride,
                                                  double per_window, int64_t batch,
                                                  int64_t channels, int height, int width) {
  const int64_t number = int64_t(blockIdx.x) * kScaleThreads + threadIdx.x;
  if (number >= channels * height * width) return;
  const int64_t x = number % width, y = number / width % height, c = number / width / height;
  for (int64_t b = blockIdx.y; b < batch; b += gridDim.y) {
    const T share = T(double(grad_output[b * stride]) * per_window);
    store(grad, offset_of(grad, b, c, y, x), load<T>(slope, offset_of(slope, b, c, y, x)) * share);
  }
}

}  // namespace fastpose::similarity
