// render_gaussians for CPU tensors: from torch's arguments to the kernels of cpu.cpp and back.
#include <torch/csrc/stable/library.h>
#include <torch/csrc/stable/ops.h>
#include <torch/csrc/stable/tensor.h>

#include <optional>
#include <vector>

#include "common/parallel.h"
#include "render_gaussians/arguments.h"
#include "render_gaussians/math.h"
#include "render_gaussians/render_gaussians.h"

namespace fastpose {
namespace {

using gaussians::Drawing;
using gaussians::Gradients;
using gaussians::kSums;
using gaussians::Results;
using gaussians::Tasks;
using torch::headeronly::ScalarType;
using torch::stable::Tensor;

constexpr int64_t kPixelsPerThread = 8192;  // fewer are not worth waking a thread for
constexpr int64_t kEnoughGroups = 16;       // to keep all threads busy without cutting any

// Tasks that a thread should take at least.
int64_t grain(const Drawing& drawing, const Tasks& tasks) {
  const int64_t rows = drawing.height < tasks.band_rows ? drawing.height : tasks.band_rows;
  const int64_t pixels = rows * drawing.width * tasks.group;
  return (kPixelsPerThread + pixels - 1) / pixels;
}

void draw(const Drawing& drawing, const Image& output) {
  const Tasks tasks(drawing, output, false);
  const auto kernel = FASTPOSE_CPU(render_gaussians_forward);
  parallel_for(0, drawing.batch * tasks.groups * tasks.bands, grain(drawing, tasks),
               [&](int64_t first, int64_t last) { kernel(drawing, tasks, output, first, last); });
}

template <typename T>
void write_symmetric(T* to, double xx, double xy, double yy) {
  to[0] = T(xx), to[1] = to[2] = T(xy), to[3] = T(yy);
}

// Adds up the bands in their order and turns the sums into the gradients of maps first .. last - 1
// of all images. Shares of templates, (maps of all images, kSums), take the place of the sums.
template <typename T>
void finish(const Drawing& drawing, int64_t bands, double* sums, const Gradients& gradients,
            int64_t first, int64_t last) {
  for (int64_t map = first; map < last; ++map) {
    double total[kSums] = {};
    const double* band = sums + map * bands * kSums;
    for (int64_t i = 0; i < bands; ++i) {
      for (int j = 0; j < kSums; ++j) total[j] += *band++;
    }
    const auto part = gaussians::part_of<T>(drawing, map / drawing.maps, map % drawing.maps);
    const auto grad = gaussians::finish(
        part, gaussians::make_gaussian(part, T(drawing.jitter)),
        gaussians::Sums<double>{total[0], total[1], total[2], total[3], total[4]});
    if (drawing.is_moved) {
      double* share = sums + map * bands * kSums;
      share[0] = grad.x, share[1] = grad.y;
      share[2] = grad.xx, share[3] = grad.xy, share[4] = grad.yy;
      if (gradients.affine == nullptr) continue;
      T* to = static_cast<T*>(gradients.affine) + map * 6;
      for (int i = 0; i < 2; ++i) {
        *to++ = T(grad.linear[i][0]), *to++ = T(grad.linear[i][1]), *to++ = T(grad.shift[i]);
      }
      continue;
    }
    if (gradients.mean != nullptr) {
      T* to = static_cast<T*>(gradients.mean) + map * 2;
      to[0] = T(grad.x), to[1] = T(grad.y);
    }
    if (gradients.covariance != nullptr) {
      write_symmetric(static_cast<T*>(gradients.covariance) + map * 4, grad.xx, grad.xy, grad.yy);
    }
  }
}

// Adds up the shares of each template over the batch.
template <typename T>
void finish_templates(const Drawing& drawing, int64_t bands, const double* shares,
                      const Gradients& gradients) {
  for (int64_t k = 0; k < drawing.maps; ++k) {
    double total[kSums] = {};
    for (int64_t b = 0; b < drawing.batch; ++b) {
      const double* share = shares + (b * drawing.maps + k) * bands * kSums;
      for (int j = 0; j < kSums; ++j) total[j] += share[j];
    }
    if (gradients.mean != nullptr) {
      T* to = static_cast<T*>(gradients.mean) + k * 2;
      to[0] = T(total[0]), to[1] = T(total[1]);
    }
    if (gradients.covariance != nullptr) {
      write_symmetric(static_cast<T*>(gradients.covariance) + k * 4, total[2], total[3], total[4]);
    }
  }
}

template <typename T>
void gather(const Drawing& drawing, const Image& grad_output, const Gradients& gradients) {
  const Tasks tasks(drawing, grad_output, true);
  const int64_t bands = tasks.bands, groups = drawing.batch * tasks.groups;
  const int64_t maps = drawing.batch * drawing.maps;
  std::vector<double> sums(maps * bands * kSums);
  const auto kernel = FASTPOSE_CPU(render_gaussians_backward);
  const bool needs_shape = gradients.covariance != nullptr || gradients.affine != nullptr;
  const auto run = [&](int64_t first, int64_t last) {
    kernel(drawing, tasks, grad_output, sums.data(), first, last, needs_shape);
  };
  const int64_t least = grain(drawing, tasks);
  if (groups >= kEnoughGroups && tasks.group == 1) {
    parallel_for(0, groups, (least + bands - 1) / bands, [&](int64_t first, int64_t last) {
      run(first * bands, last * bands);
      finish<T>(drawing, bands, sums.data(), gradients, first, last);
    });
  } else {
    parallel_for(0, groups * bands, least, run);
    finish<T>(drawing, bands, sums.data(), gradients, 0, maps);
  }
  if (drawing.is_moved) {
    finish_templates<T>(drawing, bands, sums.data(), gradients);
  }
}

Tensor forward(const Tensor& mean, const std::optional<Tensor>& covariance,
               const std::optional<Tensor>& affine, int64_t height, int64_t width, double variance,
               double jitter, ScalarType dtype) {
  const Drawing drawing =
      gaussians::drawing_of(mean, covariance, affine, height, width, variance, jitter);
  Tensor output = new_tensor(mean, {drawing.batch, drawing.maps, height, width}, dtype);
  draw(drawing, image_of(output));
  return output;
}

void into(const Tensor& mean, const std::optional<Tensor>& covariance,
          const std::optional<Tensor>& affine, double variance, double jitter, Tensor out) {
  const Image image = image_of(out);
  const Drawing drawing =
      gaussians::drawing_of(mean, covariance, affine, out.size(2), out.size(3), variance, jitter);
  gaussians::check_image(out, mean, drawing);
  draw(drawing, image);
}

Results backward(const Tensor& grad_output, const Tensor& mean,
                 const std::optional<Tensor>& covariance, const std::optional<Tensor>& affine,
                 double variance, double jitter, bool needs_mean, bool needs_covariance,
                 bool needs_affine) {
  const Image image = image_of(grad_output);
  const Drawing drawing = gaussians::drawing_of(mean, covariance, affine, grad_output.size(2),
                                                grad_output.size(3), variance, jitter);
  gaussians::check_image(grad_output, mean, drawing);
  Gradients gradients = {};
  Results results = gaussians::new_gradients(mean, covariance, affine, needs_mean, needs_covariance,
                                             needs_affine, gradients);
  drawing.is_double ? gather<double>(drawing, image, gradients)
                    : gather<float>(drawing, image, gradients);
  return results;
}

STABLE_TORCH_LIBRARY_IMPL(fastpose, CPU, m) {
  m.impl("render_gaussians", TORCH_BOX(&forward));
  m.impl("render_gaussians_out", TORCH_BOX(&into));
  m.impl("render_gaussians_backward", TORCH_BOX(&backward));
}

}  // namespace
}  // namespace fastpose
