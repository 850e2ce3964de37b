// The CUDA kernels of structural_similarity as a library of plain functions, for ctypes.
#include "structural_similarity/cuda.cu"

#include "kernels.h"

using fastpose::Image;
using fastpose::similarity::Comparison;
using fastpose::similarity::Slopes;

extern "C" {

int64_t scratch_numbers(const Comparison* pair) {
  return fastpose::similarity::cuda_forward_scratch(*pair);
}

const char* forward(const Comparison* pair, const Slopes* slopes, double windows, double* scratch,
                    void* values) {
  return guarded([&] {
    return fastpose::similarity::cuda_forward(*pair, *slopes, windows, scratch, values, nullptr);
  });
}

const char* backward(const Image* slope, const Image* grad, const void* grad_output, int64_t stride,
                     double per_window, const int64_t* sizes) {
  const int64_t size[4] = {sizes[0], sizes[1], sizes[2], sizes[3]};
  return guarded([&] {
    return fastpose::similarity::cuda_backward(*slope, *grad, grad_output, stride, per_window, size,
                                               nullptr);
  });
}
}
