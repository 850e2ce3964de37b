// Arguments of the render_skeleton kernels: plain pointers, sizes and strides; nothing of torch.
#pragma once

#include <cstdint>

#include "common/dispatch.h"

namespace fastpose::skeleton {

enum class Element : int { float32, float64, bfloat16, float16 };

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

// An image (batch, channels, height, width): the output, or the gradient that arrives.
struct Image {
  void* data;
  Element element;
  int64_t stride[4];  // elements; may be 0 for a gradient
};

}  // namespace fastpose::skeleton
