// What every CUDA launcher needs: torch's current stream, and a check of the launch itself.
#pragma once

#include <cuda_runtime.h>
#include <torch/csrc/inductor/aoti_torch/c/shim.h>
#include <torch/csrc/stable/accelerator.h>

#include <cstdint>

#include "check.h"

namespace fastpose {

// The stream that torch would launch on. Keep a DeviceGuard for `device_index` alive around it.
inline cudaStream_t current_stream(int32_t device_index) {
  void* stream = nullptr;
  TORCH_ERROR_CODE_CHECK(aoti_torch_get_current_cuda_stream(device_index, &stream));
  return static_cast<cudaStream_t>(stream);
}

// Reports a launch that the driver refused; does not wait for the kernel.
inline void check_launch(const char* kernel) {
  const cudaError_t status = cudaGetLastError();
  FASTPOSE_CHECK(status == cudaSuccess, kernel, " did not launch: ", cudaGetErrorString(status));
}

// Blocks of `per_block` items that cover `items`.
inline unsigned blocks_for(int64_t items, int64_t per_block) {
  return static_cast<unsigned>((items + per_block - 1) / per_block);
}

}  // namespace fastpose
