// The CUDA kernels of the pose losses as a library of plain functions, for ctypes.
#include "pose_losses/cuda.cu"

#include "kernels.h"

using fastpose::pose_losses::Arrays;
using fastpose::pose_losses::Gaussians;
using fastpose::pose_losses::Gradients;

extern "C" {

const char* loss(const Arrays* arrays, void* value) {
  return guarded([&] { return fastpose::pose_losses::cuda_loss(*arrays, value, nullptr); });
}

const char* loss_backward(const Arrays* arrays, const void* grad_loss, const Gradients* gradients) {
  return guarded([&] {
    return fastpose::pose_losses::cuda_loss_backward(*arrays, grad_loss, *gradients, nullptr);
  });
}

const char* divergence(const Gaussians* gaussians, double free_bits, void* value,
                       void* coordinates) {
  return guarded([&] {
    return fastpose::pose_losses::cuda_divergence(*gaussians, free_bits, value, coordinates,
                                                  nullptr);
  });
}

const char* divergence_backward(const Gaussians* gaussians, double free_bits,
                                const void* coordinates, const void* grad_loss, void* grad_mean,
                                void* grad_log_variance) {
  return guarded([&] {
    return fastpose::pose_losses::cuda_divergence_backward(
        *gaussians, free_bits, coordinates, grad_loss, grad_mean, grad_log_variance, nullptr);
  });
}
}
