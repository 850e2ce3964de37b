// The CUDA owners of the pose losses: what register.cu calls. They launch on `stream` and return;
// nothing here waits for the device or allocates. Each is one launch.
#pragma once

#include <cuda_runtime.h>

#include "pose_losses/pose_losses.h"

namespace fastpose::pose_losses {

// What is summed up of every number.
enum Term : int {
  difference,  // (a - constant)^2
  pair,        // (a - b)^2
  outside,     // |a| where that is more than `constant`
};

// Some arrays of numbers of one type, and what a number's term counts in the loss.
struct Arrays {
  const void* a[kMostScores];
  const void* b;  // of the only array
  int64_t count[kMostScores];
  double share[kMostScores];
  int32_t arrays;
  Element element;
  Term term;
  double constant;
};

// Where gradients go; null: not wanted.
struct Gradients {
  void* a[kMostScores];
  void* b;
};

// Writes the loss, (), float or double for numbers of that type.
cudaError_t cuda_loss(const Arrays& arrays, void* loss, cudaStream_t stream);

// Writes gradients, of the type of the numbers, from that of the loss.
cudaError_t cuda_loss_backward(const Arrays& arrays, const void* grad_loss,
                               const Gradients& gradients, cudaStream_t stream);

// Writes the divergence and, unless `coordinates` is null, that of each coordinate.
cudaError_t cuda_divergence(const Gaussians& gaussians, double free_bits, void* loss,
                            void* coordinates, cudaStream_t stream);

// Writes gradients where they are wanted (not null). `coordinates` are those of the forward, null
// without free bits.
cudaError_t cuda_divergence_backward(const Gaussians& gaussians, double free_bits,
                                     const void* coordinates, const void* grad_loss,
                                     void* grad_mean, void* grad_log_variance, cudaStream_t stream);

}  // namespace fastpose::pose_losses
