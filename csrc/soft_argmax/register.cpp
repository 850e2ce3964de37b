// soft_argmax for CPU tensors: from torch's arguments to the kernels of cpu.cpp and back.
#include <torch/csrc/stable/library.h>
#include <torch/csrc/stable/tensor.h>

#include <optional>
#include <tuple>
#include <vector>

#include "common/check.h"
#include "common/parallel.h"
#include "soft_argmax/arguments.h"
#include "soft_argmax/math.h"
#include "soft_argmax/soft_argmax.h"

namespace fastpose {
namespace {

using soft_argmax::Grid;
using soft_argmax::Maps;
using torch::headeronly::ScalarType;
using torch::stable::Tensor;

constexpr int64_t kNumbersPerThread = 32768;  // fewer are not worth waking a thread for
constexpr int kPastTheSide = 16;              // vectors may read past the last

template <typename T>
void write_grid(T* to, int size, double extent) {
  for (int i = 0; i < size + kPastTheSide; ++i) {
    to[i] = i < size ? static_cast<T>(soft_argmax::coordinate(i, size, extent)) : T(0);
  }
}

// Calls run(grid, scratch, first, last) over all tasks, on torch's threads.
template <typename T, typename Run>
void for_tasks(const Maps& maps, const Run& run) {
  const int64_t tasks = soft_argmax::tasks(maps);
  if (tasks == 0 || maps.maps == 0) return;
  std::vector<T> grids(maps.width + maps.height + 2 * kPastTheSide);
  T *x = grids.data(), *y = x + maps.width + kPastTheSide;
  write_grid(x, maps.width, maps.extent);
  write_grid(y, maps.height, maps.extent);
  const Grid grid{x, y};
  const int64_t per_task = maps.batch * maps.maps / tasks * maps.height * maps.width;
  const int64_t grain = (kNumbersPerThread + per_task - 1) / per_task;
  const int64_t bytes = soft_argmax::scratch_numbers(maps) * sizeof(double);
  parallel_for(0, tasks, grain, bytes, [&](void* scratch, int64_t first, int64_t last) {
    run(grid, static_cast<double*>(scratch), first, last);
  });
}

std::tuple<Tensor, Tensor, Tensor> forward(const Tensor& logits, bool joint, double extent,
                                           int64_t height, int64_t width, ScalarType dtype,
                                           bool channels_last) {
  FASTPOSE_CHECK(logits.dim() == 4, "logits are a tensor (B, K, H, W)");
  const Maps maps = soft_argmax::maps_of(logits, logits.size(0), logits.size(1), joint, extent,
                                         height, width, dtype, channels_last);
  const soft_argmax::Outputs outputs = soft_argmax::new_outputs(logits, maps);
  const soft_argmax::Results results = outputs.results();
  const auto kernel = FASTPOSE_CPU(soft_argmax_forward);
  const auto run = [&](const Grid& grid, double* scratch, int64_t first, int64_t last) {
    kernel(maps, grid, results, scratch, first, last);
  };
  dtype == ScalarType::Double ? for_tasks<double>(maps, run) : for_tasks<float>(maps, run);
  return {outputs.points, outputs.confidence, outputs.kept};
}

Tensor backward(const std::optional<Tensor>& grad_points,
                const std::optional<Tensor>& grad_confidence, const std::optional<Tensor>& logits,
                const Tensor& kept, bool joint, double extent, int64_t height, int64_t width,
                ScalarType dtype, bool channels_last) {
  FASTPOSE_CHECK(logits || !joint, "the joint mode needs the logits");
  const int64_t count = soft_argmax::maps_of_kept(kept, joint, channels_last);
  const Maps maps = soft_argmax::maps_of(logits, kept.size(0), count, joint, extent, height, width,
                                         dtype, channels_last);
  Tensor grad_logits = soft_argmax::new_gradient(kept, maps, dtype);
  const soft_argmax::Gradients gradients =
      soft_argmax::gradients_of(grad_points, grad_confidence, kept, maps, grad_logits);
  const auto kernel = FASTPOSE_CPU(soft_argmax_backward);
  const auto run = [&](const Grid& grid, double* scratch, int64_t first, int64_t last) {
    kernel(maps, grid, gradients, scratch, first, last);
  };
  dtype == ScalarType::Double ? for_tasks<double>(maps, run) : for_tasks<float>(maps, run);
  return grad_logits;
}

STABLE_TORCH_LIBRARY_IMPL(fastpose, CPU, m) {
  m.impl("soft_argmax", TORCH_BOX(&forward));
  m.impl("soft_argmax_backward", TORCH_BOX(&backward));
}

}  // namespace
}  // namespace fastpose
