// The CUDA kernels of render_gaussians as a library of plain functions, for ctypes.
#include "render_gaussians/cuda.cu"

#include "kernels.h"

using fastpose::Image;
using fastpose::gaussians::Drawing;
using fastpose::gaussians::Gradients;

extern "C" {

const char* forward(const Drawing* drawing, const Image* out) {
  return guarded([&] { return fastpose::gaussians::cuda_forward(*drawing, *out, nullptr); });
}

int64_t scratch_bytes(const Drawing* drawing, const Image* grad_output) {
  return fastpose::gaussians::cuda_backward_scratch(*drawing, *grad_output);
}

const char* backward(const Drawing* drawing, const Image* grad_output, void* scratch,
                     const Gradients* gradients) {
  return guarded([&] {
    return fastpose::gaussians::cuda_backward(*drawing, *grad_output, scratch, *gradients, nullptr);
  });
}
}
