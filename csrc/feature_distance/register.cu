// feature_distance for CUDA tensors: from torch's arguments to the launches of cuda.cu and back.
#include <torch/csrc/stable/accelerator.h>
#include <torch/csrc/stable/library.h>

#include <optional>
#include <tuple>
#include <vector>

#include "common/stream.h"
#include "feature_distance/arguments.h"
#include "feature_distance/cuda.cuh"

namespace fastpose {
namespace {

using features::Distance;
using features::Tensor;
using torch::headeronly::ScalarType;
using torch::stable::accelerator::DeviceGuard;

std::tuple<Tensor, Tensor> forward(std::vector<Tensor> given, std::vector<Tensor> targets,
                                   std::optional<Tensor> mask, std::optional<Tensor> running_mean,
                                   std::optional<Tensor> started, std::vector<Tensor> gradients,
                                   int64_t norm, double momentum, bool update, bool through_mean) {
  const auto wide = features::type_of_loss(given);
  const int32_t device = given[0].get_device_index();
  const DeviceGuard guard(device);
  Tensor loss = new_tensor(given[0], {}, wide);
  Tensor scale = new_tensor(given[0], {int64_t(given.size())}, wide);
  const Distance distance =
      features::distance_of(given, targets, mask, running_mean, started, gradients, norm, momentum,
                            update, through_mean, loss, scale);
  const int64_t bytes = features::cuda_forward_scratch(distance);
  const Tensor scratch =
      new_tensor(given[0], {bytes / int64_t(sizeof(double))}, ScalarType::Double);
  check_launch(features::cuda_forward(distance, scratch.data_ptr(), current_stream(device)),
               "feature_distance");
  return {loss, scale};
}

void backward(Tensor grad_loss, Tensor scale, std::vector<Tensor> gradients) {
  features::check_gradients(grad_loss, scale, gradients);
  const int32_t device = scale.get_device_index();
  const DeviceGuard guard(device);
  features::Gradients all = {};
  for (const Tensor& gradient : gradients) {
    all.data[all.layers] = gradient.data_ptr();
    all.element[all.layers] = element_of(gradient.scalar_type());
    all.numel[all.layers++] = gradient.numel();
  }
  all.grad_loss = grad_loss.data_ptr();
  all.scale = scale.data_ptr();
  all.is_double = scale.scalar_type() == ScalarType::Double;
  check_launch(features::cuda_backward(all, current_stream(device)), "feature_distance_backward");
}

STABLE_TORCH_LIBRARY_IMPL(fastpose, CUDA, m) {
  m.impl("feature_distance", TORCH_BOX(&forward));
  m.impl("feature_distance_backward", TORCH_BOX(&backward));
}

}  // namespace
}  // namespace fastpose
