// A batch of images as kernels see them: a pointer, the type of its elements, strides.
#pragma once

#include <cstdint>

namespace fastpose {

enum class Element : int { float32, float64, bfloat16, float16 };

constexpr int element_size(Element element) {
  return element == Element::float64 ? 8 : element == Element::float32 ? 4 : 2;
}

// (batch, channels, height, width): an output, or a gradient that arrives.
struct Image {
  void* data;
  Element element;
  int64_t stride[4];  // elements; may be 0 for a gradient
};

}  // namespace fastpose
