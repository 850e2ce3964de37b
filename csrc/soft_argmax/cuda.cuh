// The CUDA owners of soft_argmax: what register.cu calls. They launch on `stream` and return;
// nothing here waits for the device or allocates. One launch each; the same bytes from every run,
// in any batch.
#pragma once

#include <cuda_runtime.h>

#include "soft_argmax/soft_argmax.h"

namespace fastpose::soft_argmax {

// Writes all of the results.
cudaError_t cuda_forward(const Maps& maps, const Results& results, cudaStream_t stream);

// Writes all of the gradient of the logits.
cudaError_t cuda_backward(const Maps& maps, const Gradients& gradients, cudaStream_t stream);

}  // namespace fastpose::soft_argmax
