// Stands in for NVIDIA's header of this name; see cuda_on_cpu.h.
#pragma once

#include <cmath>

#include "cuda_on_cpu.h"

#define __global__ static
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __grid_constant__
#define __shared__
#define __align__(bytes)

// The line tells barriers apart, and where threads wait.
#define __syncthreads() ::cuda_on_cpu::block_barrier(__FILE__, __LINE__)
#define __syncwarp() ::cuda_on_cpu::warp_barrier(__FILE__, __LINE__)
#define __shfl_sync(mask, value, lane) ::cuda_on_cpu::shuffle(mask, value, lane, __LINE__)
#define __shfl_xor_sync(mask, value, lanes) ::cuda_on_cpu::shuffle_xor(mask, value, lanes, __LINE__)
#define __ballot_sync(mask, vote) ::cuda_on_cpu::ballot(mask, vote, __LINE__)
#define __reduce_min_sync(mask, value) ::cuda_on_cpu::reduce_min(mask, value, __LINE__)

inline int __clz(unsigned value) { return value == 0 ? 32 : __builtin_clz(value); }
inline unsigned __float_as_uint(float value) {
  return cuda_on_cpu::from_bits<unsigned>(cuda_on_cpu::to_bits(value));
}
template <typename T>
T __ldg(const T* from) {
  return *from;
}
inline float __saturatef(float value) { return value > 0 ? (value < 1 ? value : 1.0f) : 0.0f; }
inline float __double2float_ru(double value) {
  const float nearest = float(value);
  return double(nearest) < value ? std::nextafterf(nearest, INFINITY) : nearest;
}
template <typename T>
T min(T a, T b) {
  return a < b ? a : b;
}
template <typename T>
T max(T a, T b) {
  return a > b ? a : b;
}

using cudaStream_t = void*;
enum cudaError_t { cudaSuccess, cudaErrorInvalidValue };
enum cudaFuncAttribute { cudaFuncAttributeMaxDynamicSharedMemorySize };
enum cudaDeviceAttr { cudaDevAttrMultiProcessorCount };
struct cudaLaunchConfig_t {
  dim3 gridDim, blockDim;
  size_t dynamicSmemBytes;
  cudaStream_t stream;
};

template <typename Kernel>
cudaError_t cudaFuncSetAttribute(Kernel, cudaFuncAttribute, int) {
  return cudaSuccess;
}
inline cudaError_t cudaGetDevice(int* device) {
  *device = 0;
  return cudaSuccess;
}
// One multiprocessor, so that grids stay small and every warp has several tiles to draw.
inline cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr, int) {
  *value = 1;
  return cudaSuccess;
}
template <typename... Params, typename... Args>
cudaError_t cudaLaunchKernelEx(const cudaLaunchConfig_t* config, void (*kernel)(Params...),
                               Args... args) {
  cuda_on_cpu::run_grid(config->gridDim, config->blockDim, config->dynamicSmemBytes,
                        [&] { kernel(args...); });
  return cudaSuccess;
}
