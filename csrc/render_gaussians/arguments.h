// The operators' arguments as a Drawing, for the registrations of every device.
#pragma once

#include <torch/csrc/stable/ops.h>
#include <torch/csrc/stable/tensor.h>

#include <optional>
#include <tuple>

#include "common/check.h"
#include "common/tensor.h"
#include "render_gaussians/render_gaussians.h"

namespace fastpose::gaussians {

using torch::stable::Tensor;
using Results = std::tuple<Tensor, Tensor, Tensor>;  // grad_mean, grad_covariance, grad_affine

// Checks all that memory safety needs, and that all tensors lie on one device.
inline Drawing drawing_of(const Tensor& mean, const std::optional<Tensor>& covariance,
                          const std::optional<Tensor>& affine, int64_t height, int64_t width,
                          double variance, double jitter) {
  using torch::headeronly::ScalarType;
  constexpr int64_t kMostSide = int64_t{1} << 30;
  const ScalarType type = mean.scalar_type();
  const int64_t leading = affine ? 1 : 2;
  FASTPOSE_CHECK(mean.dim() == leading + 1 && mean.size(leading) == 2 &&
                     (type == ScalarType::Float || type == ScalarType::Double),
                 "means are float32 or float64 (B, K, 2), or (K, 2) with an affine map");
  const int64_t maps = mean.size(leading - 1);
  FASTPOSE_CHECK(
      !affine || (together(*affine, mean) && affine->scalar_type() == type && affine->dim() == 4 &&
                  affine->size(1) == maps && affine->size(2) == 2 && affine->size(3) == 3),
      "affine maps are (B, K, 2, 3) of the type of the means, and with them");
  const bool fits =
      !covariance || (together(*covariance, mean) && covariance->scalar_type() == type &&
                      covariance->dim() == leading + 2 && covariance->size(leading - 1) == maps &&
                      covariance->size(leading) == 2 && covariance->size(leading + 1) == 2 &&
                      (affine || covariance->size(0) == mean.size(0)));
  FASTPOSE_CHECK(fits, "covariances are (..., 2, 2) of the type of the means, and with them");
  FASTPOSE_CHECK(height >= 1 && height < kMostSide && width >= 1 && width < kMostSide,
                 "sizes are at least 1 and below 2^30");
  Drawing drawing = {};
  drawing.mean = mean.data_ptr();
  for (int i = 0; i < 2 + (leading == 2); ++i) {
    drawing.mean_stride[i + (leading == 1)] = mean.stride(i);
  }
  if (covariance) {
    drawing.covariance = covariance->data_ptr();
    for (int i = 0; i < 3 + (leading == 2); ++i) {
      drawing.covariance_stride[i + (leading == 1)] = covariance->stride(i);
    }
  }
  if (affine) {
    drawing.affine = affine->data_ptr();
    for (int i = 0; i < 4; ++i) drawing.affine_stride[i] = affine->stride(i);
  }
  drawing.is_moved = affine.has_value();
  drawing.is_double = type == ScalarType::Double;
  drawing.batch = affine ? affine->size(0) : mean.size(0);
  drawing.maps = maps;
  drawing.height = static_cast<int32_t>(height);
  drawing.width = static_cast<int32_t>(width);
  drawing.variance = variance;
  drawing.jitter = jitter;
  return drawing;
}

// For maps that are given: the output or its gradient.
inline void check_image(const Tensor& image, const Tensor& mean, const Drawing& drawing) {
  FASTPOSE_CHECK(together(image, mean) && image.dim() == 4 && image.size(0) == drawing.batch &&
                     image.size(1) == drawing.maps,
                 "the maps do not fit the means");
}

// Tensors for the gradients that are wanted, empty ones for the others, and where they lie.
inline Results new_gradients(const Tensor& mean, const std::optional<Tensor>& covariance,
                             const std::optional<Tensor>& affine, bool needs_mean,
                             bool needs_covariance, bool needs_affine, Gradients& gradients) {
  const auto like = [&](const Tensor* from, void*& data) {
    if (from == nullptr) return new_tensor(mean, {0});
    Tensor result = new_tensor(mean, from->sizes());
    data = result.data_ptr();
    return result;
  };
  return {like(needs_mean ? &mean : nullptr, gradients.mean),
          like(needs_covariance && covariance ? &*covariance : nullptr, gradients.covariance),
          like(needs_affine && affine ? &*affine : nullptr, gradients.affine)};
}

}  // namespace fastpose::gaussians
