// render_gaussians for CUDA tensors: from torch's arguments to the launches of cuda.cu and back.
#include <torch/csrc/stable/accelerator.h>
#include <torch/csrc/stable/library.h>
#include <torch/csrc/stable/ops.h>
#include <torch/csrc/stable/tensor.h>

#include <optional>

#include "common/stream.h"
#include "render_gaussians/arguments.h"
#include "render_gaussians/cuda.cuh"

namespace fastpose {
namespace {

using gaussians::Drawing;
using gaussians::Gradients;
using gaussians::Results;
using torch::headeronly::ScalarType;
using torch::stable::Tensor;
using torch::stable::accelerator::DeviceGuard;

void into(const Tensor& mean, const std::optional<Tensor>& covariance,
          const std::optional<Tensor>& affine, double variance, double jitter, Tensor out) {
  const Image image = image_of(out);
  const Drawing drawing =
      gaussians::drawing_of(mean, covariance, affine, out.size(2), out.size(3), variance, jitter);
  gaussians::check_image(out, mean, drawing);
  const int32_t device = mean.get_device_index();
  const DeviceGuard guard(device);
  check_launch(gaussians::cuda_forward(drawing, image, current_stream(device)), "render_gaussians");
}

Tensor forward(const Tensor& mean, const std::optional<Tensor>& covariance,
               const std::optional<Tensor>& affine, int64_t height, int64_t width, double variance,
               double jitter, ScalarType dtype) {
  const Tensor& batched = affine ? *affine : mean;
  Tensor out = new_tensor(mean, {batched.size(0), batched.size(1), height, width}, dtype);
  into(mean, covariance, affine, variance, jitter, out);
  return out;
}

Results backward(const Tensor& grad_output, const Tensor& mean,
                 const std::optional<Tensor>& covariance, const std::optional<Tensor>& affine,
                 double variance, double jitter, bool needs_mean, bool needs_covariance,
                 bool needs_affine) {
  const Image image = image_of(grad_output);
  const Drawing drawing = gaussians::drawing_of(mean, covariance, affine, grad_output.size(2),
                                                grad_output.size(3), variance, jitter);
  gaussians::check_image(grad_output, mean, drawing);
  const int32_t device = mean.get_device_index();
  const DeviceGuard guard(device);
  Gradients gradients = {};
  Results results = gaussians::new_gradients(mean, covariance, affine, needs_mean, needs_covariance,
                                             needs_affine, gradients);
  const Tensor scratch = new_tensor(
      mean, {gaussians::cuda_backward_scratch(drawing, image) / int64_t(mean.element_size())});
  check_launch(gaussians::cuda_backward(drawing, image, scratch.data_ptr(), gradients,
                                        current_stream(device)),
               "render_gaussians_backward");
  return results;
}

STABLE_TORCH_LIBRARY_IMPL(fastpose, CUDA, m) {
  m.impl("render_gaussians", TORCH_BOX(&forward));
  m.impl("render_gaussians_out", TORCH_BOX(&into));
  m.impl("render_gaussians_backward", TORCH_BOX(&backward));
}

}  // namespace
}  // namespace fastpose
