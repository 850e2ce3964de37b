// What every CUDA launcher needs: a launch, and torch's current stream.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

// Dynamic shared memory, as much as the launch asked for. Declared once, because every file that
// uses it must give it the same type.
extern __shared__ __align__(16) unsigned char shared_memory[];

namespace fastpose {

constexpr size_t kSharedWithoutAsking = 48 << 10;

// Launches `kernel`; does not wait for it.
template <typename... Params, typename... Args>
cudaError_t launch(void (*kernel)(Params...), dim3 grid, dim3 block, size_t shared,
                   cudaStream_t stream, Args... args) {
  if (shared > kSharedWithoutAsking) {
    const cudaError_t status = cudaFuncSetAttribute(
        kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(shared));
    if (status != cudaSuccess) return status;
  }
  cudaLaunchConfig_t config = {};
  config.gridDim = grid;
  config.blockDim = block;
  config.dynamicSmemBytes = shared;
  config.stream = stream;
  return cudaLaunchKernelEx(&config, kernel, args...);
}

// Multiprocessors of the current device.
inline int processors() {
  constexpr int kMostDevices = 64;
  static int counts[kMostDevices] = {};  // 0 until asked; every thread would write the same
  int device = 0;
  if (cudaGetDevice(&device) != cudaSuccess || device >= kMostDevices) return 1;
  if (counts[device] == 0) {
    int count = 1;
    cudaDeviceGetAttribute(&count, cudaDevAttrMultiProcessorCount, device);
    counts[device] = count;
  }
  return counts[device];
}

// Groups of `per_group` items that cover `items`.
inline int64_t groups_of(int64_t items, int64_t per_group) {
  return (items + per_group - 1) / per_group;
}

}  // namespace fastpose
