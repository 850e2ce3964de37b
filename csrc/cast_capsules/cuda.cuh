// Launcher of cuda.cu.
#pragma once

#include <cuda_runtime.h>

#include "cast_capsules/cast_capsules.h"

namespace fastpose::capsules {

// Draws every sample of the frames; all arrays are in the GPU's memory. Writes depth, texel and
// light whole.
cudaError_t cuda_cast(const CapsuleRays& rays, cudaStream_t stream);

}  // namespace fastpose::capsules
