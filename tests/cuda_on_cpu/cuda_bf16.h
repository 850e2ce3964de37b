// Stands in for NVIDIA's header of this name; see cuda_on_cpu.h.
#pragma once

#include "cuda_runtime.h"

struct __nv_bfloat16 {
  uint16_t bits;
};

inline float __bfloat162float(__nv_bfloat16 a) {
  return cuda_on_cpu::from_bits<float>(uint64_t(a.bits) << 16);
}
inline __nv_bfloat16 __float2bfloat16_rn(float a) {
  const unsigned bits = __float_as_uint(a);
  if (a != a) return {0x7fff};
  return {uint16_t((bits + 0x7fff + (bits >> 16 & 1)) >> 16)};
}
