// A softmax along one side, and the exponential of logits, for cpu.cpp.
#pragma once

#include <math.h>

#include "common/elements.h"
#include "common/simd.h"
#include "soft_argmax/math.h"
#include "soft_argmax/soft_argmax.h"

namespace fastpose::FASTPOSE_ISA {
namespace {

using namespace soft_argmax;  // NOLINT

// Arrays out of one piece of memory, each at the start of a cache line and with room for a vector
// that starts at its last number.
template <typename T>
class Scratch {
 public:
  static constexpr uintptr_t kLine = 64;
  explicit Scratch(double* memory) {
    const auto address = reinterpret_cast<uintptr_t>(memory);
    next_ = reinterpret_cast<T*>((address + kLine - 1) / kLine * kLine);
  }
  FASTPOSE_INLINE T* take(int64_t numbers) {
    T* const array = next_;
    next_ += scratch_room(numbers);
    return array;
  }
  FASTPOSE_INLINE double* rest() const { return reinterpret_cast<double*>(next_); }

 private:
  T* next_;
};

// exp(logit - maximum), which is 1 for the maximum: the difference first, for logits that are
// large.
template <typename V>
FASTPOSE_INLINE V exponential(V logit, V maximum) {
  using T = typename V::scalar;
  return power_of_two((logit - maximum) * V(T(kLog2E)));
}

// Calls visit.operator()<kRows>(first) for all rows, kGroup at a time as long as there are so many.
template <typename Visit>
FASTPOSE_INLINE void for_groups(int first, int last, const Visit& visit) {
  for (; first + kGroup <= last; first += kGroup) visit.template operator()<kGroup>(first);
  for (; first < last; ++first) visit.template operator()<1>(first);
}

template <typename T>
struct Side {
  T peak;    // the largest weight
  T centre;  // the expected coordinate
};

// Weights of a side's logits. Both arrays have room for a vector that starts at their last number.
template <typename T>
FASTPOSE_INLINE Side<T> weigh(T* logits, int size, const T* grid, T* weights) {
  using O = Own<T>;
  using V = typename O::V;
  V greatest_yet(lowest<T>());
  for (int i = 0; i < size; i += V::lanes) {
    const V logit = O::load(logits + i, size - i, V(T(-INFINITY)));
    logit.store(logits + i);
    greatest_yet = maximum(logit, greatest_yet);
  }
  const V most(greatest(greatest_yet));
  V total(T(0)), moment(T(0));
  for (int i = 0; i < size; i += V::lanes) {
    const V weight = exponential(V::load(logits + i), most);
    weight.store(logits + i);
    total = total + weight;
    moment = multiply_add(weight, V::load(grid + i), moment);
  }
  const T scale = inverse_sum(sum(total));
  for (int i = 0; i < size; i += V::lanes) {
    O::store(weights + i, V::load(logits + i) * V(scale), size - i);
  }
  return {scale, sum(moment) * scale};
}

template <typename T>
FASTPOSE_INLINE T largest_weight(const T* weights, int size) {
  using O = Own<T>;
  using V = typename O::V;
  V most(T(0));
  for (int i = 0; i < size; i += V::lanes) {
    most = maximum(O::load(weights + i, size - i, V(T(0))), most);
  }
  return greatest(most);
}

// dL/da_j / `others` of a side from its weights, see math.h; `peak` is the largest of them, `pull`
// is c p / 2. The array has room for a vector that starts at its last number.
template <typename T>
FASTPOSE_INLINE void side_gradient(const T* weights, int size, const T* grid, T grad, T peak,
                                   T pull, int others, T* gradient) {
  using O = Own<T>;
  using V = typename O::V;
  const T per_count = T(1) / T(others);
  V moment(T(0));
  for (int i = 0; i < size; i += V::lanes) {
    const V weight = O::load(weights + i, size - i, V(T(0)));
    moment = multiply_add(weight, V::load(grid + i), moment);
  }
  const V centre(sum(moment)), g(grad), p(pull);
  for (int i = 0; i < size; i += V::lanes) {
    const V weight = O::load(weights + i, size - i, V(T(0)));
    (side_slope(weight, V::load(grid + i), centre, g, p) * V(per_count)).store(gradient + i);
  }
  if (pull == 0) return;
  int first = 0;
  while (first + 1 < size && weights[first] != peak) ++first;
  gradient[first] += pull * per_count;
}

}  // namespace
}  // namespace fastpose::FASTPOSE_ISA
