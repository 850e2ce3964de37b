// From torch's tensors to what kernels take.
#pragma once

#include <torch/csrc/stable/tensor.h>

#include "check.h"
#include "image.h"

namespace fastpose {

inline Element element_of(torch::headeronly::ScalarType type) {
  using torch::headeronly::ScalarType;
  switch (type) {
    case ScalarType::Float:
      return Element::float32;
    case ScalarType::Double:
      return Element::float64;
    case ScalarType::BFloat16:
      return Element::bfloat16;
    case ScalarType::Half:
      return Element::float16;
    default:
      FASTPOSE_CHECK(false, "images are float32, float64, bfloat16 or float16");
  }
}

// The type in which sums over the tensor's numbers are formed, and that of losses.
inline torch::headeronly::ScalarType wide_type(const torch::stable::Tensor& tensor) {
  using torch::headeronly::ScalarType;
  return tensor.scalar_type() == ScalarType::Double ? ScalarType::Double : ScalarType::Float;
}

inline Image image_of(const torch::stable::Tensor& tensor) {
  FASTPOSE_CHECK(tensor.dim() == 4, "an image is a tensor (B, C, H, W)");
  return {tensor.data_ptr(),
          element_of(tensor.scalar_type()),
          {tensor.stride(0), tensor.stride(1), tensor.stride(2), tensor.stride(3)}};
}

// Whether the two lie on one device.
inline bool together(const torch::stable::Tensor& a, const torch::stable::Tensor& b) {
  return a.is_cpu() == b.is_cpu() && a.is_cuda() == b.is_cuda() &&
         a.get_device_index() == b.get_device_index();
}

}  // namespace fastpose
