// Forward kernels of feature_distance: weights, one pass over all layers, and the sums of sums.
#pragma once

#include "feature_distance/work.cuh"

namespace fastpose::features {

// --- weights -------------------------------------------------------------------------------------

// A whole warp averages a window of more pixels than this, else one thread does.
constexpr int kMostOfAThread = 16;

FASTPOSE_HD int lanes_for(const Distance& distance, const Layer& layer) {
  return int64_t{distance.mask_height} * distance.mask_width >
                 kMostOfAThread * int64_t{layer.height} * layer.width
             ? 32
             : 1;
}

// Averages the mask down to the size of layer blockIdx.y.
template <typename T>
__global__ void __launch_bounds__(kThreads)
    feature_distance_weights_kernel(const __grid_constant__ Work work) {
  const Distance& distance = work.distance;
  const Layer& layer = distance.layer[blockIdx.y];
  if (work.weights[blockIdx.y] == distance.mask) return;
  const int lanes = lanes_for(distance, layer), lane = threadIdx.x % lanes;
  const uint32_t index = blockIdx.x * (kThreads / lanes) + threadIdx.x / lanes;
  const uint32_t pixels = uint32_t(layer.height) * layer.width;
  if (index >= uint32_t(distance.batch) * pixels) return;
  const uint32_t image = index / pixels, pixel = index - image * pixels;
  const int i = pixel / layer.width, j = pixel - i * layer.width;
  const int rows = distance.mask_height, columns = distance.mask_width;
  const int top = first_of(i, rows, layer.height), bottom = last_of(i, rows, layer.height);
  const int left = first_of(j, columns, layer.width), right = last_of(j, columns, layer.width);
  const T* mask = static_cast<const T*>(distance.mask) + int64_t{image} * rows * columns;
  const int wide = right - left, count = wide * (bottom - top);
  T sum = 0;
  for (int k = lane; k < count; k += lanes) {
    const int y = k / wide;
    sum += mask[(top + y) * columns + left + (k - y * wide)];
  }
  if (lanes == kWarpSize) sum = warp_sum(sum);
  if (lane == 0) static_cast<T*>(work.weights[blockIdx.y])[index] = sum / T(count);
}

// The weights of numbers i .. i + kCount - 1 of a layer.
template <typename T, int kCount>
__device__ __forceinline__ void weights_of(const Layer& layer, const T* weights, uint32_t i,
                                           T (&weight)[kCount]) {
  const uint32_t pixels = uint32_t(layer.height) * layer.width, channels = layer.channels;
  const uint32_t line = layer.channels_last ? channels : pixels;
  uint32_t index = i / line, at = i - index * line;
  if (line % kCount != 0) {
#pragma unroll
    for (int k = 0; k < kCount; ++k) {
      weight[k] = weights[layer.channels_last ? index : index / channels * pixels + at];
      if (++at == line) at = 0, ++index;
    }
  } else if (layer.channels_last) {  // one pixel's
    const T one = weights[index];
#pragma unroll
    for (int k = 0; k < kCount; ++k) weight[k] = one;
  } else {
    constexpr int kMost = 16 / sizeof(T), kAtOnce = kCount < kMost ? kCount : kMost;
    const T* from = weights + index / channels * pixels + at;
#pragma unroll
    for (int k = 0; k < kCount; k += kAtOnce) {
      const auto pack = load_pack<T, kAtOnce>(from + k);
#pragma unroll
      for (int n = 0; n < kAtOnce; ++n) weight[k + n] = pack.pixel[n];
    }
  }
}

// --- the pass ------------------------------------------------------------------------------------

// Adds the distance of x and y to `sum`; returns the slope.
template <int kNorm, typename T>
__device__ __forceinline__ T compare(T x, T y, T weight, T& sum) {
  const T difference = x - y;
  if constexpr (kNorm == l1) {
    sum += weight * fabs(difference);
    return weight * (T(difference > 0) - T(difference < 0));
  } else {
    const T slope = weight * difference;
    sum += slope * difference;
    return slope;
  }
}

template <typename T, int kNorm, bool kWeighted>
struct Comparison {
  // The sum of the distances of this thread's numbers in [begin, end), kCount of them together;
  // slopes times `factor` go to the gradient.
  template <typename Number, int kCount>
  __device__ __forceinline__ T run(uint32_t begin, uint32_t end, const Layer& layer,
                                   const T* weights, T factor) const {
    constexpr int kStep = kThreads * kCount, kAtOnce = kWeighted ? 2 : 4;
    const Number* xs = static_cast<const Number*>(layer.feature);
    const Number* ys = static_cast<const Number*>(layer.target);
    Number* gradient = static_cast<Number*>(layer.gradient);
    T sum = 0;
    for (uint32_t i = begin + threadIdx.x * kCount; i < end; i += kAtOnce * kStep) {
      Pack<Number, kCount> x[kAtOnce], y[kAtOnce];  // all before any is used: loads overlap
#pragma unroll
      for (int k = 0; k < kAtOnce; ++k) {
        const uint32_t at = i + k * kStep < end ? i + k * kStep : i;
        x[k] = load_pack<Number, kCount>(xs + at);
        y[k] = load_pack<Number, kCount>(ys + at);
      }
#pragma unroll
      for (int k = 0; k < kAtOnce; ++k) {
        if (i + k * kStep >= end) continue;
        T weight[kCount];
        if constexpr (kWeighted) weights_of<T, kCount>(layer, weights, i + k * kStep, weight);
        Pack<Number, kCount> slope;
#pragma unroll
        for (int n = 0; n < kCount; ++n) {
          assign(slope.pixel[n],
                 factor * compare<kNorm>(number_of(x[k].pixel[n]), number_of(y[k].pixel[n]),
                                         kWeighted ? weight[n] : T(1), sum));
        }
        if (gradient != nullptr) write<Number, kCount>(gradient + i + k * kStep, slope);
      }
    }
    return sum;
  }
};

// Block c takes chunk c: writes its part of the gradient, and the sum of its distances.
template <typename T, int kNorm, bool kWeighted>
__global__ void __launch_bounds__(kThreads, kBlocks<T>)
    feature_distance_forward_kernel(const __grid_constant__ Work work,
                                    double* __restrict__ partial) {
  const Distance& distance = work.distance;
  const int l = work.chunks.layer_of(blockIdx.x);
  const Layer& layer = distance.layer[l];
  T factor = 1;
  if (is_known_ahead(distance, l)) {
    factor = T(work.slope[l]);
    if (distance.running_mean != nullptr)
      factor /= static_cast<const T*>(distance.running_mean)[l] + T(kEps);
  }
  const Comparison<T, kNorm, kWeighted> comparison;
  T sum = over_chunk<T>(comparison, layer.element, work.chunks.packed[l],
                        work.chunks.begin(l, blockIdx.x), work.chunks.end(l, blockIdx.x), layer,
                        static_cast<const T*>(work.weights[l]), factor);
  sum = warp_sum(sum);
  T* sums = reinterpret_cast<T*>(shared_memory);
  if (threadIdx.x % kWarpSize == 0) sums[threadIdx.x / kWarpSize] = sum;
  __syncthreads();
  if (threadIdx.x != 0) return;
  double total = 0;
#pragma unroll
  for (int w = 0; w < kWarps; ++w) total += sums[w];
  partial[blockIdx.x] = total;
}

// One block: adds up each layer's chunks, moves its running mean, and gives loss and scales.
template <typename T>
__global__ void __launch_bounds__(kThreads)
    feature_distance_finish_kernel(const __grid_constant__ Work work,
                                   const double* __restrict__ partial) {
  const Distance& distance = work.distance;
  const int lane = threadIdx.x % kWarpSize, warp = threadIdx.x / kWarpSize;
  double* sums = reinterpret_cast<double*>(shared_memory);
  for (int l = 0; l < distance.layers; ++l) {
    double sum = 0;
    for (uint32_t i = work.chunks.first[l] + threadIdx.x; i < work.chunks.first[l + 1];
         i += kThreads)
      sum += partial[i];
    sum = warp_sum(sum);
    if (lane == 0) sums[l * kWarps + warp] = sum;
  }
  __syncthreads();
  if (warp != 0) return;
  double term = 0;
  if (lane < distance.layers) {
    double sum = 0;
    for (int w = 0; w < kWarps; ++w) sum += sums[lane * kWarps + w];
    const uint32_t numel = max(work.chunks.numel[lane], 1u);
    T* running_mean = static_cast<T*>(distance.running_mean);
    const Moves moves = {distance.update, distance.started == nullptr || *distance.started,
                         distance.through_mean, distance.momentum};
    const Settled settled =
        settle<T>(sum / numel, running_mean != nullptr ? running_mean[lane] : T(1),
                  running_mean != nullptr, moves, work.slope[lane]);
    term = settled.term;
    static_cast<T*>(distance.scale)[lane] =
        is_known_ahead(distance, lane) ? T(1) : static_cast<T>(settled.factor);
    if (distance.update) running_mean[lane] = static_cast<T>(settled.running_mean);
  }
  const double loss = warp_sum(term);  // and every lane has read `started`
  if (lane != 0) return;
  *static_cast<T*>(distance.loss) = static_cast<T>(loss / distance.layers);
  if (distance.update && distance.started != nullptr) *distance.started = true;
}

}  // namespace fastpose::features
