// Backward kernels of render_gaussians: two launches.
//
// The first forms the five sums of math.h over parts of maps, one warp to a part, whatever the
// layout of the gradient; the second adds the parts and turns the sums into gradients. All in a
// fixed order, so that every run and every layout gives the same bytes.
#pragma once

#include <type_traits>

#include "render_gaussians/canvas.cuh"

namespace fastpose::gaussians {

// Parts are bands of rows; how a map is cut depends on its size only.
struct Parts {
  Lanes lanes;
  int rows;   // of a part
  int count;  // in a map

  Parts(int height, int width, int columns) : lanes(width, columns) {
    constexpr int64_t kLarge = 32768, kPixels = 2048;
    const int64_t pixels = int64_t(height) * width > kLarge ? 2 * kPixels : kPixels;
    const int64_t steps = groups_of(pixels, int64_t(lanes.rows()) * width);
    const int64_t most = groups_of(height, lanes.rows());
    rows = int((steps < most ? steps : most) * lanes.rows());
    count = int(groups_of(height, rows));
  }
};

// Some columns of a map as its backward pass needs them.
template <typename T, int kColumns>
struct Columns {
  T a[kColumns];                                        // see Curve
  T bell0[kColumns], bell1[kColumns], bell2[kColumns];  // 2^(-a^2) times 1, a, a^2, for shear 0

  __device__ __forceinline__ Columns(const Curve<T>& curve, int x) {
#pragma unroll
    for (int i = 0; i < kColumns; ++i) {
      a[i] = curve.at(x + i);
      bell0[i] = bell(a[i]);
      bell1[i] = bell0[i] * a[i];
      bell2[i] = bell1[i] * a[i];
    }
  }
};

// What a lane adds up of one map.
template <typename T>
struct Gatherer {
  Curve<T> curve;
  Sums<T> sums = {};

  __device__ __forceinline__ Gatherer(const Canvas<T>& canvas, int64_t b, int64_t k)
      : curve(canvas, b, k) {}

  // The gradients of neighbouring pixels of row y.
  template <bool kSeparable, int kColumns>
  __device__ __forceinline__ void add(const Columns<T, kColumns>& columns, int y,
                                      const T (&grad)[kColumns]) {
    const Row<T> row = curve.row(y);
    T sum0 = 0, sum1 = 0, sum2 = 0;  // of the row's w / 2^(-b^2), times 1, a, a^2
#pragma unroll
    for (int i = 0; i < kColumns; ++i) {
      if constexpr (kSeparable) {
        sum0 = multiply_add(grad[i], columns.bell0[i], sum0);
        sum1 = multiply_add(grad[i], columns.bell1[i], sum1);
        sum2 = multiply_add(grad[i], columns.bell2[i], sum2);
      } else {
        const T a = columns.a[i] - row.shift;
        const T weight = grad[i] * bell(a), first = weight * a;
        sum0 += weight;
        sum1 += first;
        sum2 = multiply_add(first, a, sum2);
      }
    }
    const T first = row.height * row.b;
    sums.a = multiply_add(row.height, sum1, sums.a);
    sums.b = multiply_add(first, sum0, sums.b);
    sums.aa = multiply_add(row.height, sum2, sums.aa);
    sums.ab = multiply_add(first, sum1, sums.ab);
    sums.bb = multiply_add(first * row.b, sum0, sums.bb);
  }

