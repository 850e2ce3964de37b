// Pixels of an Image in the GPU's memory: one at a time of any type, or packs of neighbours.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include <cstdint>
#include <type_traits>

#include "common/host_device.h"
#include "common/image.h"

namespace fastpose {

__device__ __forceinline__ int64_t offset_of(const Image& image, int64_t b, int64_t c, int64_t y,
                                             int64_t x) {
  return b * image.stride[0] + c * image.stride[1] + y * image.stride[2] + x * image.stride[3];
}

// The same pointer, of which the compiler does not know how it came about: else it may work that
// out anew at every use. It forgets, too, that the memory is global: read it with __ldg.
template <typename P>
__device__ __forceinline__ P* settled(P* pointer) {
#if defined(__CUDACC__)
  asm("" : "+l"(pointer));
#endif
  return pointer;
}

__device__ __forceinline__ float to_float(float a) { return a; }
__device__ __forceinline__ float to_float(__nv_bfloat16 a) { return __bfloat162float(a); }
__device__ __forceinline__ float to_float(__half a) { return __half2float(a); }

__device__ __forceinline__ void assign(float& to, float value) { to = value; }
__device__ __forceinline__ void assign(__nv_bfloat16& to, float value) {
  to = __float2bfloat16_rn(value);
}
__device__ __forceinline__ void assign(__half& to, float value) { to = __float2half_rn(value); }

// Whether 16 bytes there can be moved with one instruction.
FASTPOSE_HD bool is_aligned(const void* data) {
  return reinterpret_cast<uintptr_t>(data) % 16 == 0;
}

// Neighbours that are read and written with one instruction.
template <typename Pixel, int kCount>
struct alignas(sizeof(Pixel) * kCount) Pack {
  Pixel pixel[kCount];

  __device__ __forceinline__ static Pack& at(const Image& image, int64_t offset) {
    return *reinterpret_cast<Pack*>(static_cast<Pixel*>(image.data) + offset);
  }
};

// Stores 16 bytes with one instruction, which an assignment may become several of.
template <typename Pixel, int kCount>
__device__ __forceinline__ void store_pack(Pixel* to, const Pack<Pixel, kCount>& pack) {
#if defined(__CUDACC__)
  uint4 bits;
  static_assert(sizeof(pack) == sizeof(bits));
  memcpy(&bits, &pack, sizeof(bits));
  asm volatile("st.global.v4.b32 [%0], {%1, %2, %3, %4};"
               :
               : "l"(__cvta_generic_to_global(to)), "r"(bits.x), "r"(bits.y), "r"(bits.z),
                 "r"(bits.w)
               : "memory");
#else
  *reinterpret_cast<Pack<Pixel, kCount>*>(to) = pack;
#endif
}

// One pixel of whatever type the image has.
template <typename T>
__device__ __forceinline__ T load(const Image& image, int64_t offset) {
  switch (image.element) {
    case Element::float32:
      return T(static_cast<const float*>(image.data)[offset]);
    case Element::float64:
      return T(static_cast<const double*>(image.data)[offset]);
    case Element::bfloat16:
      return T(to_float(static_cast<const __nv_bfloat16*>(image.data)[offset]));
    default:
      return T(to_float(static_cast<const __half*>(image.data)[offset]));
  }
}

template <typename T>
__device__ __forceinline__ void store(const Image& image, int64_t offset, T value) {
  switch (image.element) {
    case Element::float32:
      static_cast<float*>(image.data)[offset] = float(value);
      break;
    case Element::float64:
      static_cast<double*>(image.data)[offset] = double(value);
      break;
    case Element::bfloat16:
      assign(static_cast<__nv_bfloat16*>(image.data)[offset], float(value));
      break;
    default:
      assign(static_cast<__half*>(image.data)[offset], float(value));
  }
}

// Whether `count` neighbours of a row can be moved at once.
inline bool packs(const Image& image, int width, int count) {
  return image.stride[3] == 1 && width % count == 0 && image.stride[0] % count == 0 &&
         image.stride[1] % count == 0 && image.stride[2] % count == 0 &&
         reinterpret_cast<uintptr_t>(image.data) % (count * element_size(image.element)) == 0;
}

// Calls run.operator()<Pixel>() with the type of the image's pixels if they can be moved `count` at
// a time (0: 16 bytes) by a kernel that computes in T, and with void if not.
template <typename T, typename Run>
cudaError_t with_pixels(const Image& image, int width, int count, const Run& run) {
  if (count == 0) count = 16 / element_size(image.element);
  if constexpr (std::is_same_v<T, float>) {
    if (packs(image, width, count)) {
      if (image.element == Element::float32) return run.template operator()<float>();
      if (image.element == Element::bfloat16) return run.template operator()<__nv_bfloat16>();
      if (image.element == Element::float16) return run.template operator()<__half>();
    }
  }
  return run.template operator()<void>();
}

}  // namespace fastpose
