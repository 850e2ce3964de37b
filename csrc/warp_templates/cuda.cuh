// The CUDA owners of warp_templates: what register.cu calls. They launch on `stream` and return;
// nothing here waits for the device or allocates. Templates must lie without gaps.
#pragma once

#include <cuda_runtime.h>

#include "warp_templates/warp_templates.h"

namespace fastpose::warp {

// Draws into `out`, which may have any strides. One launch.
cudaError_t cuda_forward(const Warp& warp, const Image& out, cudaStream_t stream);

// Bytes of scratch memory that cuda_backward_affine needs; its contents matter neither before nor
// after.
int64_t cuda_backward_affine_scratch(const Warp& warp);

// Writes all of `grad_affine`, (batch, count, 2, 3) without gaps and in the type of the maps, from
// the gradient of the image. Two launches; the same bytes from every run, in any batch.
cudaError_t cuda_backward_affine(const Warp& warp, const Image& grad_output, void* scratch,
                                 void* grad_affine, cudaStream_t stream);

// Writes all of `grad_templates`, (count, rows, columns) without gaps and in the type of the
// templates. One launch; the same bytes from every run.
cudaError_t cuda_backward_templates(const Warp& warp, const Image& grad_output,
                                    void* grad_templates, cudaStream_t stream);

}  // namespace fastpose::warp