  // Writes the sums of a warp.
  __device__ __forceinline__ void finish(T* partial, int lane) const {
    constexpr int kShare = kWarpSize / 4;
    const T four = warp_sum_of_four(sums.a, sums.b, sums.aa, sums.ab, lane);
    const T fifth = warp_sum(sums.bb);
    if (lane % kShare == 0) partial[lane / kShare] = four;
    if (lane == 0) partial[4] = fifth;
  }
};

// Adds the columns from x on of rows first, first + step, ... of map (b, k). `Pixel` is the
// gradient's type where kColumns neighbours can be read at once, and void for any type and strides.
template <bool kSeparable, typename Pixel, int kColumns, typename T>
__device__ __forceinline__ void add_rows(Gatherer<T>& gatherer, const Image& grad, int64_t offset,
                                         int x, int width, int first, int last, int step) {
  const Columns<T, kColumns> columns(gatherer.curve, x);
  const int64_t down = step * grad.stride[2];
  int y = first;
  if constexpr (std::is_void_v<Pixel>) {
    for (; y < last; y += step, offset += down) {
      T value[kColumns];
#pragma unroll
      for (int i = 0; i < kColumns; ++i) {
        value[i] = x + i < width ? load<T>(grad, offset + i * grad.stride[3]) : T(0);
      }
      gatherer.template add<kSeparable>(columns, y, value);
    }
  } else {
    using Pixels = Pack<Pixel, kColumns>;
    const Pixel* at = static_cast<const Pixel*>(grad.data) + offset;
    const auto add = [&](const Pixels& pack, int y) {
      T value[kColumns];
#pragma unroll
      for (int i = 0; i < kColumns; ++i) value[i] = to_float(pack.pixel[i]);
      gatherer.template add<kSeparable>(columns, y, value);
    };
    constexpr int kAhead = 4;  // rows that are on their way together
    for (; y + (kAhead - 1) * step < last; y += kAhead * step) {
      Pixels pack[kAhead];
#pragma unroll
      for (int j = 0; j < kAhead; ++j, at += down) pack[j] = *reinterpret_cast<const Pixels*>(at);
#pragma unroll
      for (int j = 0; j < kAhead; ++j) add(pack[j], y + j * step);
    }
    for (; y < last; y += step, at += down) add(*reinterpret_cast<const Pixels*>(at), y);
  }
}

// Blocks that a multiprocessor must be able to hold: 64 registers per thread, or 128.
template <typename T, int kColumns>
constexpr int kBackwardBlocks = std::is_same_v<T, float> && kColumns == 4 ? 4 : 2;
template <typename T>
constexpr int kChannelBlocks = std::is_same_v<T, float> ? 2 : 1;

// A warp for each part of each map: partial is (maps of all images, parts, kSums).
template <typename T, typename Pixel, int kColumns>
__global__ void __launch_bounds__(kThreads, kBackwardBlocks<T, kColumns>)
    render_gaussians_backward_kernel(const __grid_constant__ Canvas<T> canvas,
                                     const __grid_constant__ Image grad,
                                     const __grid_constant__ Parts parts, T* __restrict__ partial) {
  const int lane = threadIdx.x % kWarpSize;
  const unsigned part = blockIdx.x * kWarps + threadIdx.x / kWarpSize;
  const unsigned map = part / unsigned(parts.count), maps = unsigned(canvas.drawing.maps);
  const int64_t b = map / maps, k = map % maps;
  if (b >= canvas.drawing.batch) return;
  Gatherer<T> gatherer(canvas, b, k);
  const bool separable = gatherer.curve.is_separable();
  const int top = int(part % unsigned(parts.count)) * parts.rows, step = parts.lanes.rows();
  const int first = top + parts.lanes.y(lane);
  const int last = min(top + parts.rows, canvas.drawing.height), width = canvas.drawing.width;
  for (int x = parts.lanes.x(lane) * kColumns; x < width; x += parts.lanes.along() * kColumns) {
    const int64_t offset = offset_of(grad, b, k, first, x);
    if (separable) {
      add_rows<true, Pixel, kColumns>(gatherer, grad, offset, x, width, first, last, step);
    } else {
      add_rows<false, Pixel, kColumns>(gatherer, grad, offset, x, width, first, last, step);
    }
  }
  gatherer.finish(partial + int64_t(part) * kSums, lane);
}

// The same for a gradient whose channels lie side by side: a block reads some channels of one
// step of a warp over its part with neighbouring threads at neighbouring addresses, leaves them in
// shared memory, and each of its warps adds up every kWarps-th channel.
constexpr int kMostStaged = 24;
constexpr int kStagedPerWarp = kMostStaged / kWarps;

struct Staging {
  int channels;  // of a block
  int groups;    // of channels, in an image

