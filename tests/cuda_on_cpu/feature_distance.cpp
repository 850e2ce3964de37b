// The CUDA kernels of feature_distance as a library of plain functions, for ctypes.
#include "feature_distance/cuda.cu"

#include "kernels.h"

using fastpose::features::Distance;
using fastpose::features::Gradients;

extern "C" {

int64_t scratch_bytes(const Distance* distance) {
  return fastpose::features::cuda_forward_scratch(*distance);
}

const char* forward(const Distance* distance, void* scratch) {
  return guarded([&] { return fastpose::features::cuda_forward(*distance, scratch, nullptr); });
}

const char* backward(const Gradients* gradients) {
  return guarded([&] { return fastpose::features::cuda_backward(*gradients, nullptr); });
}
}
