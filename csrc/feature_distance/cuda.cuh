// The CUDA owners of feature_distance: what register.cu calls. They launch on `stream` and return;
// nothing here waits for the device or allocates.
#pragma once

#include <cuda_runtime.h>

#include "feature_distance/feature_distance.h"

namespace fastpose::features {

// Bytes of scratch memory that cuda_forward needs; its contents matter neither before nor after.
int64_t cuda_forward_scratch(const Distance& distance);

// Loss, scale, gradients and running means. One launch for all layers and a small one that adds up;
// with a mask that is not of the size of every layer a small one before them. The same bytes from
// every run, on every GPU.
cudaError_t cuda_forward(const Distance& distance, void* scratch, cudaStream_t stream);

// Gradients without gaps; those that nobody wants have no numbers.
struct Gradients {
  void* data[kMostLayers];
  Element element[kMostLayers];
  int64_t numel[kMostLayers];
  int32_t layers;
  const void* grad_loss;  // one T
  const void* scale;      // (layers,) T
  bool is_double;
};

// Multiplies each gradient by grad_loss and its scale. One launch.
cudaError_t cuda_backward(const Gradients& gradients, cudaStream_t stream);

}  // namespace fastpose::features
