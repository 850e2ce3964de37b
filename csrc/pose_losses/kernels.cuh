// Kernels of the pose losses. Losses are formed by one block, because what it adds up takes less
// time than a second launch would; so are sums in a fixed order.
#pragma once

#include <cuda_runtime.h>

#include "common/launch.cuh"
#include "common/numbers.cuh"
#include "common/reduce.cuh"
#include "pose_losses/cuda.cuh"
#include "pose_losses/math.h"

namespace fastpose::pose_losses {

constexpr int kLossThreads = 1024, kLossWarps = kLossThreads / kWarpSize;
constexpr int kGradientThreads = 256;

// The sum over all threads of a block of kLossThreads, in thread 0. `sums` is shared memory for a
// number of each warp.
__device__ __forceinline__ double block_sum(double value, double* sums) {
  const int warp = threadIdx.x / kWarpSize, lane = threadIdx.x % kWarpSize;
  value = warp_sum(value);
  if (lane == 0) sums[warp] = value;
  __syncthreads();
  return warp == 0 ? warp_sum(sums[lane]) : 0.0;
}
static_assert(kLossWarps == kWarpSize);

template <int kTerm, typename T>
__device__ __forceinline__ T term_of(T a, T b, T constant) {
  if constexpr (kTerm == Term::outside) return distance_outside(a, constant);
  const T difference = kTerm == Term::pair ? a - b : a - constant;
  return difference * difference;
}

// Half of its derivative by a, for what is not outside.
template <int kTerm, typename T>
__device__ __forceinline__ T slope_of(T a, T b, T constant) {
  if constexpr (kTerm == Term::outside) return sign_outside(a, constant);
  return kTerm == Term::pair ? a - b : a - constant;
}

template <typename Pixel>
constexpr int kAtOnce = 16 / sizeof(Pixel);

// Neighbours from `at` on, up to kAtOnce: all of them with one instruction if `whole`.
template <typename Pixel>
__device__ __forceinline__ Pack<Pixel, kAtOnce<Pixel>> read(const void* data, int64_t at,
                                                            int64_t count, bool whole) {
  using Packed = Pack<Pixel, kAtOnce<Pixel>>;
  const Pixel* from = static_cast<const Pixel*>(data) + at;
  if (whole) return *reinterpret_cast<const Packed*>(from);
  Packed pack{};
#pragma unroll
  for (int k = 0; k < kAtOnce<Pixel>; ++k)
    if (at + k < count) pack.pixel[k] = from[k];
  return pack;
}

template <typename Pixel>
__device__ __forceinline__ void write(void* data, int64_t at, int64_t count, bool whole,
                                      const Pack<Pixel, kAtOnce<Pixel>>& pack) {
  using Packed = Pack<Pixel, kAtOnce<Pixel>>;
  Pixel* to = static_cast<Pixel*>(data) + at;
  if (whole) {
    *reinterpret_cast<Packed*>(to) = pack;
    return;
  }
#pragma unroll
  for (int k = 0; k < kAtOnce<Pixel>; ++k)
    if (at + k < count) to[k] = pack.pixel[k];
}

template <typename T, typename Pixel, int kTerm>
__global__ void __launch_bounds__(kLossThreads, 1)
    pose_losses_sum_kernel(const __grid_constant__ Arrays arrays, T* __restrict__ loss) {
  double* sums = reinterpret_cast<double*>(shared_memory);
  const T constant = T(arrays.constant);
  double total = 0;
  for (int i = 0; i < arrays.arrays; ++i) {
    const int64_t count = arrays.count[i];
    const void* a = arrays.a[i];
    const bool aligned = is_aligned(a) && (kTerm != Term::pair || is_aligned(arrays.b));
    T sum = 0;
    for (int64_t at = int64_t(threadIdx.x) * kAtOnce<Pixel>; at < count;
         at += kLossThreads * kAtOnce<Pixel>) {
      const bool whole = aligned && at + kAtOnce<Pixel> <= count;
      const auto of_a = read<Pixel>(a, at, count, whole);
      const auto of_b = kTerm == Term::pair ? read<Pixel>(arrays.b, at, count, whole) : of_a;
#pragma unroll
      for (int k = 0; k < kAtOnce<Pixel>; ++k) {
        if (at + k >= count) break;
        sum += term_of<kTerm>(number_of(of_a.pixel[k]), number_of(of_b.pixel[k]), constant);
      }
    }
    total += double(sum) * arrays.share[i];
  }
  total = block_sum(total, sums);
  if (threadIdx.x == 0) *loss = T(total);
}

// A row of blocks for each array.
template <typename T, typename Pixel, int kTerm>
__global__ void __launch_bounds__(kGradientThreads)
    pose_losses_backward_kernel(const __grid_constant__ Arrays arrays,
                                const __grid_constant__ Gradients gradients,
                                const T* __restrict__ grad_loss) {
  const int i = blockIdx.y;
  const int64_t count = arrays.count[i];
  const int64_t at = (int64_t(blockIdx.x) * kGradientThreads + threadIdx.x) * kAtOnce<Pixel>;
  if (at >= count) return;
  const void* a = arrays.a[i];
  void* to_b = kTerm == Term::pair ? gradients.b : nullptr;
  const bool aligned = is_aligned(a) && is_aligned(gradients.a[i]) &&
                       (kTerm != Term::pair || is_aligned(arrays.b)) && is_aligned(to_b);
  const bool whole = aligned && at + kAtOnce<Pixel> <= count;
  const T factor = kTerm == Term::outside ? T(1) : T(2), constant = T(arrays.constant);
  const T share = T(double(*grad_loss) * arrays.share[i]) * factor;
  auto of_a = read<Pixel>(a, at, count, whole);
  auto of_b = kTerm == Term::pair ? read<Pixel>(arrays.b, at, count, whole) : of_a;
#pragma unroll
  for (int k = 0; k < kAtOnce<Pixel>; ++k) {
    if (at + k >= count) break;
    const T grad =
        share * slope_of<kTerm>(number_of(of_a.pixel[k]), number_of(of_b.pixel[k]), constant);
    assign(of_a.pixel[k], grad);
    assign(of_b.pixel[k], -grad);
  }
  if (gradients.a[i] != nullptr) write<Pixel>(gradients.a[i], at, count, whole, of_a);
  if (to_b != nullptr) write<Pixel>(to_b, at, count, whole, of_b);
}

// --- divergence ----------------------------------------------------------------------------------

// A warp adds up 32 coordinates, a lane each; where there are few coordinates several warps share
// their rows.
template <typename T, typename Pixel>
__global__ void __launch_bounds__(kLossThreads, 1)
    pose_losses_divergence_kernel(const __grid_constant__ Gaussians gaussians, double free_bits,
                                  T* __restrict__ loss, T* __restrict__ coordinates) {
  double* sums = reinterpret_cast<double*>(shared_memory);
  T* parts = reinterpret_cast<T*>(sums + kLossWarps);  // (warps, lanes)
  const int warp = threadIdx.x / kWarpSize, lane = threadIdx.x % kWarpSize;
  const int64_t groups = (gaussians.size + kWarpSize - 1) / kWarpSize;
  const int together = int(groups < 1 ? 1 : groups < kLossWarps ? groups : kLossWarps);
  const int sharers = kLossWarps / together;  // warps of one of the groups that are together
  const int own = warp % together, which = warp / together;
  const Pixel* mean = static_cast<const Pixel*>(gaussians.mean);
  const Pixel* log_variance = static_cast<const Pixel*>(gaussians.log_variance);
  double total = 0;
  for (int64_t first = 0; first < groups; first += together) {
    const int64_t coordinate = (first + own) * kWarpSize + lane;
    const bool counts = which < sharers && coordinate < gaussians.size;
    T sum = 0;
    if (counts) {
#pragma unroll 4
      for (int64_t b = which; b < gaussians.batch; b += sharers) {
        const int64_t at = b * gaussians.size + coordinate;
        sum += twice_divergence(number_of(mean[at]), number_of(log_variance[at]));
      }
    }
    parts[threadIdx.x] = sum;
    __syncthreads();
    if (counts && which == 0) {
      double all = 0;
      for (int i = 0; i < sharers; ++i)
        all += double(parts[(i * together + own) * kWarpSize + lane]);
      const double divergence = all / (2.0 * double(gaussians.batch));
      if (coordinates != nullptr) coordinates[coordinate] = T(divergence);
      total += free_bits > 0 && divergence < free_bits ? free_bits : divergence;
    }
    // No barrier: where there is a next turn no rows are shared, and threads read their own parts.
  }
  total = block_sum(total, sums);
  if (threadIdx.x == 0) *loss = gaussians.batch > 0 ? T(total) : T(0);
}

template <typename T, typename Pixel>
__global__ void __launch_bounds__(kGradientThreads)
    pose_losses_divergence_backward_kernel(const __grid_constant__ Gaussians gaussians,
                                           double free_bits, const T* __restrict__ coordinates,
                                           const T* __restrict__ grad_loss,
                                           Pixel* __restrict__ grad_mean,
                                           Pixel* __restrict__ grad_log_variance) {
  const int64_t at = int64_t(blockIdx.x) * kGradientThreads + threadIdx.x;
  if (at >= gaussians.batch * gaussians.size) return;
  const bool free = coordinates != nullptr && coordinates[at % gaussians.size] <= T(free_bits);
  const T share = free ? T(0) : T(double(*grad_loss) / double(gaussians.batch));
  if (grad_mean != nullptr)
    assign(grad_mean[at], share * number_of(static_cast<const Pixel*>(gaussians.mean)[at]));
  if (grad_log_variance != nullptr) {
    const T log_variance = number_of(static_cast<const Pixel*>(gaussians.log_variance)[at]);
    assign(grad_log_variance[at], share * (T(0.5) * exponential_minus_one(log_variance)));
  }
}

}  // namespace fastpose::pose_losses