  explicit Staging(const Drawing& drawing) : groups(int(groups_of(drawing.maps, kMostStaged))) {
    channels = int(groups_of(drawing.maps, groups));
  }
};

// Pixels of one channel; one more than a warp's against bank conflicts.
template <int kColumns>
constexpr int kPitch = kWarpSize * kColumns + 1;

template <typename T, int kColumns>
__global__ void __launch_bounds__(kThreads, kChannelBlocks<T>)
    render_gaussians_backward_channels_kernel(const __grid_constant__ Canvas<T> canvas,
                                              const __grid_constant__ Image grad,
                                              const __grid_constant__ Parts parts,
                                              const __grid_constant__ Staging staging,
                                              T* __restrict__ partial) {
  constexpr int kEnd = kWarpSize * kColumns;        // pixels that are staged at a time
  T* staged = reinterpret_cast<T*>(shared_memory);  // [channel][column of a lane][lane]
  const unsigned groups = unsigned(staging.groups);
  const int64_t b = blockIdx.x / groups, k = int64_t(blockIdx.x % groups) * staging.channels;
  const int channels = int(min(int64_t(staging.channels), canvas.drawing.maps - k));
  const int lane = threadIdx.x % kWarpSize, warp = threadIdx.x / kWarpSize;
  const int own = threadIdx.x % channels, pixels = kThreads / channels;
  // Threads that are left over take no pixel.
  const int start = int(threadIdx.x) < pixels * channels ? int(threadIdx.x) / channels : kEnd;
  const Lanes lanes = parts.lanes;
  const int top = blockIdx.y * parts.rows, width = canvas.drawing.width;
  const int last = min(top + parts.rows, canvas.drawing.height);
  // What a warp without a channel makes of a repeated one is not written.
  const auto channel = [&](int j) { return min(warp + j * kWarps, channels - 1); };
  Gatherer<T> gatherer[kStagedPerWarp] = {
      {canvas, b, k + channel(0)}, {canvas, b, k + channel(1)}, {canvas, b, k + channel(2)}};
  for (int left = 0; left < width; left += lanes.along() * kColumns) {
    const int x = left + lanes.x(lane) * kColumns;
    for (int row = top; row < last; row += lanes.rows()) {
      __syncthreads();  // the tile before has been read
      for (int pixel = start; pixel < kEnd; pixel += pixels) {
        const int whose = pixel / kColumns, i = pixel % kColumns;
        const int at_x = left + lanes.x(whose) * kColumns + i, at_y = row + lanes.y(whose);
        T value = 0;
        if (at_x < width && at_y < last) {
          value = load<T>(grad, offset_of(grad, b, k + own, at_y, at_x));
        }
        staged[own * kPitch<kColumns> + i * kWarpSize + whose] = value;
      }
      __syncthreads();
      const int y = row + lanes.y(lane);
      if (x >= width || y >= last) continue;
#pragma unroll
      for (int j = 0; j < kStagedPerWarp; ++j) {
        if (warp + j * kWarps >= channels) break;
        Gatherer<T>& mine = gatherer[j];
        const Columns<T, kColumns> columns(mine.curve, x);
        T value[kColumns];
#pragma unroll
        for (int i = 0; i < kColumns; ++i) {
          value[i] = staged[channel(j) * kPitch<kColumns> + i * kWarpSize + lane];
        }
        if (mine.curve.is_separable()) {
          mine.template add<true>(columns, y, value);
        } else {
          mine.template add<false>(columns, y, value);
        }
      }
    }
  }
#pragma unroll
  for (int j = 0; j < kStagedPerWarp; ++j) {
    if (warp + j * kWarps >= channels) break;
    const int64_t map = b * canvas.drawing.maps + k + channel(j);
    gatherer[j].finish(partial + (map * parts.count + blockIdx.y) * kSums, lane);
  }
}

// --- from sums to gradients ----------------------------------------------------------------------

// The gradients of one map from the sums of its parts; the same in every lane of a warp.
template <typename T>
__device__ __forceinline__ PartGradients<double> gradients_of(const Canvas<T>& canvas, int64_t b,
                                                              int64_t k, const T* partial,
                                                              int parts, int lane) {
  double sum[kSums] = {};
  for (int i = lane; i < parts; i += kWarpSize) {
#pragma unroll
    for (int j = 0; j < kSums; ++j) sum[j] += double(partial[int64_t(i) * kSums + j]);
  }
#pragma unroll
  for (int j = 0; j < kSums; ++j) sum[j] = warp_sum(sum[j]);
  const Part<T> part = part_of<T>(canvas.drawing, b, k);
  return finish(part, make_gaussian(part, canvas.jitter),
                Sums<double>{sum[0], sum[1], sum[2], sum[3], sum[4]});
}

template <typename T>
__device__ __forceinline__ void write(const Gradients& to, int64_t index, const double (&grad)[5]) {
  if (to.mean != nullptr) {
    T* mean = static_cast<T*>(to.mean) + index * 2;
    mean[0] = T(grad[0]);
    mean[1] = T(grad[1]);
  }
  if (to.covariance != nullptr) {
    T* covariance = static_cast<T*>(to.covariance) + index * 4;
    covariance[0] = T(grad[2]);
    covariance[1] = covariance[2] = T(grad[3]);
    covariance[3] = T(grad[4]);
  }
}

// A warp for each map.
template <typename T>
__global__ void __launch_bounds__(kThreads)
    render_gaussians_backward_finish_kernel(const __grid_constant__ Canvas<T> canvas,
                                            const T* __restrict__ partial, int parts,
                                            const __grid_constant__ Gradients gradients) {
  const int lane = threadIdx.x % kWarpSize;
  const unsigned map = blockIdx.x * kWarps + threadIdx.x / kWarpSize;
  const unsigned maps = unsigned(canvas.drawing.maps);
  if (map / maps >= canvas.drawing.batch) return;
  const PartGradients<double> grad = gradients_of(
      canvas, map / maps, map % maps, partial + int64_t(map) * parts * kSums, parts, lane);
  if (lane == 0) write<T>(gradients, map, {grad.x, grad.y, grad.xx, grad.xy, grad.yy});
}

constexpr int kTemplateWarps = 16;

// A block for each template: its warps take the images in turn, then their shares are added up.
template <typename T>
__global__ void __launch_bounds__(kTemplateWarps* kWarpSize)
    render_gaussians_backward_templates_kernel(const __grid_constant__ Canvas<T> canvas,
                                               const T* __restrict__ partial, int parts,
                                               const __grid_constant__ Gradients gradients) {
  double* shares = reinterpret_cast<double*>(shared_memory);  // [warp][kSums]
  const int lane = threadIdx.x % kWarpSize, warp = threadIdx.x / kWarpSize;
  const int64_t k = blockIdx.x;
  double share[kSums] = {};
  for (int64_t b = warp; b < canvas.drawing.batch; b += kTemplateWarps) {
    const int64_t map = b * canvas.drawing.maps + k;
    const PartGradients<double> grad =
        gradients_of(canvas, b, k, partial + map * parts * kSums, parts, lane);
    const double own[kSums] = {grad.x, grad.y, grad.xx, grad.xy, grad.yy};
#pragma unroll
    for (int j = 0; j < kSums; ++j) share[j] += own[j];
    if (lane != 0 || gradients.affine == nullptr) continue;
    T* to = static_cast<T*>(gradients.affine) + map * 6;
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      to[3 * i] = T(grad.linear[i][0]);
      to[3 * i + 1] = T(grad.linear[i][1]);
      to[3 * i + 2] = T(grad.shift[i]);
    }
  }
  if (lane == 0) {
#pragma unroll
    for (int j = 0; j < kSums; ++j) shares[warp * kSums + j] = share[j];
  }
  __syncthreads();
  if (threadIdx.x != 0) return;
  double total[kSums] = {};
  for (int i = 0; i < kTemplateWarps; ++i) {
#pragma unroll
    for (int j = 0; j < kSums; ++j) total[j] += shares[i * kSums + j];
  }
  write<T>(gradients, k, total);
}

}  // namespace fastpose::gaussians
