// The pose losses on the CPU: numbers in a row, a vector at a time.
#include "pose_losses/pose_losses.h"

#include "common/elements.h"
#include "pose_losses/math.h"
#include "pose_losses/vectors.h"

namespace fastpose::FASTPOSE_ISA {
namespace {

using namespace pose_losses;  // NOLINT

// Numbers of one type in memory, from `data` on; null for memory that is not there.
template <Element kElement>
struct Array {
  using S = Stored<kElement>;
  using V = typename S::V;
  using T = typename V::scalar;
  typename S::type* data;

  explicit Array(const void* data)
      : data(static_cast<typename S::type*>(const_cast<void*>(data))) {}

  // Of a vector from i on the first `count` lanes; the others are `rest`, or not written.
  FASTPOSE_INLINE V load(int64_t i, int count, V rest = V(T(0))) const {
    return count >= V::lanes ? S::load(data + i) : S::load(data + i, count, rest);
  }
  FASTPOSE_INLINE void store(int64_t i, V value, int count) const {
    count >= V::lanes ? S::store(data + i, value) : S::store(data + i, value, count);
  }
};

// Calls visit(i, count) for vectors of numbers from i on, of which `count` lanes are meant.
template <typename V, typename Visit>
FASTPOSE_INLINE void for_vectors(int64_t first, int64_t last, const Visit& visit) {
  for (int64_t i = first; i < last; i += V::lanes) {
    visit(i, last - i < V::lanes ? static_cast<int>(last - i) : int(V::lanes));
  }
}

// The sum of term(i, count) over the vectors of a range; lanes that are not meant must be 0. Some
// vectors at a time, then in double: else the one lane of a scalar processor would lose digits.
template <typename V, typename Term>
FASTPOSE_INLINE double sum_of(int64_t first, int64_t last, const Term& term) {
  constexpr int64_t kTogether = 32 * V::lanes;
  double sums = 0;
  for (int64_t from = first; from < last; from += kTogether) {
    V total{typename V::scalar(0)};
    for_vectors<V>(from, from + kTogether < last ? from + kTogether : last,
                   [&](int64_t i, int count) { total = total + term(i, count); });
    sums += sum(total);
  }
  return sums;
}

// a - b or a - constant in the lanes that are meant, else 0.
template <Element kElement>
FASTPOSE_INLINE auto difference_of(const Difference& difference) {
  using A = Array<kElement>;
  using V = typename A::V;
  const A a(difference.a.data), b(difference.b);
  const V constant(static_cast<typename A::T>(difference.constant));
  return [=](int64_t i, int count) {
    return b.data ? a.load(i, count) - b.load(i, count) : a.load(i, count, constant) - constant;
  };
}

}  // namespace

double difference_squares(const Difference& difference, int64_t first, int64_t last) {
  double total = 0;
  with_element(difference.a.element, [&]<Element kElement>() {
    using V = typename Array<kElement>::V;
    const auto at = difference_of<kElement>(difference);
    total = sum_of<V>(first, last, [&](int64_t i, int count) {
      const V d = at(i, count);
      return d * d;
    });
  });
  return total;
}

void difference_gradients(const Difference& difference, double factor, void* grad_a, void* grad_b,
                          int64_t first, int64_t last) {
  with_element(difference.a.element, [&]<Element kElement>() {
    using A = Array<kElement>;
    using V = typename A::V;
    const auto at = difference_of<kElement>(difference);
    const A to_a(grad_a), to_b(grad_b);
    const V share(static_cast<typename A::T>(factor)), zero(typename A::T(0));
    for_vectors<V>(first, last, [&](int64_t i, int count) {
      const V grad = share * at(i, count);
      if (to_a.data) to_a.store(i, grad, count);
      if (to_b.data) to_b.store(i, zero - grad, count);
    });
  });
}

double outside_distances(const Numbers& numbers, double bound, int64_t first, int64_t last) {
  double total = 0;
  with_element(numbers.element, [&]<Element kElement>() {
    using A = Array<kElement>;
    using V = typename A::V;
    const A at(numbers.data);
    const V limit(static_cast<typename A::T>(bound));
    total = sum_of<V>(first, last, [&](int64_t i, int count) {
      return distance_outside(at.load(i, count), limit);
    });
  });
  return total;
}

void outside_gradients(const Numbers& numbers, double bound, double factor, void* grad,
                       int64_t first, int64_t last) {
  with_element(numbers.element, [&]<Element kElement>() {
    using A = Array<kElement>;
    using V = typename A::V;
    const A at(numbers.data), to(grad);
    const V limit(static_cast<typename A::T>(bound)), share(static_cast<typename A::T>(factor));
    for_vectors<V>(first, last, [&](int64_t i, int count) {
      to.store(i, share * sign_outside(at.load(i, count), limit), count);
    });
  });
}

void coordinate_divergences(const Gaussians& gaussians, double* means, int64_t first,
                            int64_t last) {
  with_element(gaussians.element, [&]<Element kElement>() {
    using A = Array<kElement>;
    using V = typename A::V;
    const A mean(gaussians.mean), log_variance(gaussians.log_variance);
    for_vectors<V>(first, last, [&](int64_t coordinate, int count) {
      double total[V::lanes] = {};
      for (int64_t row = 0; row < gaussians.batch; row += kRowsTogether) {
        V sums{typename A::T(0)};
        for (int64_t b = row; b < row + kRowsTogether && b < gaussians.batch; ++b) {
          const int64_t i = b * gaussians.size + coordinate;
          sums = sums + twice_divergence(mean.load(i, count), log_variance.load(i, count));
        }
        alignas(64) typename A::T lane[V::lanes];
        sums.store(lane);
        for (int l = 0; l < V::lanes; ++l) total[l] += lane[l];
      }
      for (int l = 0; l < count; ++l) means[coordinate + l] = total[l] / (2.0 * gaussians.batch);
    });
  });
}

void divergence_gradients(const Gaussians& gaussians, const double* share, void* grad_mean,
                          void* grad_log_variance, int64_t first, int64_t last) {
  with_element(gaussians.element, [&]<Element kElement>() {
    using A = Array<kElement>;
    using V = typename A::V;
    using T = typename A::T;
    const A mean(gaussians.mean), log_variance(gaussians.log_variance);
    const A to_mean(grad_mean), to_log_variance(grad_log_variance);
    for_vectors<V>(0, gaussians.size, [&](int64_t coordinate, int count) {
      alignas(64) T lane[V::lanes] = {};
      for (int l = 0; l < count; ++l) lane[l] = static_cast<T>(share[coordinate + l]);
      const V factor = V::load(lane);
      for (int64_t b = first; b < last; ++b) {
        const int64_t i = b * gaussians.size + coordinate;
        if (to_mean.data) to_mean.store(i, factor * mean.load(i, count), count);
        if (to_log_variance.data) {
          const V slope = V(T(0.5)) * exponential_minus_one(log_variance.load(i, count));
          to_log_variance.store(i, factor * slope, count);
        }
      }
    });
  });
}

}  // namespace fastpose::FASTPOSE_ISA
