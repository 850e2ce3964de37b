// Reductions in a fixed order: the same bytes from every run (no float atomics anywhere).
#pragma once

namespace fastpose {

constexpr unsigned kFullWarp = 0xffffffffu;

// The sum over a whole warp, in every lane: a butterfly, so each lane adds the same pairs.
template <typename T>
__device__ __forceinline__ T warp_sum(T value) {
#pragma unroll
  for (int offset = 16; offset > 0; offset >>= 1)
    value += __shfl_xor_sync(kFullWarp, value, offset);
  return value;
}

}  // namespace fastpose
