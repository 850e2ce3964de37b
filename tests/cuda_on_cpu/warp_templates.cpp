// The CUDA kernels of warp_templates as a library of plain functions, for ctypes.
#include "warp_templates/cuda.cu"

#include "kernels.h"

using fastpose::Image;
using fastpose::warp::Warp;

extern "C" {

const char* forward(const Warp* warp, const Image* out) {
  return guarded([&] { return fastpose::warp::cuda_forward(*warp, *out, nullptr); });
}

int64_t scratch_bytes(const Warp* warp) {
  return fastpose::warp::cuda_backward_affine_scratch(*warp);
}

const char* backward_affine(const Warp* warp, const Image* grad_output, void* scratch,
                            void* grad_affine) {
  return guarded([&] {
    return fastpose::warp::cuda_backward_affine(*warp, *grad_output, scratch, grad_affine, nullptr);
  });
}

const char* backward_templates(const Warp* warp, const Image* grad_output, void* grad_templates) {
  return guarded([&] {
    return fastpose::warp::cuda_backward_templates(*warp, *grad_output, grad_templates, nullptr);
  });
}
}
