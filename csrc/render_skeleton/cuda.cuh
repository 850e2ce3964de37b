// The CUDA owners of render_skeleton: what register.cu calls. They launch on `stream` and return;
// nothing here waits for the device or allocates.
#pragma once

#include <cuda_runtime.h>

#include "render_skeleton/render_skeleton.h"

namespace fastpose::skeleton {

// Draws into `out`, which may have any strides. One launch.
cudaError_t cuda_forward(const Drawing& drawing, const Image& out, cudaStream_t stream);

// Bytes of scratch memory that cuda_backward needs; its contents matter neither before nor after.
int64_t cuda_backward_scratch(const Drawing& drawing);

// Writes all of `grad_points`, (batch, joints, 2) without gaps and in the type of the points, from
// the gradient of the image. Two launches; the same bytes from every run, in any batch.
cudaError_t cuda_backward(const Drawing& drawing, const Image& grad_output, void* scratch,
                          void* grad_points, cudaStream_t stream);

}  // namespace fastpose::skeleton
