// Arguments of the render_skeleton kernels: plain pointers, sizes and strides; nothing of torch.
#pragma once

#include <cstdint>

#include "common/dispatch.h"
#include "common/image.h"

namespace fastpose::skeleton {

constexpr int kMostLimbs = 512;

// What is drawn. `plan` is int32 and lies where the kernel runs: first[channels + 1],
// offset[2 limbs + 1], index[...]. Limbs are sorted by channel; channel c is drawn by limbs
// first[c] .. first[c + 1] - 1; end i (2 e the start, 2 e + 1 the end of limb e) is the mean of the
// joints index[offset[i]] .. index[offset[i + 1] - 1].
struct Drawing {
  const void* points;       // (batch, joints, 2), float or double as `is_double` says
  int64_t point_stride[3];  // elements
  bool is_double;
  const int32_t* plan;
  const float* widths;  // (limbs,) full widths in the plan's order, or null
  int64_t batch, joints;
  int32_t limbs, channels, height, width;
  double sharpness, eps;
  int profile;  // enum Profile of math.h
};

// --- CPU -----------------------------------------------------------------------------------------

// Work is cut into bands of rows of one image, whatever the number of threads, so that sums are
// always formed in the same order. Task i is band i % bands of image i / bands.
constexpr int kBandRows = 32;
inline int32_t bands(const Drawing& drawing) {
  return (drawing.height + kBandRows - 1) / kBandRows;
}

// Normalised coordinates of pixel centres, of the points' type, each with 16 more entries after the
// last so that vectors may read past the edge.
struct Grid {
  const void* x;
  const void* y;
};

}  // namespace fastpose::skeleton

namespace fastpose {

// Draws the tasks [first, last) into `output`.
FASTPOSE_DECLARE_CPU(void, render_skeleton_forward, const skeleton::Drawing& drawing,
                     const skeleton::Grid& grid, const Image& output, int64_t first, int64_t last)

// Writes the LimbSums of math.h, (tasks, limbs, 4), of the tasks [first, last).
FASTPOSE_DECLARE_CPU(void, render_skeleton_backward, const skeleton::Drawing& drawing,
                     const skeleton::Grid& grid, const Image& grad_output, double* sums,
                     int64_t first, int64_t last)

}  // namespace fastpose
