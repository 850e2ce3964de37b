// The CUDA kernels of soft_argmax as a library of plain functions, for ctypes.
#include "soft_argmax/cuda.cu"

#include "kernels.h"

using fastpose::soft_argmax::Gradients;
using fastpose::soft_argmax::Maps;
using fastpose::soft_argmax::Results;

extern "C" {

const char* forward(const Maps* maps, const Results* results) {
  return guarded([&] { return fastpose::soft_argmax::cuda_forward(*maps, *results, nullptr); });
}

const char* backward(const Maps* maps, const Gradients* gradients) {
  return guarded([&] { return fastpose::soft_argmax::cuda_backward(*maps, *gradients, nullptr); });
}
}
