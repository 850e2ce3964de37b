// The operators' arguments as a Drawing, for the registrations of every device.
#pragma once

#include <torch/csrc/stable/tensor.h>

#include <optional>

#include "common/check.h"
#include "common/tensor.h"
#include "render_skeleton/render_skeleton.h"

namespace fastpose::skeleton {

// Checks all that can be seen without reading the plan, and that all tensors lie on one device.
inline Drawing drawing_of(const torch::stable::Tensor& points, const torch::stable::Tensor& plan,
                          const std::optional<torch::stable::Tensor>& widths, int64_t limbs,
                          int64_t channels, int64_t height, int64_t width, double sharpness,
                          int64_t profile, double eps) {
  using torch::headeronly::ScalarType;
  constexpr int64_t kMostSide = int64_t{1} << 30;
  const ScalarType type = points.scalar_type();
  FASTPOSE_CHECK(points.dim() == 3 && points.size(2) == 2 &&
                     (type == ScalarType::Float || type == ScalarType::Double),
                 "points are float32 or float64 (B, K, 2)");
  FASTPOSE_CHECK(together(plan, points) && plan.scalar_type() == ScalarType::Int &&
                     plan.dim() == 1 && plan.is_contiguous(),
                 "the plan is a contiguous int32 vector on the device of the points");
  FASTPOSE_CHECK(limbs >= 1 && limbs <= kMostLimbs, "1 to 512 limbs");
  FASTPOSE_CHECK(channels >= 1 && channels < (1 << 20) && height >= 1 && height < kMostSide &&
                     width >= 1 && width < kMostSide,
                 "sizes are at least 1 and below 2^30");
  FASTPOSE_CHECK(plan.numel() >= channels + 1 + 2 * limbs + 1, "the plan is too short");
  FASTPOSE_CHECK(
      !widths || (together(*widths, points) && widths->scalar_type() == ScalarType::Float &&
                  widths->is_contiguous() && widths->numel() == limbs),
      "widths are a contiguous float32 vector, one per limb, with the points");
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

// For an image that is given: the output or its gradient.
inline void check_image(const torch::stable::Tensor& image, const torch::stable::Tensor& points,
                        int64_t channels) {
  FASTPOSE_CHECK(together(image, points) && image.dim() == 4 && image.size(0) == points.size(0) &&
                     image.size(1) == channels,
                 "the image does not fit points and limbs");
}

}  // namespace fastpose::skeleton
