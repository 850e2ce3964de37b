// Numbers of every type in the GPU's memory: the functions of pixels.cuh, for double too.
#pragma once

#include "common/pixels.cuh"

namespace fastpose {

__device__ __forceinline__ double number_of(double a) { return a; }
template <typename Number>
__device__ __forceinline__ float number_of(Number a) {
  return to_float(a);
}
__device__ __forceinline__ void assign(double& to, double value) { to = value; }

}  // namespace fastpose
