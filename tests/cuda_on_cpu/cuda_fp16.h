// Stands in for NVIDIA's header of this name; see cuda_on_cpu.h.
#pragma once

#include "cuda_runtime.h"

struct __half {
  _Float16 value;
};

inline float __half2float(__half a) { return float(a.value); }
inline __half __float2half_rn(float a) { return {_Float16(a)}; }
