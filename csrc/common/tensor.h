// From torch's tensors to what kernels take.
#pragma once

#include <torch/csrc/inductor/aoti_torch/c/shim.h>
#include <torch/csrc/stable/tensor.h>

#include <algorithm>
#include <optional>
#include <vector>

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

// Memory of those sizes on the device of `like`, of its type unless another is given; contiguous,
// or an image with its channels last. torch::stable::new_empty does the same, but looks its
// operator up by name in every call, which takes as long as a small kernel.
inline torch::stable::Tensor new_tensor(
    const torch::stable::Tensor& like, torch::headeronly::IntHeaderOnlyArrayRef sizes,
    std::optional<torch::headeronly::ScalarType> dtype = std::nullopt, bool channels_last = false) {
  using torch::stable::detail::from, torch::stable::detail::to;
  const int count = static_cast<int>(sizes.size());
  std::vector<int64_t> strides(count);
  int64_t step = 1;
  for (int i = count - 1; i >= 0; --i) {
    const int dimension = !channels_last || i == 0 ? i : i == 3 ? 1 : i + 1;
    strides[dimension] = step;
    step *= std::max<int64_t>(sizes[dimension], 1);
  }
  int32_t device = 0;
  STABLE_TORCH_ERROR_CODE_CHECK(aoti_torch_get_device_type(like.get(), &device));
  AtenTensorHandle made = nullptr;
  STABLE_TORCH_ERROR_CODE_CHECK(aoti_torch_empty_strided(
      count, sizes.data(), strides.data(), to<int32_t>(from(dtype.value_or(like.scalar_type()))),
      device, like.get_device_index(), &made));
  return torch::stable::Tensor(made);
}

}  // namespace fastpose
