// render_skeleton for CUDA tensors: from torch's arguments to the launches of cuda.cu and back.
//
// The plan's contents lie on the device and are not looked at here, which would mean waiting for
// it; the public function has checked them.
#include <torch/csrc/stable/accelerator.h>
#include <torch/csrc/stable/library.h>
#include <torch/csrc/stable/ops.h>
#include <torch/csrc/stable/tensor.h>

#include <optional>

#include "common/stream.h"
#include "render_skeleton/arguments.h"
#include "render_skeleton/cuda.cuh"

namespace fastpose {
namespace {

using skeleton::Drawing;
using torch::headeronly::ScalarType;
using torch::stable::Tensor;
using torch::stable::accelerator::DeviceGuard;

void into(const Tensor& points, const Tensor& plan, const std::optional<Tensor>& widths,
          int64_t limbs, int64_t channels, double sharpness, int64_t profile, double eps,
          Tensor out) {
  skeleton::check_image(out, points, channels);
  const Drawing drawing = skeleton::drawing_of(points, plan, widths, limbs, channels, out.size(2),
                                               out.size(3), sharpness, profile, eps);
  const int32_t device = points.get_device_index();
  const DeviceGuard guard(device);
  check_launch(skeleton::cuda_forward(drawing, image_of(out), current_stream(device)),
               "render_skeleton");
}

Tensor forward(const Tensor& points, const Tensor& plan, const std::optional<Tensor>& widths,
               int64_t limbs, int64_t channels, int64_t height, int64_t width, double sharpness,
               int64_t profile, double eps, ScalarType dtype) {
  Tensor out = new_tensor(points, {points.size(0), channels, height, width}, dtype);
  into(points, plan, widths, limbs, channels, sharpness, profile, eps, out);
  return out;
}

Tensor backward(const Tensor& grad_output, const Tensor& points, const Tensor& plan,
                const std::optional<Tensor>& widths, int64_t limbs, double sharpness,
                int64_t profile, double eps) {
  skeleton::check_image(grad_output, points, grad_output.size(1));
  const Drawing drawing =
      skeleton::drawing_of(points, plan, widths, limbs, grad_output.size(1), grad_output.size(2),
                           grad_output.size(3), sharpness, profile, eps);
  const int32_t device = points.get_device_index();
  const DeviceGuard guard(device);
  Tensor grad_points = new_tensor(points, {points.size(0), points.size(1), 2});
  const Tensor scratch = new_tensor(
      points, {skeleton::cuda_backward_scratch(drawing) / int64_t(points.element_size())});
  check_launch(skeleton::cuda_backward(drawing, image_of(grad_output), scratch.data_ptr(),
                                       grad_points.data_ptr(), current_stream(device)),
               "render_skeleton_backward");
  return grad_points;
}

STABLE_TORCH_LIBRARY_IMPL(fastpose, CUDA, m) {
  m.impl("render_skeleton", TORCH_BOX(&forward));
  m.impl("render_skeleton_out", TORCH_BOX(&into));
  m.impl("render_skeleton_backward", TORCH_BOX(&backward));
}

}  // namespace
}  // namespace fastpose
