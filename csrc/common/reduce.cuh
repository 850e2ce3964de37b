// Reductions in a fixed order: the same bytes from every run (no float atomics anywhere).
#pragma once

#include <cuda_runtime.h>

namespace fastpose {

constexpr unsigned kFullWarp = 0xffffffffu;
constexpr int kWarpSize = 32;

// The sum over a whole warp, in every lane: a butterfly, so each lane adds the same pairs.
template <typename T>
__device__ __forceinline__ T warp_sum(T value) {
#pragma unroll
  for (int lanes = kWarpSize / 2; lanes > 0; lanes /= 2)
    value += __shfl_xor_sync(kFullWarp, value, lanes);
  return value;
}

// The sums of four values over a whole warp with 6 shuffles instead of 20: each of the first two
// steps halves what a lane holds. Lane l returns the sum of value l / 8.
template <typename T>
__device__ __forceinline__ T warp_sum_of_four(T a, T b, T c, T d, int lane) {
  const bool upper = lane & 16, odd = lane & 8;
  const T first = (upper ? c : a) + __shfl_xor_sync(kFullWarp, upper ? a : c, 16);
  const T second = (upper ? d : b) + __shfl_xor_sync(kFullWarp, upper ? b : d, 16);
  T sum = (odd ? second : first) + __shfl_xor_sync(kFullWarp, odd ? first : second, 8);
#pragma unroll
  for (int lanes = 4; lanes > 0; lanes /= 2) sum += __shfl_xor_sync(kFullWarp, sum, lanes);
  return sum;
}

// Numbers >= 0 as integers in the same order, for the warp-wide integer minimum and maximum (one
// instruction). Infinity and then NaN come last. A double is rounded up to a float first.
__device__ __forceinline__ unsigned ordered(float a) { return __float_as_uint(a) & 0x7fffffffu; }
__device__ __forceinline__ unsigned ordered(double a) { return ordered(__double2float_ru(a)); }

}  // namespace fastpose
