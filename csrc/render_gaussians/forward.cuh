// Forward kernels of render_gaussians: one launch.
#pragma once

#include "render_gaussians/canvas.cuh"

namespace fastpose::gaussians {

// For maps whose rows take stores of 16 bytes. A block draws rows of one map: its warps take turns,
// and a lane keeps to its columns, so that with shear 0 a row costs one exponential and a product
// for each pixel. A map that is NaN comes out of the same arithmetic.
template <typename Pixel>
__global__ void __launch_bounds__(kThreads, sizeof(Pixel) == 4 ? 5 : 4)
    render_gaussians_forward_kernel(const __grid_constant__ Canvas<float> canvas,
                                    const __grid_constant__ Image out,
                                    const __grid_constant__ Lanes lanes, int rows) {
  constexpr int kColumns = 16 / sizeof(Pixel);
  const unsigned maps = unsigned(canvas.drawing.maps);
  const int64_t b = blockIdx.x / maps, k = blockIdx.x % maps;
  const Curve<float> curve(canvas, b, k);
  const bool separable = curve.is_separable();
  const int lane = threadIdx.x % kWarpSize, warp = threadIdx.x / kWarpSize;
  const int first = blockIdx.y * rows + warp * lanes.rows() + lanes.y(lane);
  const int last = min(int(blockIdx.y + 1) * rows, canvas.drawing.height);
  const int step = kWarps * lanes.rows();
  for (int x = lanes.x(lane) * kColumns; x < canvas.drawing.width; x += lanes.along() * kColumns) {
    float a[kColumns], value[kColumns];
#pragma unroll
    for (int i = 0; i < kColumns; ++i) {
      a[i] = curve.at(x + i);
      value[i] = bell(a[i]);
    }
    int64_t offset = offset_of(out, b, k, first, x);
    for (int y = first; y < last; y += step, offset += step * out.stride[2]) {
      const Row<float> row = curve.row(y);
      if (!separable) {
#pragma unroll
        for (int i = 0; i < kColumns; ++i) value[i] = bell(a[i] - row.shift);
      }
      Pack<Pixel, kColumns> pack;
#pragma unroll
      for (int i = 0; i < kColumns; ++i) assign(pack.pixel[i], value[i] * row.height);
      Pack<Pixel, kColumns>::at(out, offset) = pack;
    }
  }
}

// How the threads of a block lie on maps with any strides: `channels` neighbouring maps, then
// `along` neighbouring pixels of a row, then rows. So the addresses of neighbouring threads are
// neighbours where channels lie side by side, and where pixels do (`channels` is then 1).
struct Threads {
  int channels, along, down;
  int groups;  // of channels, in an image

  Threads(const Drawing& drawing, const Image& image) {
    const int64_t maps = image.stride[1] < image.stride[3] ? drawing.maps : 1;
    groups = int(groups_of(drawing.maps, maps < kMostTogether ? maps : kMostTogether));
    channels = int(groups_of(drawing.maps, groups));
    const int pixels = kThreads / channels;
    along = pixels < drawing.width ? pixels : drawing.width;
    down = pixels / along;
  }
};

// For every other image.
template <typename T>
__global__ void __launch_bounds__(kThreads, 4)
    render_gaussians_forward_strided_kernel(const __grid_constant__ Canvas<T> canvas,
                                            const __grid_constant__ Image out,
                                            const __grid_constant__ Threads threads, int rows) {
  const int64_t b = blockIdx.x / unsigned(threads.groups);
  const int c = threadIdx.x % threads.channels, pixel = threadIdx.x / threads.channels;
  const int64_t k = int64_t(blockIdx.x % unsigned(threads.groups)) * threads.channels + c;
  const int left = pixel % threads.along, down = pixel / threads.along;
  if (k >= canvas.drawing.maps || down >= threads.down) return;
  const Curve<T> curve(canvas, b, k);
  const int last = min(int(blockIdx.y + 1) * rows, canvas.drawing.height);
  for (int y = blockIdx.y * rows + down; y < last; y += threads.down) {
    const Row<T> row = curve.row(y);
    int64_t offset = offset_of(out, b, k, y, left);
    for (int x = left; x < canvas.drawing.width; x += threads.along) {
      store(out, offset, bell(curve.at(x) - row.shift) * row.height);
      offset += threads.along * out.stride[3];
    }
  }
}

}  // namespace fastpose::gaussians
