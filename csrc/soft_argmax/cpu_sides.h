// The functions of cpu_side.h for maps that lie interleaved: arrays are (size, maps), and work
// along a side has a lane for each map.
#pragma once

#include "soft_argmax/cpu_side.h"

namespace fastpose::FASTPOSE_ISA {
namespace {

// Calls run(k, lanes) for maps k, k + 1, ... as many at a time as there are lanes.
template <typename V, typename Run>
FASTPOSE_INLINE void for_maps(int64_t maps, const Run& run) {
  for (int64_t k = 0; k < maps; k += V::lanes) {
    run(k, maps - k < V::lanes ? static_cast<int>(maps - k) : V::lanes);
  }
}

// The weights of a side, and of each map its expected coordinate and largest weight.
template <typename T>
inline void weigh_sides(const T* logits, int size, int64_t maps, const T* grid, T* weights,
                        T* centre, T* peak) {
  using O = Own<T>;
  using V = typename O::V;
  for_maps<V>(maps, [&](int64_t k, int lanes) {
    V most(lowest<T>()), total(T(0)), moment(T(0));
    for (int i = 0; i < size; ++i) most = maximum(V::load(logits + i * maps + k), most);
    for (int i = 0; i < size; ++i) {
      const V weight = exponential(V::load(logits + i * maps + k), most);
      O::store(weights + i * maps + k, weight, lanes);
      total = total + weight;
      moment = multiply_add(weight, V(grid[i]), moment);
    }
    T scales[V::lanes];
    total.store(scales);
    for (T& scale : scales) scale = inverse_sum(scale);
    const V scale = V::load(scales);
    for (int i = 0; i < size; ++i) {
      T* const at = weights + i * maps + k;
      O::store(at, O::load(at, lanes, V(T(0))) * scale, lanes);
    }
    (moment * scale).store(centre + k);
    scale.store(peak + k);
  });
}

// Of the maps k, k + 1, ... in lanes.
template <typename T>
FASTPOSE_INLINE typename Own<T>::V largest_weights(const T* weights, int size, int64_t maps,
                                                   int64_t k, int lanes) {
  using O = Own<T>;
  using V = typename O::V;
  V most(T(0));
  for (int i = 0; i < size; ++i) {
    most = maximum(O::load(weights + i * maps + k, lanes, V(T(0))), most);
  }
  return most;
}

// `pull` is 0 everywhere unless `pulled`.
template <typename T>
inline void side_gradients(const T* weights, int size, int64_t maps, const T* grid, const T* grad,
                           bool pulled, const T* pull, int others, T* gradient) {
  using O = Own<T>;
  using V = typename O::V;
  const T per_count = T(1) / T(others);
  for_maps<V>(maps, [&](int64_t k, int lanes) {
    V centre(T(0));
    for (int i = 0; i < size; ++i) {
      const V weight = O::load(weights + i * maps + k, lanes, V(T(0)));
      centre = multiply_add(weight, V(grid[i]), centre);
    }
    const V g = V::load(grad + k), p = V::load(pull + k);
    for (int i = 0; i < size; ++i) {
      const V weight = O::load(weights + i * maps + k, lanes, V(T(0)));
      const V slope = side_slope(weight, V(grid[i]), centre, g, p) * V(per_count);
      O::store(gradient + i * maps + k, slope, lanes);
    }
  });
  for (int64_t k = 0; pulled && k < maps; ++k) {
    int first = 0;
    for (int i = 1; i < size; ++i) {
      if (weights[i * maps + k] > weights[first * maps + k]) first = i;
    }
    gradient[first * maps + k] += pull[k] * per_count;
  }
}

}  // namespace
}  // namespace fastpose::FASTPOSE_ISA
