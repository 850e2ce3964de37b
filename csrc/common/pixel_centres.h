// Normalised coordinates of pixel centres along a side, for CPU kernels.
#pragma once

#include <vector>

#include "common/math.h"

namespace fastpose {

constexpr int kPastTheEdge = 16;  // more entries than pixels: vectors may read past the last

template <typename T>
inline std::vector<T> pixel_centres(int size) {
  std::vector<T> centres(size + kPastTheEdge);
  const double start = pixel_start(size), step = pixel_step(size);
  for (int i = 0; i < size + kPastTheEdge; ++i) centres[i] = static_cast<T>(start + i * step);
  return centres;
}

}  // namespace fastpose
