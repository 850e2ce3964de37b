// The operators' arguments as a Warp, for the registrations of every device.
#pragma once

#include <torch/csrc/stable/tensor.h>

#include "common/check.h"
#include "common/tensor.h"
#include "warp_templates/warp_templates.h"

namespace fastpose::warp {

// Checks that the tensors fit each other and lie on one device.
inline Warp warp_of(const torch::stable::Tensor& templates, const torch::stable::Tensor& affine,
                    int64_t height, int64_t width) {
  using torch::headeronly::ScalarType;
  constexpr int64_t kMostSide = int64_t{1} << 30, kMostTexels = int64_t{1} << 20;
  const ScalarType type = templates.scalar_type();
  FASTPOSE_CHECK(templates.dim() == 3 && (type == ScalarType::Float || type == ScalarType::Double),
                 "templates are float32 or float64 (K, h, w)");
  FASTPOSE_CHECK(together(affine, templates) && affine.scalar_type() == type && affine.dim() == 4 &&
                     affine.size(1) == templates.size(0) && affine.size(2) == 2 &&
                     affine.size(3) == 3,
                 "affine is (B, K, 2, 3), of the type and on the device of the templates");
  for (int side = 1; side < 3; ++side) {
    FASTPOSE_CHECK(templates.size(side) >= 1 && templates.size(side) <= kMostTexels,
                   "templates have sides of 1 to 2^20");
  }
  FASTPOSE_CHECK(templates.size(0) < kMostSide &&
                     templates.size(1) * templates.size(2) < int64_t{1} << 31 && height >= 1 &&
                     height < kMostSide && width >= 1 && width < kMostSide,
                 "sizes are at least 1 and below 2^30");
  return {templates.data_ptr(),
          {templates.stride(0), templates.stride(1), templates.stride(2)},
          affine.data_ptr(),
          {affine.stride(0), affine.stride(1), affine.stride(2), affine.stride(3)},
          type == ScalarType::Double,
          affine.size(0),
          static_cast<int32_t>(templates.size(0)),
          static_cast<int32_t>(templates.size(1)),
          static_cast<int32_t>(templates.size(2)),
          static_cast<int32_t>(height),
          static_cast<int32_t>(width)};
}

// The same for an image that is given: the output or its gradient.
inline Warp warp_of(const torch::stable::Tensor& templates, const torch::stable::Tensor& affine,
                    const torch::stable::Tensor& image) {
  FASTPOSE_CHECK(together(image, templates) && image.dim() == 4 && affine.dim() == 4 &&
                     image.size(0) == affine.size(0) && image.size(1) == affine.size(1),
                 "the image is (B, K, H, W), on the device of the templates");
  return warp_of(templates, affine, image.size(2), image.size(3));
}

}  // namespace fastpose::warp
