// The operators' arguments as a Distance, for the registrations of every device.
#pragma once

#include <torch/csrc/stable/ops.h>
#include <torch/csrc/stable/tensor.h>

#include <optional>
#include <vector>

#include "common/check.h"
#include "common/tensor.h"
#include "feature_distance/feature_distance.h"

namespace fastpose::features {

using torch::headeronly::ScalarType;
using torch::stable::Tensor;

// Whether the numbers of (B, C, H, W) lie without gaps, pixels last or else channels last.
inline bool lies(const Tensor& tensor, bool channels_last) {
  const int pixels_last_order[] = {3, 2, 1, 0}, channels_last_order[] = {1, 3, 2, 0};
  int64_t step = 1;
  for (const int i : channels_last ? channels_last_order : pixels_last_order) {
    if (tensor.size(i) != 1 && tensor.stride(i) != step) return false;
    step *= tensor.size(i);
  }
  return true;
}

inline bool same_place(const Tensor& a, const Tensor& b) {
  for (int i = 0; i < 4; ++i) {
    if (a.size(i) != b.size(i)) return false;
  }
  return together(a, b) && a.scalar_type() == b.scalar_type();
}

inline Layer layer_of(const Tensor& feature, const Tensor& target, const Tensor& gradient) {
  constexpr int64_t kMost = int64_t{1} << 31;
  FASTPOSE_CHECK(feature.dim() == 4 && target.dim() == 4 && same_place(feature, target),
                 "features and targets are (B, C, H, W), alike");
  FASTPOSE_CHECK(feature.numel() < kMost && feature.size(1) >= 1 && feature.size(2) >= 1 &&
                     feature.size(3) >= 1 && feature.size(1) < kMost && feature.size(2) < kMost &&
                     feature.size(3) < kMost,
                 "sizes are at least 1 and below 2^31");
  const bool channels_last = feature.numel() > 0 && !lies(feature, false);
  const bool wanted = gradient.numel() > 0;
  FASTPOSE_CHECK(
      feature.numel() == 0 || (lies(feature, channels_last) && lies(target, channels_last) &&
                               (!wanted || (gradient.dim() == 4 && same_place(feature, gradient) &&
                                            lies(gradient, channels_last)))),
      "features, targets and gradients lie without gaps, in the same order");
  return {feature.data_ptr(),
          target.data_ptr(),
          wanted ? gradient.data_ptr() : nullptr,
          element_of(feature.scalar_type()),
          channels_last,
          static_cast<int32_t>(feature.size(1)),
          static_cast<int32_t>(feature.size(2)),
          static_cast<int32_t>(feature.size(3))};
}

// `loss` and `scale` take the results.
inline Distance distance_of(const std::vector<Tensor>& features, const std::vector<Tensor>& targets,
                            const std::optional<Tensor>& mask,
                            const std::optional<Tensor>& running_mean,
                            const std::optional<Tensor>& started,
                            const std::vector<Tensor>& gradients, int64_t norm, double momentum,
                            bool update, bool through_mean, const Tensor& loss,
                            const Tensor& scale) {
  const size_t layers = features.size();
  FASTPOSE_CHECK(layers >= 1 && layers <= kMostLayers && targets.size() == layers &&
                     gradients.size() == layers,
                 "1 to 32 layers, each with a target and a gradient");
  const ScalarType wide = loss.scalar_type();
  const bool is_double = wide == ScalarType::Double;
  Distance distance = {};
  for (size_t l = 0; l < layers; ++l) {
    distance.layer[l] = layer_of(features[l], targets[l], gradients[l]);
    FASTPOSE_CHECK(features[l].size(0) == features[0].size(0) && together(features[l], loss) &&
                       (distance.layer[l].element == Element::float64) == is_double,
                   "the layers have one batch and device, and float64 for all or none");
  }
  const auto fits = [&](const Tensor& tensor, int64_t numel, ScalarType type) {
    return together(tensor, loss) && tensor.is_contiguous() && tensor.numel() == numel &&
           tensor.scalar_type() == type;
  };
  if (mask) {
    FASTPOSE_CHECK(mask->dim() == 4 && mask->size(0) == features[0].size(0) && mask->size(1) == 1 &&
                       mask->size(2) >= 1 && mask->size(3) >= 1 &&
                       mask->numel() < int64_t{1} << 31 && fits(*mask, mask->numel(), wide),
                   "the mask is (B, 1, H, W) without gaps");
    distance.mask = mask->data_ptr();
    distance.mask_height = static_cast<int32_t>(mask->size(2));
    distance.mask_width = static_cast<int32_t>(mask->size(3));
  }
  FASTPOSE_CHECK(!running_mean || fits(*running_mean, int64_t(layers), wide),
                 "one running mean for each layer");
  FASTPOSE_CHECK(!started || fits(*started, 1, ScalarType::Bool), "started is one bool");
  FASTPOSE_CHECK(running_mean || !update, "no running mean to update");
  distance.layers = static_cast<int32_t>(layers);
  distance.batch = features[0].size(0);
  distance.running_mean = running_mean ? running_mean->data_ptr() : nullptr;
  distance.started = started ? static_cast<bool*>(started->data_ptr()) : nullptr;
  distance.loss = loss.data_ptr();
  distance.scale = scale.data_ptr();
  distance.momentum = momentum;
  distance.norm = static_cast<int>(norm);
  distance.is_double = is_double;
  distance.update = update;
  distance.through_mean = through_mean;
  return distance;
}

inline ScalarType type_of_loss(const std::vector<Tensor>& features) {
  FASTPOSE_CHECK(!features.empty(), "no layers");
  return wide_type(features[0]);
}

// For the backward: the memory of a gradient has no gaps, in whatever order.
inline void check_gradients(const Tensor& grad_loss, const Tensor& scale,
                            const std::vector<Tensor>& gradients) {
  const ScalarType wide = scale.scalar_type();
  FASTPOSE_CHECK((wide == ScalarType::Float || wide == ScalarType::Double) &&
                     grad_loss.scalar_type() == wide && grad_loss.numel() == 1 &&
                     together(grad_loss, scale) && scale.is_contiguous() &&
                     scale.numel() == int64_t(gradients.size()) && gradients.size() <= kMostLayers,
                 "one gradient of the loss, and one scale for each layer");
  for (const Tensor& gradient : gradients) {
    const bool is_double = gradient.scalar_type() == ScalarType::Double;
    FASTPOSE_CHECK(together(gradient, scale) && is_double == (wide == ScalarType::Double) &&
                       (gradient.numel() == 0 ||
                        (gradient.dim() == 4 && (lies(gradient, false) || lies(gradient, true)))),
                   "gradients lie without gaps, on the device of the scale");
  }
}

}  // namespace fastpose::features
