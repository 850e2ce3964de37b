// The pose losses for CPU tensors: from torch's arguments to the kernels of cpu.cpp and back.
#include <torch/csrc/stable/library.h>
#include <torch/csrc/stable/ops.h>
#include <torch/csrc/stable/tensor.h>

#include <algorithm>
#include <numeric>
#include <tuple>
#include <vector>

#include "common/parallel.h"
#include "pose_losses/arguments.h"
#include "pose_losses/pose_losses.h"

namespace fastpose {
namespace {

using namespace pose_losses;  // NOLINT

constexpr int64_t kPartsPerThread = 32;  // fewer are not worth waking a thread for

Tensor loss_of(double value, const Tensor& like) {
  Tensor loss = new_tensor(like, {}, wide_type(like));
  if (loss.scalar_type() == ScalarType::Double) {
    *static_cast<double*>(loss.data_ptr()) = value;
  } else {
    *static_cast<float*>(loss.data_ptr()) = static_cast<float>(value);
  }
  return loss;
}

double value_of(const Tensor& grad_output) {
  return grad_output.scalar_type() == ScalarType::Double
             ? *static_cast<const double*>(grad_output.data_ptr())
             : *static_cast<const float*>(grad_output.data_ptr());
}

// The sum of run(first, last) over all parts of `count` numbers.
template <typename Run>
double sum_of_parts(int64_t count, const Run& run) {
  std::vector<double> parts((count + kPart - 1) / kPart);
  parallel_for(0, int64_t(parts.size()), kPartsPerThread, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) {
      parts[i] = run(i * kPart, std::min((i + 1) * kPart, count));
    }
  });
  return std::accumulate(parts.begin(), parts.end(), 0.0);
}

template <typename Run>
void for_parts(int64_t count, const Run& run) {
  parallel_for(0, (count + kPart - 1) / kPart, kPartsPerThread, [&](int64_t first, int64_t last) {
    run(first * kPart, std::min(last * kPart, count));
  });
}

// --- anchors -------------------------------------------------------------------------------------

double squares(const Difference& difference) {
  const auto kernel = FASTPOSE_CPU(difference_squares);
  return sum_of_parts(difference.a.count,
                      [&](int64_t first, int64_t last) { return kernel(difference, first, last); });
}

void gradients(const Difference& difference, double factor, void* grad_a, void* grad_b) {
  const auto kernel = FASTPOSE_CPU(difference_gradients);
  for_parts(difference.a.count, [&](int64_t first, int64_t last) {
    kernel(difference, factor, grad_a, grad_b, first, last);
  });
}

Tensor anchor_forward(const Tensor& a, const Tensor& b, bool code_form) {
  check_points(a);
  check_alike(a, b);
  const Tensor dense_a = dense(a), dense_b = dense(b);
  const Difference difference{numbers_of(dense_a), dense_b.data_ptr(), 0};
  return loss_of(squares(difference) * anchor_share(a, code_form), a);
}

std::tuple<Tensor, Tensor> anchor_backward(const Tensor& grad_output, const Tensor& a,
                                           const Tensor& b, bool code_form, bool needs_a,
                                           bool needs_b) {
  check_points(a);
  check_alike(a, b);
  check_loss_gradient(grad_output, a);
  const Tensor dense_a = dense(a), dense_b = dense(b);
  Tensor grad_a = like(a, needs_a), grad_b = like(b, needs_b);
  gradients({numbers_of(dense_a), dense_b.data_ptr(), 0},
            2 * anchor_share(a, code_form) * value_of(grad_output),
            needs_a ? grad_a.data_ptr() : nullptr, needs_b ? grad_b.data_ptr() : nullptr);
  return {grad_a, grad_b};
}

// --- boundary ------------------------------------------------------------------------------------

Tensor boundary_forward(const Tensor& points, double bound, bool code_form) {
  check_points(points);
  const Tensor all = dense(points);
  const Numbers numbers = numbers_of(all);
  const auto kernel = FASTPOSE_CPU(outside_distances);
  const double total = sum_of_parts(numbers.count, [&](int64_t first, int64_t last) {
    return kernel(numbers, bound, first, last);
  });
  return loss_of(total * boundary_share(points, code_form), points);
}

Tensor boundary_backward(const Tensor& grad_output, const Tensor& points, double bound,
                         bool code_form) {
  check_points(points);
  check_loss_gradient(grad_output, points);
  const Tensor all = dense(points);
  const Numbers numbers = numbers_of(all);
  Tensor grad = like(points, true);
  const double factor = boundary_share(points, code_form) * value_of(grad_output);
  const auto kernel = FASTPOSE_CPU(outside_gradients);
  for_parts(numbers.count, [&](int64_t first, int64_t last) {
    kernel(numbers, bound, factor, grad.data_ptr(), first, last);
  });
  return grad;
}

// --- divergence ----------------------------------------------------------------------------------

constexpr int64_t kNumbersPerThread = 8192;

