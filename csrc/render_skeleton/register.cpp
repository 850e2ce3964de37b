// render_skeleton for CPU tensors: from torch's arguments to the kernels of cpu.cpp and back.
#include <torch/csrc/stable/library.h>
#include <torch/csrc/stable/ops.h>
#include <torch/csrc/stable/tensor.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <vector>

#include "common/check.h"
#include "common/parallel.h"
#include "common/pixel_centres.h"
#include "render_skeleton/arguments.h"
#include "render_skeleton/math.h"
#include "render_skeleton/render_skeleton.h"

namespace fastpose {
namespace {

using skeleton::Drawing;
using skeleton::Grid;
using torch::headeronly::ScalarType;
using torch::stable::Tensor;

constexpr int64_t kPixelsPerThread = 8192;  // fewer are not worth waking a thread for

// Everything that a wrong value of could make a kernel leave its arrays.
void check_plan(const Drawing& drawing, const Tensor& plan) {
  const int64_t header = int64_t{drawing.channels} + 1 + 2 * int64_t{drawing.limbs} + 1;
  const int64_t numel = plan.numel();
  const int32_t* first = drawing.plan;
  const int32_t* offset = first + drawing.channels + 1;
  const int32_t* index = offset + 2 * drawing.limbs + 1;
  bool right = first[0] == 0 && first[drawing.channels] == drawing.limbs && offset[0] == 0 &&
               offset[2 * drawing.limbs] == numel - header;
  for (int c = 0; c < drawing.channels; ++c) right = right && first[c] <= first[c + 1];
  for (int i = 0; i < 2 * drawing.limbs; ++i) right = right && offset[i] < offset[i + 1];
  for (int64_t i = 0; right && i < numel - header; ++i) {
    right = index[i] >= 0 && index[i] < drawing.joints;
  }
  FASTPOSE_CHECK(right, "the plan does not fit the points");
}

// Calls run(grid, first, last) over all tasks, on torch's threads.
template <typename T, typename Run>
void for_tasks(const Drawing& drawing, const Run& run) {
  const std::vector<T> x = pixel_centres<T>(drawing.width), y = pixel_centres<T>(drawing.height);
  const Grid grid{x.data(), y.data()};
  const int64_t per_task = int64_t{drawing.channels} * skeleton::kBandRows * drawing.width;
  const int64_t grain = (kPixelsPerThread + per_task - 1) / per_task;
  parallel_for(0, drawing.batch * skeleton::bands(drawing), grain,
               [&](int64_t first, int64_t last) { run(grid, first, last); });
}

void draw(const Drawing& drawing, const Image& output) {
  const auto kernel = FASTPOSE_CPU(render_skeleton_forward);
  const auto run = [&](const Grid& grid, int64_t first, int64_t last) {
    kernel(drawing, grid, output, first, last);
  };
  drawing.is_double ? for_tasks<double>(drawing, run) : for_tasks<float>(drawing, run);
}

// Adds up the bands in their order, turns the sums into gradients of the ends and hands every joint
// its share.
template <typename T>
void finish_gradients(const Drawing& drawing, const double* sums, T* grad_points) {
  const int32_t* offset = drawing.plan + drawing.channels + 1;
  const int32_t* index = offset + 2 * drawing.limbs + 1;
  const int64_t stride = drawing.point_stride[1], axis = drawing.point_stride[2];
  const int bands = skeleton::bands(drawing);
  std::vector<double> total(2 * drawing.joints);
  for (int64_t b = 0; b < drawing.batch; ++b) {
    const T* joints = static_cast<const T*>(drawing.points) + b * drawing.point_stride[0];
    std::fill(total.begin(), total.end(), 0.0);
    for (int e = 0; e < drawing.limbs; ++e) {
      skeleton::LimbSums<double> sum{};
      for (int i = 0; i < bands; ++i) {
        const double* part = sums + ((b * bands + i) * drawing.limbs + e) * 4;
        sum = {sum.start + part[0], sum.end + part[1], sum.across + part[2], sum.turn + part[3]};
      }
      const int32_t* from = offset + 2 * e;
      const auto at = [&](int end, int64_t coordinate) {
        return skeleton::mean_coordinate(joints + coordinate, stride, index, from[end],
                                         from[end + 1]);
      };
      const T width = drawing.widths ? T(drawing.widths[e]) : T(0);
      const auto limb = skeleton::make_limb(at(0, 0), at(0, axis), at(1, 0), at(1, axis), width);
      const auto grad = skeleton::finish(limb, sum);
      const double ends[2][2] = {{grad.ax, grad.ay}, {grad.bx, grad.by}};
      for (int end = 0; end < 2; ++end) {
        const double share = 1.0 / (from[end + 1] - from[end]);
        for (int i = from[end]; i < from[end + 1]; ++i) {
          total[2 * index[i]] += share * ends[end][0];
          total[2 * index[i] + 1] += share * ends[end][1];
        }
      }
    }
    for (const double value : total) *grad_points++ = static_cast<T>(value);
  }
}

Tensor forward(const Tensor& points, const Tensor& plan, const std::optional<Tensor>& widths,
               int64_t limbs, int64_t channels, int64_t height, int64_t width, double sharpness,
               int64_t profile, double eps, ScalarType dtype) {
  const Drawing drawing = skeleton::drawing_of(points, plan, widths, limbs, channels, height, width,
                                               sharpness, profile, eps);
  check_plan(drawing, plan);
  Tensor output = new_tensor(points, {points.size(0), channels, height, width}, dtype);
  draw(drawing, image_of(output));
  return output;
}

void into(const Tensor& points, const Tensor& plan, const std::optional<Tensor>& widths,
          int64_t limbs, int64_t channels, double sharpness, int64_t profile, double eps,
          Tensor out) {
  skeleton::check_image(out, points, channels);
  const Drawing drawing = skeleton::drawing_of(points, plan, widths, limbs, channels, out.size(2),
                                               out.size(3), sharpness, profile, eps);
  check_plan(drawing, plan);
  draw(drawing, image_of(out));
}

Tensor backward(const Tensor& grad_output, const Tensor& points, const Tensor& plan,
                const std::optional<Tensor>& widths, int64_t limbs, double sharpness,
                int64_t profile, double eps) {
  const Image image = image_of(grad_output);
  skeleton::check_image(grad_output, points, grad_output.size(1));
  const Drawing drawing =
      skeleton::drawing_of(points, plan, widths, limbs, grad_output.size(1), grad_output.size(2),
                           grad_output.size(3), sharpness, profile, eps);
  check_plan(drawing, plan);
  Tensor grad_points = new_tensor(points, {points.size(0), points.size(1), 2});
  // Not set to 0, which would bring it into this thread's cache and take it out of the others'.
  const auto sums = std::make_unique_for_overwrite<double[]>(drawing.batch *
                                                             skeleton::bands(drawing) * limbs * 4);
  const auto kernel = FASTPOSE_CPU(render_skeleton_backward);
  const auto run = [&](const Grid& grid, int64_t first, int64_t last) {
    kernel(drawing, grid, image, sums.get(), first, last);
  };
  if (drawing.is_double) {
    for_tasks<double>(drawing, run);
    finish_gradients(drawing, sums.get(), static_cast<double*>(grad_points.data_ptr()));
  } else {
    for_tasks<float>(drawing, run);
    finish_gradients(drawing, sums.get(), static_cast<float*>(grad_points.data_ptr()));
  }
  return grad_points;
}

STABLE_TORCH_LIBRARY_IMPL(fastpose, CPU, m) {
  m.impl("render_skeleton", TORCH_BOX(&forward));
  m.impl("render_skeleton_out", TORCH_BOX(&into));
  m.impl("render_skeleton_backward", TORCH_BOX(&backward));
}

}  // namespace
}  // namespace fastpose
