// The pose losses for CUDA tensors: from torch's arguments to the launches of cuda.cu and back.
#include <torch/csrc/stable/accelerator.h>
#include <torch/csrc/stable/library.h>
#include <torch/csrc/stable/ops.h>
#include <torch/csrc/stable/tensor.h>

#include <tuple>
#include <vector>

#include "common/stream.h"
#include "pose_losses/arguments.h"
#include "pose_losses/cuda.cuh"

namespace fastpose {
namespace {

using namespace pose_losses;  // NOLINT
using torch::stable::accelerator::DeviceGuard;

Arrays arrays_of(Term term, const Tensor& a, double constant, double share) {
  Arrays arrays{};
  arrays.a[0] = a.data_ptr();
  arrays.count[0] = a.numel();
  arrays.share[0] = share;
  arrays.arrays = 1;
  arrays.element = element_of(a.scalar_type());
  arrays.term = term;
  arrays.constant = constant;
  return arrays;
}

Tensor loss_of(const Arrays& arrays, const Tensor& like, const char* name) {
  const int32_t device = like.get_device_index();
  const DeviceGuard guard(device);
  Tensor loss = new_tensor(like, {}, wide_type(like));
  check_launch(cuda_loss(arrays, loss.data_ptr(), current_stream(device)), name);
  return loss;
}

void backward(const Arrays& arrays, const Tensor& grad_output, const Gradients& gradients,
              const char* name) {
  check_launch(cuda_loss_backward(arrays, grad_output.data_ptr(), gradients,
                                  current_stream(grad_output.get_device_index())),
               name);
}

void* data_if(const Tensor& tensor, bool wanted) { return wanted ? tensor.data_ptr() : nullptr; }

// --- anchors -------------------------------------------------------------------------------------

Arrays anchors(const Tensor& a, const Tensor& b, bool code_form) {
  Arrays arrays = arrays_of(Term::pair, a, 0, anchor_share(a, code_form));
  arrays.b = b.data_ptr();
  return arrays;
}

Tensor anchor_forward(const Tensor& a, const Tensor& b, bool code_form) {
  check_points(a);
  check_alike(a, b);
  const Tensor dense_a = dense(a), dense_b = dense(b);
  return loss_of(anchors(dense_a, dense_b, code_form), a, "anchor_loss");
}

std::tuple<Tensor, Tensor> anchor_backward(const Tensor& grad_output, const Tensor& a,
                                           const Tensor& b, bool code_form, bool needs_a,
                                           bool needs_b) {
  check_points(a);
  check_alike(a, b);
  check_loss_gradient(grad_output, a);
  const DeviceGuard guard(a.get_device_index());
  const Tensor dense_a = dense(a), dense_b = dense(b);
  Tensor grad_a = like(a, needs_a), grad_b = like(b, needs_b);
  Gradients gradients{};
  gradients.a[0] = data_if(grad_a, needs_a);
  gradients.b = data_if(grad_b, needs_b);
  backward(anchors(dense_a, dense_b, code_form), grad_output, gradients, "anchor_loss_backward");
  return {grad_a, grad_b};
}

// --- boundary ------------------------------------------------------------------------------------

Tensor boundary_forward(const Tensor& points, double bound, bool code_form) {
  check_points(points);
  const Tensor all = dense(points);
  return loss_of(arrays_of(Term::outside, all, bound, boundary_share(points, code_form)), points,
                 "boundary_loss");
}

Tensor boundary_backward(const Tensor& grad_output, const Tensor& points, double bound,
                         bool code_form) {
  check_points(points);
  check_loss_gradient(grad_output, points);
  const DeviceGuard guard(points.get_device_index());
  const Tensor all = dense(points);
  Tensor grad = like(points, true);
  Gradients gradients{};
  gradients.a[0] = grad.data_ptr();
  backward(arrays_of(Term::outside, all, bound, boundary_share(points, code_form)), grad_output,
           gradients, "boundary_loss_backward");
  return grad;
}

// --- divergence ----------------------------------------------------------------------------------

std::tuple<Tensor, Tensor> divergence_forward(const Tensor& mean, const Tensor& log_variance,
                                              double free_bits) {
  const int32_t device = mean.get_device_index();
  const DeviceGuard guard(device);
  const Tensor dense_mean = dense(mean), dense_log_variance = dense(log_variance);
  const Gaussians gaussians = gaussians_of(dense_mean, dense_log_variance);
  const bool bounded = free_bits > 0;
  Tensor loss = new_tensor(mean, {}, wide_type(mean));
  Tensor coordinates = new_tensor(mean, {bounded ? gaussians.size : 0}, wide_type(mean));
  check_launch(cuda_divergence(gaussians, free_bits, loss.data_ptr(), data_if(coordinates, bounded),
                               current_stream(device)),
               "gaussian_kl");
  return {loss, coordinates};
}

std::tuple<Tensor, Tensor> divergence_backward(const Tensor& grad_output, const Tensor& mean,
                                               const Tensor& log_variance,
                                               const Tensor& coordinates, double free_bits,
                                               bool needs_mean, bool needs_log_variance) {
  check_loss_gradient(grad_output, mean);
  const int32_t device = mean.get_device_index();
  const DeviceGuard guard(device);
  const Tensor dense_mean = dense(mean), dense_log_variance = dense(log_variance);
  const Gaussians gaussians = gaussians_of(dense_mean, dense_log_variance);
  const bool bounded = free_bits > 0;
  if (bounded) check_coordinates(coordinates, gaussians, mean);
  Tensor grad_mean = like(mean, needs_mean);
  Tensor grad_log_variance = like(log_variance, needs_log_variance);
  check_launch(cuda_divergence_backward(gaussians, free_bits, data_if(coordinates, bounded),
                                        grad_output.data_ptr(), data_if(grad_mean, needs_mean),
                                        data_if(grad_log_variance, needs_log_variance),
                                        current_stream(device)),
               "gaussian_kl_backward");
  return {grad_mean, grad_log_variance};
}

// --- adversary -----------------------------------------------------------------------------------

std::vector<Tensor> dense_scores(const std::vector<Tensor>& scores) {
  check_scores(scores);
  std::vector<Tensor> all;
  for (const Tensor& each : scores) all.push_back(dense(each));
  return all;
}

Arrays arrays_of_scores(const std::vector<Tensor>& scores, double target) {
  Arrays arrays = arrays_of(Term::difference, scores[0], target, 0);
  arrays.arrays = static_cast<int32_t>(scores.size());
  for (size_t i = 0; i < scores.size(); ++i) {
    arrays.a[i] = scores[i].data_ptr();
    arrays.count[i] = scores[i].numel();
    arrays.share[i] = score_share(scores[i], scores.size());
  }
  return arrays;
}

Tensor least_squares_forward(const std::vector<Tensor>& scores, double target) {
  const std::vector<Tensor> all = dense_scores(scores);
  return loss_of(arrays_of_scores(all, target), scores[0], "least_squares_gan");
}

std::vector<Tensor> least_squares_backward(const Tensor& grad_output,
                                           const std::vector<Tensor>& scores, double target) {
  const std::vector<Tensor> all = dense_scores(scores);
  check_loss_gradient(grad_output, scores[0]);
  const DeviceGuard guard(grad_output.get_device_index());
  std::vector<Tensor> grads;
  Gradients gradients{};
  for (const Tensor& each : all) {
    gradients.a[grads.size()] = grads.emplace_back(like(each, true)).data_ptr();
  }
  backward(arrays_of_scores(all, target), grad_output, gradients, "least_squares_gan_backward");
  return grads;
}

STABLE_TORCH_LIBRARY_IMPL(fastpose, CUDA, m) {
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
