// render_skeleton for CUDA tensors: from torch's arguments to the launches of cuda.cu and back.
//
// The plan's contents lie on the device and are not looked at here, which would mean waiting for
// it; the public function has checked them.
#include <torch/csrc/stable/accelerator.h>
#include <torch/csrc/stable/library.h>
#include <torch/csrc/stable/ops.h>
#include <torch/csrc/stable/tensor.h>

#include <optional>

#include "common/check.h"
#include "common/stream.h"
#include "render_skeleton/cuda.cuh"

namespace fastpose {
namespace {

using skeleton::Drawing;
using torch::headeronly::ScalarType;
using torch::stable::Tensor;
using torch::stable::accelerator::DeviceGuard;

Element element_of(ScalarType type) {
  switch (type) {
    case ScalarType::Float:
      return Element::float32;
    case ScalarType::Double:
      return Element::float64;
    case ScalarType::BFloat16:
      return Element::bfloat16;
    case ScalarType::Half:
      return Element::float16;
    default:
      FASTPOSE_CHECK(false, "images are float32, float64, bfloat16 or float16");
  }
}

Image image_of(const Tensor& tensor) {
  FASTPOSE_CHECK(tensor.dim() == 4 && tensor.is_cuda(), "an image is a CUDA tensor (B, C, H, W)");
  return {tensor.data_ptr(),
          element_of(tensor.scalar_type()),
          {tensor.stride(0), tensor.stride(1), tensor.stride(2), tensor.stride(3)}};
}

void check_device(const Tensor& tensor, const Tensor& points, const char* name) {
  FASTPOSE_CHECK(tensor.is_cuda() && tensor.get_device_index() == points.get_device_index(), name,
                 " is not on the device of the points");
}

Drawing drawing_of(const Tensor& points, const Tensor& plan, const std::optional<Tensor>& widths,
                   int64_t limbs, int64_t channels, int64_t height, int64_t width, double sharpness,
                   int64_t profile, double eps) {
  constexpr int64_t kMostSide = int64_t{1} << 30;
  const ScalarType type = points.scalar_type();
  FASTPOSE_CHECK(points.dim() == 3 && points.size(2) == 2 && points.is_cuda() &&
                     (type == ScalarType::Float || type == ScalarType::Double),
                 "points are a float32 or float64 CUDA tensor (B, K, 2)");
  check_device(plan, points, "the plan");
  FASTPOSE_CHECK(plan.scalar_type() == ScalarType::Int && plan.dim() == 1 && plan.is_contiguous(),
                 "the plan is a contiguous int32 vector");
  FASTPOSE_CHECK(limbs >= 1 && limbs <= skeleton::kMostLimbs, "1 to 512 limbs");
  FASTPOSE_CHECK(channels >= 1 && channels < kMostSide && height >= 1 && height < kMostSide &&
                     width >= 1 && width < kMostSide,
                 "sizes are at least 1 and below 2^30");
  FASTPOSE_CHECK(plan.numel() >= channels + 2 + 2 * limbs, "the plan is too short");
  if (widths) {
    check_device(*widths, points, "widths");
    FASTPOSE_CHECK(widths->scalar_type() == ScalarType::Float && widths->is_contiguous() &&
                       widths->numel() == limbs,
                   "widths are a contiguous float32 vector, one per limb");
  }
  return {points.data_ptr(),
          {points.stride(0), points.stride(1), points.stride(2)},
          type == ScalarType::Double,
          static_cast<const int32_t*>(plan.data_ptr()),
          widths ? static_cast<const float*>(widths->data_ptr()) : nullptr,
          points.size(0),
          points.size(1),
          static_cast<int32_t>(limbs),
          static_cast<int32_t>(channels),
          static_cast<int32_t>(height),
          static_cast<int32_t>(width),
          sharpness,
          eps,
          static_cast<int>(profile)};
}

void into(const Tensor& points, const Tensor& plan, const std::optional<Tensor>& widths,
          int64_t limbs, int64_t channels, double sharpness, int64_t profile, double eps,
          Tensor out) {
  const Image image = image_of(out);
  check_device(out, points, "out");
  FASTPOSE_CHECK(out.size(0) == points.size(0) && out.size(1) == channels,
                 "out does not fit points and limbs");
  const Drawing drawing = drawing_of(points, plan, widths, limbs, channels, out.size(2),
                                     out.size(3), sharpness, profile, eps);
  const DeviceGuard guard(points.get_device_index());
  check_launch(skeleton::cuda_forward(drawing, image, current_stream(points.get_device_index())),
               "render_skeleton");
}

Tensor forward(const Tensor& points, const Tensor& plan, const std::optional<Tensor>& widths,
               int64_t limbs, int64_t channels, int64_t height, int64_t width, double sharpness,
               int64_t profile, double eps, ScalarType dtype) {
  Tensor out = torch::stable::new_empty(points, {points.size(0), channels, height, width}, dtype);
  into(points, plan, widths, limbs, channels, sharpness, profile, eps, out);
  return out;
}

Tensor backward(const Tensor& grad_output, const Tensor& points, const Tensor& plan,
                const std::optional<Tensor>& widths, int64_t limbs, double sharpness,
                int64_t profile, double eps) {
  const Image image = image_of(grad_output);
  check_device(grad_output, points, "grad_output");
  FASTPOSE_CHECK(grad_output.size(0) == points.size(0), "grad_output does not fit points");
  const Drawing drawing =
      drawing_of(points, plan, widths, limbs, grad_output.size(1), grad_output.size(2),
                 grad_output.size(3), sharpness, profile, eps);
  const DeviceGuard guard(points.get_device_index());
  Tensor grad_points = torch::stable::new_empty(points, {points.size(0), points.size(1), 2});
  const Tensor scratch = torch::stable::new_empty(
      points, {skeleton::cuda_backward_scratch(drawing) / int64_t(points.element_size())});
  check_launch(skeleton::cuda_backward(drawing, image, scratch.data_ptr(), grad_points.data_ptr(),
                                       current_stream(points.get_device_index())),
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
