// The operators' arguments as plain numbers, for the registrations of every device.
#pragma once

#include <torch/csrc/stable/ops.h>
#include <torch/csrc/stable/tensor.h>

#include <algorithm>
#include <vector>

#include "common/check.h"
#include "common/tensor.h"
#include "pose_losses/pose_losses.h"

namespace fastpose::pose_losses {

using torch::headeronly::ScalarType;
using torch::stable::Tensor;

constexpr int64_t kComponents = 3;  // of homogeneous coordinates

// The tensor itself or, if it has gaps, a copy without.
inline Tensor dense(const Tensor& tensor) {
  return tensor.is_contiguous() ? tensor : torch::stable::contiguous(tensor);
}

inline Numbers numbers_of(const Tensor& tensor) {
  return {tensor.data_ptr(), element_of(tensor.scalar_type()), tensor.numel()};
}

inline void check_alike(const Tensor& a, const Tensor& b) {
  FASTPOSE_CHECK(together(a, b) && a.scalar_type() == b.scalar_type() && a.dim() == b.dim() &&
                     a.numel() == b.numel() &&
                     std::equal(a.sizes().begin(), a.sizes().end(), b.sizes().begin()),
                 "the tensors are not alike");
}

inline void check_points(const Tensor& points) {
  FASTPOSE_CHECK(points.dim() == 3 && points.size(2) == 2, "points are a tensor (B, M, 2)");
}

// For the backward: the gradient of a loss that was computed from `tensor`.
inline void check_loss_gradient(const Tensor& grad_output, const Tensor& tensor) {
  FASTPOSE_CHECK(grad_output.numel() == 1 && together(grad_output, tensor) &&
                     grad_output.scalar_type() == wide_type(tensor),
                 "the gradient is not that of the loss");
}

// What the squared distance of two numbers counts in anchor_loss.
inline double anchor_share(const Tensor& a, bool code_form) {
  return 1.0 / double(std::max<int64_t>(a.size(0) * (code_form ? kComponents : a.size(1)), 1));
}

// What a coordinate outside counts in boundary_loss.
inline double boundary_share(const Tensor& points, bool code_form) {
  return 1.0 / double(std::max<int64_t>(points.size(0) * (code_form ? kComponents : 1), 1));
}

// What a squared difference counts in least_squares_gan.
inline double score_share(const Tensor& scores, size_t tensors) {
  return 1.0 / (double(tensors) * double(std::max<int64_t>(scores.numel(), 1)));
}

inline Gaussians gaussians_of(const Tensor& mean, const Tensor& log_variance) {
  check_alike(mean, log_variance);
  FASTPOSE_CHECK(mean.dim() == 2 && mean.is_contiguous() && log_variance.is_contiguous(),
                 "means are a dense tensor (B, D)");
  return {mean.data_ptr(), log_variance.data_ptr(), element_of(mean.scalar_type()), mean.size(0),
          mean.size(1)};
}

inline void check_coordinates(const Tensor& coordinates, const Gaussians& gaussians,
                              const Tensor& mean) {
  FASTPOSE_CHECK(coordinates.numel() == gaussians.size && coordinates.is_contiguous() &&
                     together(coordinates, mean) && coordinates.scalar_type() == wide_type(mean),
                 "the coordinates are not those of the forward");
}

inline void check_scores(const std::vector<Tensor>& scores) {
  FASTPOSE_CHECK(!scores.empty() && scores.size() <= kMostScores, "1 to 16 tensors of scores");
  for (const Tensor& each : scores) {
    FASTPOSE_CHECK(together(each, scores[0]) && each.scalar_type() == scores[0].scalar_type(),
                   "scores are of one type, on one device");
  }
}

// Memory like that of a dense tensor, or nothing.
inline Tensor like(const Tensor& tensor, bool wanted) {
  return wanted ? new_tensor(tensor, tensor.sizes()) : new_tensor(tensor, {0});
}

}  // namespace fastpose::pose_losses
