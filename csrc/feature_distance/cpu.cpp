// feature_distance on the CPU: one pass over features and targets, which sums distances and writes
// gradients.
#include "feature_distance/feature_distance.h"

#include "common/elements.h"
#include "feature_distance/math.h"

namespace fastpose::FASTPOSE_ISA {
namespace {

using namespace features;  // NOLINT

// Numbers that are summed in T before their sum is added to a double: few for each lane.
constexpr int kBlock = 128 * Floats::lanes;

template <typename V>
using Scalar = typename V::scalar;

// --- weights -------------------------------------------------------------------------------------

// sums[x] = the sum of rows [first, last) of `mask`, which are `width` wide.
template <typename V>
void add_rows(const Scalar<V>* mask, int first, int last, int width, Scalar<V>* sums) {
  using Here = Own<Scalar<V>>;
  for (int x = 0; x < width; x += V::lanes) {
    const int count = width - x;
    V sum = Here::load(mask + int64_t{first} * width + x, count, V(0));
    for (int y = first + 1; y < last; ++y) {
      sum = sum + Here::load(mask + int64_t{y} * width + x, count, V(0));
    }
    Here::store(sums + x, sum, count);
  }
}

template <typename V>
void average(const Distance& distance, const Layer& layer, int64_t image, Scalar<V>* sums,
             Scalar<V>* weights) {
  using T = Scalar<V>;
  const int rows = distance.mask_height, columns = distance.mask_width;
  const T* mask = static_cast<const T*>(distance.mask) + image * rows * columns;
  for (int i = 0; i < layer.height; ++i) {
    const int top = first_of(i, rows, layer.height), bottom = last_of(i, rows, layer.height);
    add_rows<V>(mask, top, bottom, columns, sums);
    for (int j = 0; j < layer.width; ++j) {
      const int left = first_of(j, columns, layer.width), right = last_of(j, columns, layer.width);
      T sum = sums[left];
      for (int x = left + 1; x < right; ++x) sum += sums[x];
      *weights++ = sum / static_cast<T>((bottom - top) * (right - left));
    }
  }
}

// Writes the weights of numbers first .. first + count - 1 of a layer; up to a vector more.
template <typename V>
void lay_out(const Layer& layer, const Scalar<V>* weights, int64_t first, int count,
             Scalar<V>* to) {
  const int64_t line = layer.channels_last ? layer.channels : layer.pixels();
  int64_t index = first / line, at = first % line;
  for (int done = 0; done < count; ++index, at = 0) {
    const int64_t left = count - done, length = line - at < left ? line - at : left;
    if (layer.channels_last) {
      const V weight(weights[index]);
      for (int64_t i = 0; i < length; i += V::lanes) weight.store(to + done + i);
    } else {
      const Scalar<V>* row = weights + index / layer.channels * layer.pixels() + at;
      for (int64_t i = 0; i < length; i += V::lanes) V::load(row + i).store(to + done + i);
    }
    done += static_cast<int>(length);
  }
}

// --- the pass ------------------------------------------------------------------------------------

// Adds the distance of a and b to `sum`; returns the slope.
template <int kNorm, bool kWeighted, typename V>
FASTPOSE_INLINE V compare(V a, V b, V weight, V& sum) {
  const V difference = a - b;
  if (kNorm == l1) {
    const V distance = absolute(difference), slope = sign(difference);
    sum = kWeighted ? multiply_add(weight, distance, sum) : sum + distance;
    return kWeighted ? weight * slope : slope;
  }
  const V slope = kWeighted ? weight * difference : difference;
  sum = multiply_add(slope, difference, sum);
  return slope;
}

// The sum over at most kBlock numbers, whose slopes go to `gradient` (which may be null).
template <Element kElement, int kNorm, bool kWeighted>
double pass(const typename Stored<kElement>::type* x, const typename Stored<kElement>::type* y,
            typename Stored<kElement>::type* gradient,
            const Scalar<typename Stored<kElement>::V>* weight, int count,
            typename Stored<kElement>::V factor) {
  using Here = Stored<kElement>;
  using V = typename Here::V;
  constexpr int kAtOnce = 4;  // sums, so that no addition waits for the one before
  V part[kAtOnce] = {V(0), V(0), V(0), V(0)};
  int i = 0;
  for (; i + kAtOnce * V::lanes <= count; i += kAtOnce * V::lanes) {
    for (int k = 0; k < kAtOnce; ++k) {
      const int at = i + k * V::lanes;
      const V w = kWeighted ? V::load(weight + at) : V(1);
      const V slope = compare<kNorm, kWeighted>(Here::load(x + at), Here::load(y + at), w, part[k]);
      if (gradient != nullptr) Here::store(gradient + at, slope * factor);
    }
  }
  for (int k = 0; i < count; i += V::lanes, ++k) {
    const V w = kWeighted ? Own<Scalar<V>>::load(weight + i, count - i, V(0)) : V(1);
    const V slope = compare<kNorm, kWeighted>(Here::load(x + i, count - i, V(0)),
                                              Here::load(y + i, count - i, V(0)), w, part[k]);
    if (gradient != nullptr) Here::store(gradient + i, slope * factor, count - i);
  }
  return sum((part[0] + part[1]) + (part[2] + part[3]));
}

template <Element kElement, int kNorm, bool kWeighted>
void forward(const Layer& layer, int64_t numel, const void* weights, double factor, double* sums,
             int64_t first, int64_t last) {
  using Here = Stored<kElement>;
  using V = typename Here::V;
  using T = Scalar<V>;
  using Number = typename Here::type;
  const Number* x = static_cast<const Number*>(layer.feature);
  const Number* y = static_cast<const Number*>(layer.target);
  Number* gradient = static_cast<Number*>(layer.gradient);
  alignas(64) T weight[kWeighted ? kBlock + kPastTheEnd : 1];
  for (int64_t task = first; task < last; ++task) {
    const int64_t end = (task + 1) * kTask < numel ? (task + 1) * kTask : numel;
    double total = 0;
    for (int64_t at = task * kTask; at < end; at += kBlock) {
      const int count = static_cast<int>(end - at < kBlock ? end - at : kBlock);
      if (kWeighted) lay_out<V>(layer, static_cast<const T*>(weights), at, count, weight);
      total += pass<kElement, kNorm, kWeighted>(x + at, y + at,
                                                gradient != nullptr ? gradient + at : nullptr,
                                                weight, count, V(static_cast<T>(factor)));
    }
    sums[task] = total;
  }
}

}  // namespace

void feature_distance_weights(const Distance& distance, const Layer& layer, void* weights,
                              void* rows, int64_t first, int64_t last) {
  const auto run = [&]<typename V>(int64_t image) {
    using T = Scalar<V>;
    average<V>(distance, layer, image, static_cast<T*>(rows) + image * distance.mask_width,
               static_cast<T*>(weights) + image * layer.pixels());
  };
  for (int64_t image = first; image < last; ++image) {
    distance.is_double ? run.template operator()<Plain<double>>(image)
                       : run.template operator()<Floats>(image);
  }
}

void feature_distance_forward(const Layer& layer, int64_t numel, int norm, const void* weights,
                              double factor, double* sums, int64_t first, int64_t last) {
  const auto run = [&]<Element kElement, int kNorm, bool kWeighted>() {
    forward<kElement, kNorm, kWeighted>(layer, numel, weights, factor, sums, first, last);
  };
  with_element(layer.element, [&]<Element kElement>() {
    if (norm == l1) {
      weights != nullptr ? run.template operator()<kElement, l1, true>()
                         : run.template operator()<kElement, l1, false>();
    } else {
      weights != nullptr ? run.template operator()<kElement, l2, true>()
                         : run.template operator()<kElement, l2, false>();
    }
  });
}

void feature_distance_backward(void* gradient, Element element, int64_t numel, double factor,
                               int64_t first, int64_t last) {
  with_element(element, [&]<Element kElement>() {
    using Here = Stored<kElement>;
    using V = typename Here::V;
    auto* values = static_cast<typename Here::type*>(gradient);
    const V times(static_cast<Scalar<V>>(factor));
    const int64_t end = last * kTask < numel ? last * kTask : numel;
    for (int64_t i = first * kTask; i < end; i += V::lanes) {
      const int count = static_cast<int>(end - i < V::lanes ? end - i : V::lanes);
      if (count == V::lanes) {
        Here::store(values + i, Here::load(values + i) * times);
      } else {
        Here::store(values + i, Here::load(values + i, count, V(0)) * times, count);
      }
    }
  });
}

}  // namespace fastpose::FASTPOSE_ISA
