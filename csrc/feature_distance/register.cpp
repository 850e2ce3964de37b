// feature_distance for CPU tensors: from torch's arguments to the kernels of cpu.cpp and back.
#include <torch/csrc/stable/library.h>

#include <algorithm>
#include <tuple>
#include <vector>

#include "common/parallel.h"
#include "feature_distance/arguments.h"
#include "feature_distance/math.h"

namespace fastpose {
namespace {

using features::Distance;
using features::Layer;
using features::Tensor;

constexpr int64_t kNumbersPerThread = 32768;  // fewer are not worth waking a thread for

// Tasks of several arrays in one row.
class Tasks {
 public:
  // An array whose `numbers` are cut into `count` tasks.
  void add(int64_t numbers, int64_t count) {
    end_.push_back(total() + count);
    numbers_ += numbers;
  }
  int64_t total() const { return end_.empty() ? 0 : end_.back(); }
  int64_t begin(size_t array) const { return array == 0 ? 0 : end_[array - 1]; }

  // Calls run(array, first, last), tasks counted from the array's own first one, on torch's
  // threads.
  template <typename Run>
  void run(const Run& run) const {
    const int64_t per_task = std::max<int64_t>(numbers_ / std::max<int64_t>(total(), 1), 1);
    const int64_t grain = std::max<int64_t>(kNumbersPerThread / per_task, 1);
    parallel_for(0, total(), grain, [&](int64_t first, int64_t last) {
      for (size_t i = 0; i < end_.size() && begin(i) < last; ++i) {
        if (end_[i] <= first) continue;
        run(i, std::max(first, begin(i)) - begin(i), std::min(last, end_[i]) - begin(i));
      }
    });
  }

 private:
  std::vector<int64_t> end_;
  int64_t numbers_ = 0;
};

// The mask at the size of each layer; nothing without one.
template <typename T>
std::vector<std::vector<T>> weights_of(const Distance& distance) {
  std::vector<std::vector<T>> weights;
  if (distance.mask == nullptr) return weights;
  Tasks images;
  for (int l = 0; l < distance.layers; ++l) {
    weights.emplace_back(distance.batch * distance.layer[l].pixels() + features::kPastTheEnd);
    images.add(distance.batch * distance.mask_height * distance.mask_width, distance.batch);
  }
  std::vector<T> rows(images.total() * distance.mask_width);
  const auto kernel = FASTPOSE_CPU(feature_distance_weights);
  images.run([&](size_t l, int64_t first, int64_t last) {
    T* own = rows.data() + images.begin(l) * distance.mask_width;
    kernel(distance, distance.layer[l], weights[l].data(), own, first, last);
  });
  return weights;
}

template <typename T>
void compute(const Distance& distance) {
  const std::vector<std::vector<T>> weights = weights_of<T>(distance);
  T* running_mean = static_cast<T*>(distance.running_mean);
  T* scale = static_cast<T*>(distance.scale);
  const features::Moves moves = {distance.update, distance.started == nullptr || *distance.started,
                                 distance.through_mean, distance.momentum};
  const auto settle = [&](int l, double mean) {
    const int64_t numel = std::max<int64_t>(distance.numel(l), 1);
    const double slope = features::slope_factor(distance.norm, distance.layers, numel);
    return features::settle<T>(mean, running_mean != nullptr ? running_mean[l] : 1,
                               running_mean != nullptr, moves, slope);
  };

  Tasks tasks;
  std::vector<double> factor(distance.layers, 1);
  for (int l = 0; l < distance.layers; ++l) {
    tasks.add(distance.numel(l), features::tasks(distance.numel(l)));
    if (features::is_known_ahead(distance, l)) factor[l] = settle(l, 0).factor;
  }
  std::vector<double> sums(tasks.total());
  const auto kernel = FASTPOSE_CPU(feature_distance_forward);
  tasks.run([&](size_t l, int64_t first, int64_t last) {
    kernel(distance.layer[l], distance.numel(l), distance.norm,
           weights.empty() ? nullptr : weights[l].data(), factor[l], &sums[tasks.begin(l)], first,
           last);
  });

  double loss = 0;
  for (int l = 0; l < distance.layers; ++l) {
    double sum = 0;
    for (int64_t i = 0; i < features::tasks(distance.numel(l)); ++i)
      sum += sums[tasks.begin(l) + i];
    const int64_t numel = std::max<int64_t>(distance.numel(l), 1);
    const auto settled = settle(l, sum / static_cast<double>(numel));
    loss += settled.term;
    scale[l] = features::is_known_ahead(distance, l) ? T(1) : static_cast<T>(settled.factor);
    if (distance.update) running_mean[l] = static_cast<T>(settled.running_mean);
  }
  if (distance.update && distance.started != nullptr) *distance.started = true;
  *static_cast<T*>(distance.loss) = static_cast<T>(loss / distance.layers);
}

std::tuple<Tensor, Tensor> forward(std::vector<Tensor> given, std::vector<Tensor> targets,
                                   std::optional<Tensor> mask, std::optional<Tensor> running_mean,
                                   std::optional<Tensor> started, std::vector<Tensor> gradients,
                                   int64_t norm, double momentum, bool update, bool through_mean) {
  const auto wide = features::type_of_loss(given);
  Tensor loss = new_tensor(given[0], {}, wide);
  Tensor scale = new_tensor(given[0], {int64_t(given.size())}, wide);
  const Distance distance =
      features::distance_of(given, targets, mask, running_mean, started, gradients, norm, momentum,
                            update, through_mean, loss, scale);
  distance.is_double ? compute<double>(distance) : compute<float>(distance);
  return {loss, scale};
}

template <typename T>
void finish(const Tensor& grad_loss, const Tensor& scale, const std::vector<Tensor>& gradients) {
  const T grad = *static_cast<const T*>(grad_loss.data_ptr());
  Tasks tasks;
  std::vector<double> factor;
  for (size_t l = 0; l < gradients.size(); ++l) {
    factor.push_back(grad * static_cast<const T*>(scale.data_ptr())[l]);
    const int64_t numel = factor[l] == 1 ? 0 : gradients[l].numel();
    tasks.add(numel, features::tasks(numel));
  }
  const auto kernel = FASTPOSE_CPU(feature_distance_backward);
  tasks.run([&](size_t l, int64_t first, int64_t last) {
    kernel(gradients[l].data_ptr(), element_of(gradients[l].scalar_type()), gradients[l].numel(),
           factor[l], first, last);
  });
}

void backward(Tensor grad_loss, Tensor scale, std::vector<Tensor> gradients) {
  features::check_gradients(grad_loss, scale, gradients);
  scale.scalar_type() == torch::headeronly::ScalarType::Double
      ? finish<double>(grad_loss, scale, gradients)
      : finish<float>(grad_loss, scale, gradients);
}

STABLE_TORCH_LIBRARY_IMPL(fastpose, CPU, m) {
  m.impl("feature_distance", TORCH_BOX(&forward));
  m.impl("feature_distance_backward", TORCH_BOX(&backward));
}

}  // namespace
}  // namespace fastpose
