// The C entry point of the CUDA owner, for ctypes: addresses in the GPU's memory, no tensor.
#include "cast_capsules/cuda.cuh"

extern "C" {

// Launches on `stream` of the current device. Null, or why it did not launch.
__attribute__((visibility("default"))) const char* fastpose_cast_capsules_cuda(
    const fastpose::CapsuleRays* rays, void* stream) {
  const cudaError_t status =
      fastpose::capsules::cuda_cast(*rays, static_cast<cudaStream_t>(stream));
  return status == cudaSuccess ? nullptr : cudaGetErrorString(status);
}
}
