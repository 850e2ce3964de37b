// The operators' arguments as a Comparison, for the registrations of every device.
#pragma once

#include <torch/csrc/stable/ops.h>
#include <torch/csrc/stable/tensor.h>

#include "common/check.h"
#include "common/tensor.h"
#include "structural_similarity/math.h"
#include "structural_similarity/structural_similarity.h"

namespace fastpose::similarity {

using torch::headeronly::ScalarType;
using torch::stable::Tensor;

inline int window_side(int64_t window) {
  FASTPOSE_CHECK(window == gaussian || window == uniform, "there is no such window");
  return 2 * (window == gaussian ? Taps<gaussian>::radius : Taps<uniform>::radius) + 1;
}

inline Comparison comparison_of(const Tensor& x, const Tensor& y, int64_t window, double data_range,
                                bool sample_covariance) {
  constexpr int64_t kMostSide = int64_t{1} << 30;
  const int side = window_side(window);
  const Image image_x = image_of(x), image_y = image_of(y);
  bool fits = together(x, y) && image_x.element == image_y.element && x.size(1) >= 1;
  for (int i = 0; i < 4; ++i) fits = fits && x.size(i) == y.size(i);
  for (int i = 2; i < 4; ++i) fits = fits && x.size(i) >= side && x.size(i) < kMostSide;
  FASTPOSE_CHECK(fits, "the images do not fit each other or the window");
  const double pixels = side * side;
  return {image_x,
          image_y,
          x.size(0),
          x.size(1),
          static_cast<int32_t>(x.size(2)),
          static_cast<int32_t>(x.size(3)),
          static_cast<int>(window),
          1 / data_range,
          sample_covariance ? pixels / (pixels - 1) : 1.0};
}

// Windows of all channels of an image of that height and width.
inline double windows(int64_t window, int64_t channels, int64_t height, int64_t width) {
  const int reach = window_side(window) - 1;
  return static_cast<double>(channels) * (height - reach) * (width - reach);
}

// Memory for what is as large as an image, or for nothing.
inline Tensor like(const Tensor& image, bool wanted) {
  return wanted ? torch::stable::empty_like(image) : new_tensor(image, {0});
}

inline Image image_or_nothing(const Tensor& image, bool wanted) {
  return wanted ? image_of(image) : Image{};
}

// For the backward: that the slopes of an image are there, and fit the gradient that arrived.
inline void check_slope(const Tensor& slope, const Tensor& grad_output, int64_t window) {
  const int side = window_side(window);
  FASTPOSE_CHECK(grad_output.dim() == 1 && together(slope, grad_output) && slope.dim() == 4 &&
                     slope.size(0) == grad_output.size(0) && slope.size(2) >= side &&
                     slope.size(3) >= side && grad_output.scalar_type() == wide_type(slope),
                 "a gradient is wanted that the forward was not asked for");
}

}  // namespace fastpose::similarity
