// render_skeleton for CPU tensors: from torch's arguments to the kernels of cpu.cpp and back.
#include <torch/csrc/stable/library.h>
#include <torch/csrc/stable/ops.h>
#include <torch/csrc/stable/tensor.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "common/check.h"
#include "common/parallel.h"
#include "render_skeleton/math.h"
#include "render_skeleton/render_skeleton.h"

namespace fastpose {
namespace {

using skeleton::Drawing;
using skeleton::Grid;
using torch::headeronly::ScalarType;
using torch::stable::Tensor;

constexpr int64_t kPixelsPerThread = 8192;  // fewer are not worth waking a thread for
constexpr int kPastTheEdge = 16;            // see Grid

Element element_of(ScalarType type) {
  switch (type) {
    case ScalarType::Float:
      return Element::float32;
    case ScalarType::Double:
      return Element::float64;
    case ScalarType::BFloat16:
      return Element::bfloat16;
    case ScalarType::Half:
      return Element::float16;
    default:
      FASTPOSE_CHECK(false, "images are float32, float64, bfloat16 or float16");
  }
}

Image image_of(const Tensor& tensor) {
  FASTPOSE_CHECK(tensor.dim() == 4 && tensor.is_cpu(), "an image is a CPU tensor (B, C, H, W)");
  return {tensor.data_ptr(),
          element_of(tensor.scalar_type()),
          {tensor.stride(0), tensor.stride(1), tensor.stride(2), tensor.stride(3)}};
}

// Everything that a wrong value of could make a kernel leave its arrays.
void check_plan(const Drawing& drawing, int64_t numel) {
  const int64_t header = int64_t{drawing.channels} + 1 + 2 * int64_t{drawing.limbs} + 1;
  FASTPOSE_CHECK(numel >= header, "the plan is too short");
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

Drawing drawing_of(const Tensor& points, const Tensor& plan, const std::optional<Tensor>& widths,
                   int64_t limbs, int64_t channels, int64_t height, int64_t width, double sharpness,
                   int64_t profile, double eps) {
  const ScalarType type = points.scalar_type();
  FASTPOSE_CHECK(points.dim() == 3 && points.size(2) == 2 &&
                     (type == ScalarType::Float || type == ScalarType::Double),
                 "points are float32 or float64 (B, K, 2)");
  FASTPOSE_CHECK(plan.is_cpu() && plan.scalar_type() == ScalarType::Int && plan.dim() == 1 &&
                     plan.is_contiguous(),
                 "the plan is a contiguous int32 CPU vector");
  FASTPOSE_CHECK(limbs >= 1 && limbs <= skeleton::kMostLimbs, "1 to 512 limbs");
  FASTPOSE_CHECK(channels >= 1 && height >= 1 && width >= 1 && channels < (1 << 20) &&
                     height < (int64_t{1} << 31) - kPastTheEdge &&
                     width < (int64_t{1} << 31) - kPastTheEdge,
                 "sizes are at least 1 and fit 32 bits");
  FASTPOSE_CHECK(!widths || (widths->is_cpu() && widths->scalar_type() == ScalarType::Float &&
                             widths->is_contiguous() && widths->numel() == limbs),
                 "widths are a contiguous float32 CPU vector, one per limb");
  Drawing drawing{points.data_ptr(),
                  {points.stride(0), points.stride(1), points.stride(2)},
                  type == ScalarType::Double,
                  static_cast<const int32_t*>(plan.data_ptr()),
                  widths ? static_cast<const float*>(widths->data_ptr()) : nullptr,
                  points.size(0),
                  points.size(1),
                  static_cast<int32_t>(limbs),
                  static_cast<int32_t>(channels),
                  static_cast<int32_t>(height),
                  static_cast<int32_t>(width),
                  sharpness,
                  eps,
                  static_cast<int>(profile)};
  check_plan(drawing, plan.numel());
  return drawing;
}

template <typename T>
std::vector<T> pixel_centres(int size) {
  std::vector<T> centres(size + kPastTheEdge);
  const double start = skeleton::pixel_start(size), step = skeleton::pixel_step(size);
  for (int i = 0; i < size + kPastTheEdge; ++i) centres[i] = static_cast<T>(start + i * step);
  return centres;
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
  const Drawing drawing =
      drawing_of(points, plan, widths, limbs, channels, height, width, sharpness, profile, eps);
  Tensor output =
      torch::stable::new_empty(points, {points.size(0), channels, height, width}, dtype);
  draw(drawing, image_of(output));
  return output;
}

void into(const Tensor& points, const Tensor& plan, const std::optional<Tensor>& widths,
          int64_t limbs, int64_t channels, double sharpness, int64_t profile, double eps,
          Tensor out) {
  const Image output = image_of(out);
  FASTPOSE_CHECK(out.size(0) == points.size(0) && out.size(1) == channels,
                 "out does not fit points and limbs");
  draw(drawing_of(points, plan, widths, limbs, channels, out.size(2), out.size(3), sharpness,
                  profile, eps),
       output);
}

Tensor backward(const Tensor& grad_output, const Tensor& points, const Tensor& plan,
                const std::optional<Tensor>& widths, int64_t limbs, double sharpness,
                int64_t profile, double eps) {
  const Image image = image_of(grad_output);
  FASTPOSE_CHECK(grad_output.size(0) == points.size(0), "grad_output does not fit points");
  const Drawing drawing =
      drawing_of(points, plan, widths, limbs, grad_output.size(1), grad_output.size(2),
                 grad_output.size(3), sharpness, profile, eps);
  Tensor grad_points = torch::stable::new_empty(points, {points.size(0), points.size(1), 2});
  std::vector<double> sums(drawing.batch * skeleton::bands(drawing) * limbs * 4);
  const auto kernel = FASTPOSE_CPU(render_skeleton_backward);
  const auto run = [&](const Grid& grid, int64_t first, int64_t last) {
    kernel(drawing, grid, image, sums.data(), first, last);
  };
  if (drawing.is_double) {
    for_tasks<double>(drawing, run);
    finish_gradients(drawing, sums.data(), static_cast<double*>(grad_points.data_ptr()));
  } else {
    for_tasks<float>(drawing, run);
    finish_gradients(drawing, sums.data(), static_cast<float*>(grad_points.data_ptr()));
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
