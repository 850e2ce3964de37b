// soft_argmax for CUDA tensors: from torch's arguments to the launches of cuda.cu and back.
#include <torch/csrc/stable/accelerator.h>
#include <torch/csrc/stable/library.h>
#include <torch/csrc/stable/tensor.h>

#include <optional>
#include <tuple>

#include "common/stream.h"
#include "soft_argmax/arguments.h"
#include "soft_argmax/cuda.cuh"

namespace fastpose {
namespace {

using soft_argmax::Maps;
using torch::headeronly::ScalarType;
using torch::stable::Tensor;
using torch::stable::accelerator::DeviceGuard;

std::tuple<Tensor, Tensor, Tensor> forward(const Tensor& logits, bool joint, double extent,
                                           int64_t height, int64_t width, ScalarType dtype,
                                           bool channels_last) {
  FASTPOSE_CHECK(logits.dim() == 4, "logits are a tensor (B, K, H, W)");
  const Maps maps = soft_argmax::maps_of(logits, logits.size(0), logits.size(1), joint, extent,
                                         height, width, dtype, channels_last);
  const int32_t device = logits.get_device_index();
  const DeviceGuard guard(device);
  const soft_argmax::Outputs outputs = soft_argmax::new_outputs(logits, maps);
  check_launch(soft_argmax::cuda_forward(maps, outputs.results(), current_stream(device)),
               "soft_argmax");
  return {outputs.points, outputs.confidence, outputs.kept};
}

Tensor backward(const std::optional<Tensor>& grad_points,
                const std::optional<Tensor>& grad_confidence, const std::optional<Tensor>& logits,
                const Tensor& kept, bool joint, double extent, int64_t height, int64_t width,
                ScalarType dtype, bool channels_last) {
  FASTPOSE_CHECK(logits || !joint, "the joint mode needs the logits");
  FASTPOSE_CHECK(!logits || together(*logits, kept), "all tensors lie on one device");
  const int64_t count = soft_argmax::maps_of_kept(kept, joint, channels_last);
  const Maps maps = soft_argmax::maps_of(logits, kept.size(0), count, joint, extent, height, width,
                                         dtype, channels_last);
  const int32_t device = kept.get_device_index();
  const DeviceGuard guard(device);
  Tensor grad_logits = soft_argmax::new_gradient(kept, maps, dtype);
  const soft_argmax::Gradients gradients =
      soft_argmax::gradients_of(grad_points, grad_confidence, kept, maps, grad_logits);
  check_launch(soft_argmax::cuda_backward(maps, gradients, current_stream(device)),
               "soft_argmax_backward");
  return grad_logits;
}

STABLE_TORCH_LIBRARY_IMPL(fastpose, CUDA, m) {
  m.impl("soft_argmax", TORCH_BOX(&forward));
  m.impl("soft_argmax_backward", TORCH_BOX(&backward));
}

}  // namespace
}  // namespace fastpose
