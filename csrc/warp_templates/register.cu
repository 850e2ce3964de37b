// warp_templates for CUDA tensors: from torch's arguments to the launches of cuda.cu and back.
#include <torch/csrc/stable/accelerator.h>
#include <torch/csrc/stable/library.h>
#include <torch/csrc/stable/ops.h>
#include <torch/csrc/stable/tensor.h>

#include <tuple>

#include "common/stream.h"
#include "warp_templates/arguments.h"
#include "warp_templates/cuda.cuh"

namespace fastpose {
namespace {

using torch::headeronly::ScalarType;
using torch::stable::Tensor;
using torch::stable::accelerator::DeviceGuard;
using warp::Warp;

void into(const Tensor& templates, const Tensor& affine, Tensor out) {
  const int32_t device = affine.get_device_index();
  const DeviceGuard guard(device);
  const Tensor dense = torch::stable::contiguous(templates);
  const Warp warp = warp::warp_of(dense, affine, out);
  check_launch(warp::cuda_forward(warp, image_of(out), current_stream(device)), "warp_templates");
}

Tensor forward(const Tensor& templates, const Tensor& affine, int64_t height, int64_t width,
               ScalarType dtype) {
  warp::warp_of(templates, affine, height, width);  // checks them
  Tensor out = new_tensor(affine, {affine.size(0), affine.size(1), height, width}, dtype);
  into(templates, affine, out);
  return out;
}

Tensor grad_of_affine(const Warp& warp, const Image& image, const Tensor& affine,
                      cudaStream_t stream) {
  Tensor result = new_tensor(affine, {affine.size(0), affine.size(1), 2, 3});
  const Tensor scratch = new_tensor(
      affine, {warp::cuda_backward_affine_scratch(warp) / int64_t(affine.element_size())});
  check_launch(
      warp::cuda_backward_affine(warp, image, scratch.data_ptr(), result.data_ptr(), stream),
      "warp_templates_backward");
  return result;
}

Tensor grad_of_templates(const Warp& warp, const Image& image, const Tensor& templates,
                         cudaStream_t stream) {
  Tensor result = new_tensor(templates, {templates.size(0), templates.size(1), templates.size(2)});
  check_launch(warp::cuda_backward_templates(warp, image, result.data_ptr(), stream),
               "warp_templates_backward");
  return result;
}

std::tuple<Tensor, Tensor> backward(const Tensor& grad_output, const Tensor& templates,
                                    const Tensor& affine, bool needs_templates, bool needs_affine) {
  const int32_t device = affine.get_device_index();
  const DeviceGuard guard(device);
  const Tensor dense = torch::stable::contiguous(templates);
  const Warp warp = warp::warp_of(dense, affine, grad_output);
  const Image image = image_of(grad_output);
  const cudaStream_t stream = current_stream(device);
  return {needs_templates ? grad_of_templates(warp, image, templates, stream)
                          : new_tensor(templates, {0}),
          needs_affine ? grad_of_affine(warp, image, affine, stream) : new_tensor(affine, {0})};
}

STABLE_TORCH_LIBRARY_IMPL(fastpose, CUDA, m) {
  m.impl("warp_templates", TORCH_BOX(&forward));
  m.impl("warp_templates_out", TORCH_BOX(&into));
  m.impl("warp_templates_backward", TORCH_BOX(&backward));
}

}  // namespace
}  // namespace fastpose
