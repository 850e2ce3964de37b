// structural_similarity for CPU tensors: from torch's arguments to the kernels of cpu.cpp and back.
#include <torch/csrc/stable/library.h>
#include <torch/csrc/stable/ops.h>
#include <torch/csrc/stable/tensor.h>

#include <algorithm>
#include <tuple>
#include <vector>

#include "common/parallel.h"
#include "structural_similarity/arguments.h"
#include "structural_similarity/structural_similarity.h"

namespace fastpose {
namespace {

using namespace similarity;  // NOLINT

constexpr int64_t kPixelsPerThread = 4096;  // fewer are not worth waking a thread for

template <typename T>
void write_means(const std::vector<double>& sums, double windows, Tensor& means) {
  T* to = static_cast<T*>(means.data_ptr());
  const int64_t batch = means.numel(), parts = batch ? int64_t(sums.size()) / batch : 0;
  for (int64_t b = 0; b < batch; ++b) {
    double total = 0;
    for (int64_t i = 0; i < parts; ++i) total += sums[b * parts + i];
    to[b] = static_cast<T>(total / windows);
  }
}

std::tuple<Tensor, Tensor, Tensor> forward(const Tensor& x, const Tensor& y, int64_t window,
                                           double data_range, bool sample_covariance,
                                           bool slope_of_x, bool slope_of_y) {
  const Comparison pair = comparison_of(x, y, window, data_range, sample_covariance);
  Tensor slope_x = like(x, slope_of_x), slope_y = like(y, slope_of_y);
  const Slopes slopes{image_or_nothing(slope_x, slope_of_x), image_or_nothing(slope_y, slope_of_y)};
  const int64_t tasks = pair.batch * pair.channels * tiles(pair);
  std::vector<double> sums(tasks);
  const auto kernel = FASTPOSE_CPU(structural_similarity_forward);
  const int64_t pixels =
      std::min<int64_t>(int64_t{pair.height} * pair.width, int64_t{kTileRows} * kTileColumns);
  parallel_for(
      0, tasks, (kPixelsPerThread + pixels - 1) / pixels,
      [&](int64_t first, int64_t last) { kernel(pair, slopes, sums.data(), first, last); });
  Tensor output = new_tensor(x, {pair.batch}, wide_type(x));
  const double count = windows(window, pair.channels, pair.height, pair.width);
  output.scalar_type() == ScalarType::Double ? write_means<double>(sums, count, output)
                                             : write_means<float>(sums, count, output);
  return {output, slope_x, slope_y};
}

Tensor gradient(const Tensor& grad_output, const Tensor& slope, int64_t window, double data_range,
                bool needed) {
  Tensor grad = like(slope, needed);
  if (!needed) return grad;
  check_slope(slope, grad_output, window);
  const int64_t batch = slope.size(0), channels = slope.size(1);
  const auto height = static_cast<int32_t>(slope.size(2));
  const auto width = static_cast<int32_t>(slope.size(3));
  const double per_window = 1 / (data_range * windows(window, channels, height, width));
  std::vector<double> share(batch);
  for (int64_t b = 0; b < batch; ++b) {
    const int64_t at = b * grad_output.stride(0);
    share[b] = per_window * (grad_output.scalar_type() == ScalarType::Double
                                 ? static_cast<const double*>(grad_output.data_ptr())[at]
                                 : static_cast<const float*>(grad_output.data_ptr())[at]);
  }
  Image from = image_of(slope), to = image_of(grad);
  const int64_t pixels = int64_t{height} * width, size[4] = {batch, channels, height, width};
  const bool flat = lie_flat(from, to, size);
  if (flat) {  // one row for each channel, whatever lies in it
    for (Image* image : {&from, &to}) {
      *image = {image->data, image->element, {channels * pixels, pixels, pixels, 1}};
    }
  }
  const auto kernel = FASTPOSE_CPU(structural_similarity_backward);
  parallel_for(0, batch * channels, (4 * kPixelsPerThread + pixels - 1) / pixels,
               [&](int64_t first, int64_t last) {
                 kernel(from, to, share.data(), channels, flat ? 1 : height,
                        static_cast<int32_t>(flat ? pixels : width), first, last);
               });
  return grad;
}

std::tuple<Tensor, Tensor> backward(const Tensor& grad_output, const Tensor& slope_x,
                                    const Tensor& slope_y, int64_t window, double data_range,
                                    bool needs_x, bool needs_y) {
  return {gradient(grad_output, slope_x, window, data_range, needs_x),
          gradient(grad_output, slope_y, window, data_range, needs_y)};
}

STABLE_TORCH_LIBRARY_IMPL(fastpose, CPU, m) {
  m.impl("structural_similarity", TORCH_BOX(&forward));
  m.impl("structural_similarity_backward", TORCH_BOX(&backward));
}

}  // namespace
}  // namespace fastpose
