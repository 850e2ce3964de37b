// The CUDA kernel of cast_capsules as a library of plain functions, for ctypes.
#include "cast_capsules/cuda.cu"

#include "kernels.h"

extern "C" {

const char* cast(const fastpose::CapsuleRays* rays) {
  return guarded([&] { return fastpose::capsules::cuda_cast(*rays, nullptr); });
}
}
