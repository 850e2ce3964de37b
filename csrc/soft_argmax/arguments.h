// The operators' arguments as what kernels take, for the registrations of every device.
#pragma once

#include <torch/csrc/stable/ops.h>
#include <torch/csrc/stable/tensor.h>

#include <optional>

#include "common/check.h"
#include "common/tensor.h"
#include "soft_argmax/soft_argmax.h"

namespace fastpose::soft_argmax {

using torch::headeronly::ScalarType;
using torch::stable::Tensor;

// `logits` may be missing in the marginal backward.
inline Maps maps_of(const std::optional<Tensor>& logits, int64_t batch, int64_t maps, bool joint,
                    double extent, int64_t height, int64_t width, ScalarType dtype,
                    bool channels_last) {
  constexpr int64_t kLongestSide = int64_t{1} << 24, kMostNumbers = int64_t{1} << 31;
  FASTPOSE_CHECK(height >= 1 && height <= kLongestSide && width >= 1 && width <= kLongestSide,
                 "maps have 1 to 2^24 rows and columns");
  FASTPOSE_CHECK(batch == 0 || maps == 0 ||
                     (batch < kMostNumbers && maps < kMostNumbers / batch &&
                      height < kMostNumbers / (batch * maps) + 1 &&
                      width < kMostNumbers / (batch * maps * height) + 1),
                 "logits have fewer than 2^31 numbers");
  FASTPOSE_CHECK(!logits || (logits->dim() == 4 && logits->scalar_type() == dtype &&
                             logits->size(0) == batch && logits->size(1) == maps &&
                             logits->size(2) == height && logits->size(3) == width),
                 "the logits do not fit the other arguments");
  const Image image = logits ? image_of(*logits) : Image{nullptr, element_of(dtype), {}};
  return {image, batch,         maps,  static_cast<int32_t>(height), static_cast<int32_t>(width),
          joint, channels_last, extent};
}

struct Outputs {
  Tensor points, confidence, kept;

  Results results() const { return {points.data_ptr(), confidence.data_ptr(), kept.data_ptr()}; }
};

inline Outputs new_outputs(const Tensor& logits, const Maps& maps) {
  const ScalarType type = wide_type(logits);
  const bool turned = maps.channels_last && !maps.joint;
  const int64_t per_map = kept_per_map(maps);
  const int64_t middle = turned ? per_map : maps.maps, inner = turned ? maps.maps : per_map;
  return {new_tensor(logits, {maps.batch, maps.maps, 2}, type),
          new_tensor(logits, {maps.batch, maps.maps}, type),
          new_tensor(logits, {maps.batch, middle, inner}, type)};
}

// How many maps an image has, from what forward kept of it.
inline int64_t maps_of_kept(const Tensor& kept, bool joint, bool channels_last) {
  FASTPOSE_CHECK(kept.dim() == 3 && kept.is_contiguous(), "what was kept has another shape");
  return kept.size(channels_last && !joint ? 2 : 1);
}

inline Tensor new_gradient(const Tensor& kept, const Maps& maps, ScalarType dtype) {
  return new_tensor(kept, {maps.batch, maps.maps, maps.height, maps.width}, dtype,
                    maps.channels_last);
}

inline Gradients gradients_of(const std::optional<Tensor>& points,
                              const std::optional<Tensor>& confidence, const Tensor& kept,
                              const Maps& maps, const Tensor& grad_logits) {
  const ScalarType type = wide_type(grad_logits);
  const int per_map = maps.channels_last && !maps.joint ? 1 : 2;
  FASTPOSE_CHECK(kept.scalar_type() == type && kept.size(0) == maps.batch &&
                     kept.size(per_map) == kept_per_map(maps),
                 "what was kept does not fit the logits");
  FASTPOSE_CHECK(!points || (together(*points, kept) && points->scalar_type() == type &&
                             points->dim() == 3 && points->size(0) == maps.batch &&
                             points->size(1) == maps.maps && points->size(2) == 2),
                 "the gradient of the points does not fit");
  FASTPOSE_CHECK(!confidence || (together(*confidence, kept) && confidence->scalar_type() == type &&
                                 confidence->dim() == 2 && confidence->size(0) == maps.batch &&
                                 confidence->size(1) == maps.maps),
                 "the gradient of the confidence does not fit");
  Gradients gradients{};
  if (points) {
    gradients.points = points->data_ptr();
    for (int i = 0; i < 3; ++i) gradients.point_stride[i] = points->stride(i);
  }
  if (confidence) {
    gradients.confidence = confidence->data_ptr();
    for (int i = 0; i < 2; ++i) gradients.confidence_stride[i] = confidence->stride(i);
  }
  gradients.kept = kept.data_ptr();
  gradients.logits = image_of(grad_logits);
  return gradients;
}

}  // namespace fastpose::soft_argmax
