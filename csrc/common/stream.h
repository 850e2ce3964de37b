// torch's current CUDA stream. Apart from launch.cuh, which knows nothing of torch.
#pragma once

#include <cuda_runtime.h>
#include <torch/csrc/inductor/aoti_torch/c/shim.h>
#include <torch/headeronly/util/shim_utils.h>

#include <cstdint>

#include "check.h"

namespace fastpose {

// The stream that torch would launch on. Keep a DeviceGuard for `device_index` alive around it.
inline cudaStream_t current_stream(int32_t device_index) {
  void* stream = nullptr;
  TORCH_ERROR_CODE_CHECK(aoti_torch_get_current_cuda_stream(device_index, &stream));
  return static_cast<cudaStream_t>(stream);
}

// Raises RuntimeError for a launch that was refused; does not wait for the kernel.
inline void check_launch(cudaError_t status, const char* op) {
  FASTPOSE_CHECK(status == cudaSuccess, op, " did not launch: ", cudaGetErrorString(status));
}

}  // namespace fastpose
