// What the kernels of feature_distance share: how layers are cut into chunks, one for each block,
// and how neighbours are moved.
#pragma once

#include <type_traits>

#include "common/launch.cuh"
#include "common/numbers.cuh"
#include "common/reduce.cuh"
#include "feature_distance/cuda.cuh"
#include "feature_distance/math.h"

namespace fastpose::features {

constexpr int kThreads = 256, kWarps = kThreads / kWarpSize;
// Neighbouring numbers of one layer that a block takes, whatever the GPU: how the work is cut
// decides in which order sums are formed.
constexpr int kChunk = 16384;

// Blocks that a multiprocessor must be able to hold: 64 registers per thread, 128 for double.
template <typename T>
constexpr int kBlocks = std::is_same_v<T, float> ? 4 : 2;

struct Chunks {
  uint32_t first[kMostLayers + 1];  // chunks before each layer's; then all of them
  uint32_t numel[kMostLayers];
  bool packed[kMostLayers];  // whether 16 bytes can be moved at once

  // The layer of a chunk.
  __device__ __forceinline__ int layer_of(uint32_t chunk) const {
    int l = 0;
    while (chunk >= first[l + 1]) ++l;
    return l;
  }
  __device__ __forceinline__ uint32_t begin(int l, uint32_t chunk) const {
    return (chunk - first[l]) * kChunk;
  }
  __device__ __forceinline__ uint32_t end(int l, uint32_t chunk) const {
    return min(begin(l, chunk) + kChunk, numel[l]);
  }
};

// A whole forward.
struct Work {
  Distance distance;
  Chunks chunks;
  void* weights[kMostLayers];  // (batch, pixels) T, the mask itself if it has that size; or null
  double slope[kMostLayers];   // slope_factor
};

template <typename Number, int kCount>
__device__ __forceinline__ Pack<Number, kCount> load_pack(const Number* from) {
  return *reinterpret_cast<const Pack<Number, kCount>*>(from);
}

template <typename Number, int kCount>
__device__ __forceinline__ void write(Number* to, const Pack<Number, kCount>& pack) {
  if constexpr (kCount == 1) {
    *to = pack.pixel[0];
  } else {
    store_pack(to, pack);
  }
}

// Calls chunk.run<Number, kCount>(begin, end, ...) for numbers of that type: 16 bytes at once, and
// the rest, or all of them if 16 bytes cannot be moved, one by one. Returns the sum of what it
// returned.
template <typename T, typename Number, typename Run, typename... More>
__device__ __forceinline__ T in_packs(const Run& chunk, bool packed, uint32_t begin, uint32_t end,
                                      const More&... more) {
  constexpr int kCount = 16 / sizeof(Number);
  if (!packed) return chunk.template run<Number, 1>(begin, end, more...);
  const uint32_t whole = end - (end - begin) % kCount;
  const T sum = chunk.template run<Number, kCount>(begin, whole, more...);
  return whole < end ? sum + chunk.template run<Number, 1>(whole, end, more...) : sum;
}

template <typename T, typename Run, typename... More>
__device__ __forceinline__ T over_chunk(const Run& chunk, Element element, bool packed,
                                        uint32_t begin, uint32_t end, const More&... more) {
  if constexpr (std::is_same_v<T, double>) {
    return in_packs<T, double>(chunk, packed, begin, end, more...);
  } else {
    switch (element) {
      case Element::float32:
        return in_packs<T, float>(chunk, packed, begin, end, more...);
      case Element::bfloat16:
        return in_packs<T, __nv_bfloat16>(chunk, packed, begin, end, more...);
      default:
        return in_packs<T, __half>(chunk, packed, begin, end, more...);
    }
  }
}

}  // namespace fastpose::features