std::tuple<Tensor, Tensor> divergence_forward(const Tensor& mean, const Tensor& log_variance,
                                              double free_bits) {
  const Tensor dense_mean = dense(mean), dense_log_variance = dense(log_variance);
  const Gaussians gaussians = gaussians_of(dense_mean, dense_log_variance);
  const bool bounded = free_bits > 0;
  std::vector<double> means(gaussians.size);
  if (gaussians.batch > 0) {
    constexpr int64_t kTogether = 16;  // whole vectors, so that every cut gives the same bytes
    const auto kernel = FASTPOSE_CPU(coordinate_divergences);
    const int64_t work = kTogether * gaussians.batch;
    parallel_for(0, (gaussians.size + kTogether - 1) / kTogether,
                 (kNumbersPerThread + work - 1) / work, [&](int64_t first, int64_t last) {
                   kernel(gaussians, means.data(), first * kTogether,
                          std::min(last * kTogether, gaussians.size));
                 });
  }
  double total = 0;
  for (const double each : means) total += bounded && each < free_bits ? free_bits : each;
  Tensor coordinates = new_tensor(mean, {bounded ? gaussians.size : 0}, wide_type(mean));
  if (bounded && coordinates.scalar_type() == ScalarType::Double) {
    std::copy(means.begin(), means.end(), static_cast<double*>(coordinates.data_ptr()));
  } else if (bounded) {
    std::copy(means.begin(), means.end(), static_cast<float*>(coordinates.data_ptr()));
  }
  return {loss_of(gaussians.batch > 0 ? total : 0, mean), coordinates};
}

template <typename T>
void drop_free_bits(const Tensor& coordinates, double free_bits, std::vector<double>& share) {
  const T* means = static_cast<const T*>(coordinates.data_ptr());
  for (size_t i = 0; i < share.size(); ++i) {
    if (means[i] <= static_cast<T>(free_bits)) share[i] = 0;
  }
}

std::tuple<Tensor, Tensor> divergence_backward(const Tensor& grad_output, const Tensor& mean,
                                               const Tensor& log_variance,
                                               const Tensor& coordinates, double free_bits,
                                               bool needs_mean, bool needs_log_variance) {
  const Tensor dense_mean = dense(mean), dense_log_variance = dense(log_variance);
  const Gaussians gaussians = gaussians_of(dense_mean, dense_log_variance);
  check_loss_gradient(grad_output, mean);
  Tensor grad_mean = like(mean, needs_mean);
  Tensor grad_log_variance = like(log_variance, needs_log_variance);
  if (gaussians.batch == 0) return {grad_mean, grad_log_variance};
  std::vector<double> share(gaussians.size, value_of(grad_output) / double(gaussians.batch));
  if (free_bits > 0) {
    check_coordinates(coordinates, gaussians, mean);
    coordinates.scalar_type() == ScalarType::Double
        ? drop_free_bits<double>(coordinates, free_bits, share)
        : drop_free_bits<float>(coordinates, free_bits, share);
  }
  const auto kernel = FASTPOSE_CPU(divergence_gradients);
  const int64_t work = std::max<int64_t>(gaussians.size, 1);
  parallel_for(0, gaussians.batch, (kNumbersPerThread + work - 1) / work,
               [&](int64_t first, int64_t last) {
                 kernel(gaussians, share.data(), needs_mean ? grad_mean.data_ptr() : nullptr,
                        needs_log_variance ? grad_log_variance.data_ptr() : nullptr, first, last);
               });
  return {grad_mean, grad_log_variance};
}

// --- adversary -----------------------------------------------------------------------------------

Tensor least_squares_forward(const std::vector<Tensor>& scores, double target) {
  check_scores(scores);
  double total = 0;
  for (const Tensor& each : scores) {
    const Tensor all = dense(each);
    total += squares({numbers_of(all), nullptr, target}) * score_share(each, scores.size());
  }
  return loss_of(total, scores[0]);
}

std::vector<Tensor> least_squares_backward(const Tensor& grad_output,
                                           const std::vector<Tensor>& scores, double target) {
  check_scores(scores);
  check_loss_gradient(grad_output, scores[0]);
  std::vector<Tensor> grads;
  for (const Tensor& each : scores) {
    const Tensor all = dense(each);
    grads.push_back(like(each, true));
    gradients({numbers_of(all), nullptr, target},
              2 * score_share(each, scores.size()) * value_of(grad_output), grads.back().data_ptr(),
              nullptr);
  }
  return grads;
}

STABLE_TORCH_LIBRARY_IMPL(fastpose, CPU, m) {
  m.impl("anchor_loss", TORCH_BOX(&anchor_forward));
  m.impl("anchor_loss_backward", TORCH_BOX(&anchor_backward));
  m.impl("boundary_loss", TORCH_BOX(&boundary_forward));
  m.impl("boundary_loss_backward", TORCH_BOX(&boundary_backward));
  m.impl("gaussian_kl", TORCH_BOX(&divergence_forward));
  m.impl("gaussian_kl_backward", TORCH_BOX(&divergence_backward));
  m.impl("least_squares_gan", TORCH_BOX(&least_squares_forward));
  m.impl("least_squares_gan_backward", TORCH_BOX(&least_squares_backward));
}

}  // namespace
}  // namespace fastpose
