// The CUDA kernels of render_skeleton as a library of plain functions, for ctypes.
#include "render_skeleton/cuda.cu"

#include "kernels.h"

using fastpose::Image;
using fastpose::skeleton::Drawing;

extern "C" {

const char* forward(const Drawing* drawing, const Image* out) {
  return guarded([&] { return fastpose::skeleton::cuda_forward(*drawing, *out, nullptr); });
}

int64_t scratch_bytes(const Drawing* drawing) {
  return fastpose::skeleton::cuda_backward_scratch(*drawing);
}

const char* backward(const Drawing* drawing, const Image* grad_output, void* scratch,
                     void* grad_points) {
  return guarded([&] {
    return fastpose::skeleton::cuda_backward(*drawing, *grad_output, scratch, grad_points, nullptr);
  });
}
}
