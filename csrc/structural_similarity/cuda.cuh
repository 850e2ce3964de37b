// The CUDA owners of structural_similarity: what register.cu calls. They launch on `stream` and
// return; nothing here waits for the device or allocates.
#pragma once

#include <cuda_runtime.h>

#include "structural_similarity/structural_similarity.h"

namespace fastpose::similarity {

// Numbers of type double that cuda_forward needs as scratch memory; their contents matter neither
// before nor after.
int64_t cuda_forward_scratch(const Comparison& pair);

// Writes `values`, (batch,) float or, for float64 images, double: the mean of S over `windows`
// windows; and slopes where they are wanted. Two launches.
cudaError_t cuda_forward(const Comparison& pair, const Slopes& slopes, double windows,
                         double* scratch, void* values, cudaStream_t stream);

// grad = slope * grad_output[b] * per_window for both images, whose `data` is null where no
// gradient is wanted. One launch for each.
cudaError_t cuda_backward(const Image& slope, const Image& grad, const void* grad_output,
                          int64_t grad_output_stride, double per_window, const int64_t (&size)[4],
                          cudaStream_t stream);

}  // namespace fastpose::similarity
