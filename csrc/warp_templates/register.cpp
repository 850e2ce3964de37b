// warp_templates for CPU tensors: from torch's arguments to the kernels of cpu.cpp and back.
#include <torch/csrc/stable/library.h>
#include <torch/csrc/stable/ops.h>
#include <torch/csrc/stable/tensor.h>

#include <tuple>
#include <vector>

#include "common/check.h"
#include "common/parallel.h"
#include "warp_templates/arguments.h"
#include "warp_templates/math.h"
#include "warp_templates/warp_templates.h"

namespace fastpose {
namespace {

using torch::headeronly::ScalarType;
using torch::stable::Tensor;
using warp::Warp;

constexpr int64_t kPixelsPerThread = 8192;  // fewer are not worth waking a thread for

// Calls run(scratch, first, last) over `tasks`, on torch's threads, at least `grain` of them each,
// with `size` elements of memory.
template <typename Run>
void for_tasks(const Warp& warp, int64_t tasks, int64_t grain, int64_t size, const Run& run) {
  FASTPOSE_CHECK(size < int64_t{1} << 31, "templates of fewer than 2^31 texels");
  const int64_t bytes = size * (warp.is_double ? sizeof(double) : sizeof(float));
  parallel_for(0, tasks, grain, bytes, run);
}

// The same over all tasks of forward and of the gradient of the maps.
template <typename Run>
void for_tasks(const Warp& warp, const Run& run) {
  const int64_t rows = warp.height < warp::kBandRows ? warp.height : warp::kBandRows;
  const int64_t per_task = warp::kTaskImages * rows * warp.width;
  const int64_t grain = (kPixelsPerThread + per_task - 1) / per_task;
  for_tasks(warp, warp::tasks(warp), grain, warp::scratch_size(warp), run);
}

void draw(const Warp& warp, const Image& output) {
  const auto kernel = FASTPOSE_CPU(warp_templates_forward);
  for_tasks(warp, [&](void* scratch, int64_t first, int64_t last) {
    kernel(warp, output, scratch, first, last);
  });
}

// Adds up the bands of every map in their order and turns the sums into its gradient.
template <typename T>
void finish_gradients(const Warp& warp, const double* sums, T* grad_affine) {
  const int64_t* step = warp.affine_stride;
  for (int64_t b = 0; b < warp.batch; ++b) {
    for (int64_t k = 0; k < warp.count; ++k) {
      double total[warp::kMapSums] = {};
      for (int i = 0; i < warp::bands(warp) * warp::kMapSums; ++i) {
        total[i % warp::kMapSums] += *sums++;
      }
      const T* row = static_cast<const T*>(warp.affine) + b * step[0] + k * step[1];
      const T* next = row + step[2];
      const auto map = warp::make_map<T, double>(row[0], row[step[3]], row[2 * step[3]], next[0],
                                                 next[step[3]], next[2 * step[3]]);
      const auto grad =
          warp::finish(map, {total[0], total[1], total[2], total[3], total[4], total[5]});
      for (const double value : {grad.a, grad.b, grad.tx, grad.c, grad.d, grad.ty}) {
        *grad_affine++ = static_cast<T>(value);
      }
    }
  }
}

Tensor forward(const Tensor& templates, const Tensor& affine, int64_t height, int64_t width,
               ScalarType dtype) {
  const Warp warp = warp::warp_of(templates, affine, height, width);
  Tensor output = new_tensor(affine, {affine.size(0), affine.size(1), height, width}, dtype);
  draw(warp, image_of(output));
  return output;
}

void into(const Tensor& templates, const Tensor& affine, Tensor out) {
  draw(warp::warp_of(templates, affine, out), image_of(out));
}

Tensor grad_of_affine(const Warp& warp, const Image& grad_output, const Tensor& affine) {
  Tensor result = new_tensor(affine, {affine.size(0), affine.size(1), 2, 3});
  std::vector<double> sums(warp.batch * warp.count * warp::bands(warp) * warp::kMapSums);
  const auto kernel = FASTPOSE_CPU(warp_templates_backward_affine);
  for_tasks(warp, [&](void* scratch, int64_t first, int64_t last) {
    kernel(warp, grad_output, scratch, sums.data(), first, last);
  });
  warp.is_double ? finish_gradients(warp, sums.data(), static_cast<double*>(result.data_ptr()))
                 : finish_gradients(warp, sums.data(), static_cast<float*>(result.data_ptr()));
  return result;
}

Tensor grad_of_templates(const Warp& warp, const Image& grad_output, const Tensor& templates) {
  Tensor result = new_tensor(templates, {templates.size(0), templates.size(1), templates.size(2)});
  const auto kernel = FASTPOSE_CPU(warp_templates_backward_templates);
  for_tasks(warp, warp.count, 1, warp::cells_size(warp),
            [&](void* scratch, int64_t first, int64_t last) {
              kernel(warp, grad_output, scratch, result.data_ptr(), first, last);
            });
  return result;
}

std::tuple<Tensor, Tensor> backward(const Tensor& grad_output, const Tensor& templates,
                                    const Tensor& affine, bool needs_templates, bool needs_affine) {
  const Warp warp = warp::warp_of(templates, affine, grad_output);
  const Image image = image_of(grad_output);
  return {needs_templates ? grad_of_templates(warp, image, templates) : new_tensor(templates, {0}),
          needs_affine ? grad_of_affine(warp, image, affine) : new_tensor(affine, {0})};
}

STABLE_TORCH_LIBRARY_IMPL(fastpose, CPU, m) {
  m.impl("warp_templates", TORCH_BOX(&forward));
  m.impl("warp_templates_out", TORCH_BOX(&into));
  m.impl("warp_templates_backward", TORCH_BOX(&backward));
}

}  // namespace
}  // namespace fastpose
