// The CUDA owners of render_gaussians: what register.cu calls. They launch on `stream` and return;
// nothing here waits for the device or allocates.
#pragma once

#include <cuda_runtime.h>

#include "render_gaussians/render_gaussians.h"

namespace fastpose::gaussians {

// Draws into `out`, which may have any strides. One launch.
cudaError_t cuda_forward(const Drawing& drawing, const Image& out, cudaStream_t stream);

// Bytes of scratch memory that cuda_backward needs; its contents matter neither before nor after.
int64_t cuda_backward_scratch(const Drawing& drawing, const Image& grad_output);

// Writes all gradients that are asked for, from that of the image. Two launches; the same bytes
// from every run and for every layout of the image.
cudaError_t cuda_backward(const Drawing& drawing, const Image& grad_output, void* scratch,
                          const Gradients& gradients, cudaStream_t stream);

}  // namespace fastpose::gaussians
