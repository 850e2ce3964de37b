// structural_similarity for CUDA tensors: from torch's arguments to the launches of cuda.cu and
// back.
#include <torch/csrc/stable/accelerator.h>
#include <torch/csrc/stable/library.h>
#include <torch/csrc/stable/ops.h>
#include <torch/csrc/stable/tensor.h>

#include <tuple>

#include "common/stream.h"
#include "structural_similarity/arguments.h"
#include "structural_similarity/cuda.cuh"

namespace fastpose {
namespace {

using namespace similarity;  // NOLINT
using torch::stable::accelerator::DeviceGuard;

std::tuple<Tensor, Tensor, Tensor> forward(const Tensor& x, const Tensor& y, int64_t window,
                                           double data_range, bool sample_covariance,
                                           bool slope_of_x, bool slope_of_y) {
  const Comparison pair = comparison_of(x, y, window, data_range, sample_covariance);
  const int32_t device = x.get_device_index();
  const DeviceGuard guard(device);
  Tensor slope_x = like(x, slope_of_x), slope_y = like(y, slope_of_y);
  const Slopes slopes{image_or_nothing(slope_x, slope_of_x), image_or_nothing(slope_y, slope_of_y)};
  Tensor output = new_tensor(x, {pair.batch}, wide_type(x));
  const Tensor scratch = new_tensor(x, {cuda_forward_scratch(pair)}, ScalarType::Double);
  check_launch(cuda_forward(pair, slopes, windows(window, pair.channels, pair.height, pair.width),
                            static_cast<double*>(scratch.data_ptr()), output.data_ptr(),
                            current_stream(device)),
               "structural_similarity");
  return {output, slope_x, slope_y};
}

Tensor gradient(const Tensor& grad_output, const Tensor& slope, int64_t window, double data_range,
                bool needed) {
  Tensor grad = like(slope, needed);
  if (!needed) return grad;
  check_slope(slope, grad_output, window);
  const int64_t size[4] = {slope.size(0), slope.size(1), slope.size(2), slope.size(3)};
  const double per_window = 1 / (data_range * windows(window, size[1], size[2], size[3]));
  check_launch(
      cuda_backward(image_of(slope), image_of(grad), grad_output.data_ptr(), grad_output.stride(0),
                    per_window, size, current_stream(slope.get_device_index())),
      "structural_similarity_backward");
  return grad;
}

std::tuple<Tensor, Tensor> backward(const Tensor& grad_output, const Tensor& slope_x,
                                    const Tensor& slope_y, int64_t window, double data_range,
                                    bool needs_x, bool needs_y) {
  const DeviceGuard guard(grad_output.get_device_index());
  return {gradient(grad_output, slope_x, window, data_range, needs_x),
          gradient(grad_output, slope_y, window, data_range, needs_y)};
}

STABLE_TORCH_LIBRARY_IMPL(fastpose, CUDA, m) {
  m.impl("structural_similarity", TORCH_BOX(&forward));
  m.impl("structural_similarity_backward", TORCH_BOX(&backward));
}

}  // namespace
}  // namespace fastpose
