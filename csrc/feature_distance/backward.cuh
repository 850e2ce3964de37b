// Backward kernel of feature_distance: finishes gradients where they lie.
#pragma once

#include "feature_distance/work.cuh"

namespace fastpose::features {

template <typename T>
struct Product {
  // Multiplies this thread's numbers in [begin, end), kCount of them together.
  template <typename Number, int kCount>
  __device__ __forceinline__ T run(uint32_t begin, uint32_t end, void* data, T factor) const {
    constexpr int kStep = kThreads * kCount, kAtOnce = 4;
    Number* numbers = static_cast<Number*>(data);
    for (uint32_t i = begin + threadIdx.x * kCount; i < end; i += kAtOnce * kStep) {
      Pack<Number, kCount> pack[kAtOnce];
#pragma unroll
      for (int k = 0; k < kAtOnce; ++k) {
        const uint32_t at = i + k * kStep < end ? i + k * kStep : i;
        pack[k] = load_pack<Number, kCount>(numbers + at);
      }
#pragma unroll
      for (int k = 0; k < kAtOnce; ++k) {
        if (i + k * kStep >= end) continue;
#pragma unroll
        for (int n = 0; n < kCount; ++n)
          assign(pack[k].pixel[n], number_of(pack[k].pixel[n]) * factor);
        write<Number, kCount>(numbers + i + k * kStep, pack[k]);
      }
    }
    return 0;
  }
};

// Block c takes chunk c.
template <typename T>
__global__ void __launch_bounds__(kThreads, kBlocks<T>)
    feature_distance_backward_kernel(const __grid_constant__ Gradients gradients,
                                     const __grid_constant__ Chunks chunks) {
  const int l = chunks.layer_of(blockIdx.x);
  const T factor =
      *static_cast<const T*>(gradients.grad_loss) * static_cast<const T*>(gradients.scale)[l];
  if (factor == T(1)) return;
  over_chunk<T>(Product<T>(), gradients.element[l], chunks.packed[l], chunks.begin(l, blockIdx.x),
                chunks.end(l, blockIdx.x), gradients.data[l], factor);
}

}  // namespace fastpose::features
