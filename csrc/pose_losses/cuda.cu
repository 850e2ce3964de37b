// CUDA owner of the pose losses: which kernel, which grid. Not yet run on a GPU: the kernels run on
// the CPU in tests/cuda_on_cpu, and their machine code is checked.
#include "pose_losses/cuda.cuh"

#include <algorithm>

#include "pose_losses/kernels.cuh"

namespace fastpose::pose_losses {
namespace {

constexpr int64_t kMostBlocks = 0x7fffffff;

// Calls run.operator()<T, Pixel>() with the type of the numbers and what they are computed in.
template <typename Run>
cudaError_t with_numbers(Element element, const Run& run) {
  switch (element) {
    case Element::float32:
      return run.template operator()<float, float>();
    case Element::float64:
      return run.template operator()<double, double>();
    case Element::bfloat16:
      return run.template operator()<float, __nv_bfloat16>();
    default:
      return run.template operator()<float, __half>();
  }
}

// Calls run.operator()<T, Pixel, kTerm>().
template <typename Run>
cudaError_t with_terms(const Arrays& arrays, const Run& run) {
  return with_numbers(arrays.element, [&]<typename T, typename Pixel>() {
    switch (arrays.term) {
      case Term::difference:
        return run.template operator()<T, Pixel, Term::difference>();
      case Term::pair:
        return run.template operator()<T, Pixel, Term::pair>();
      default:
        return run.template operator()<T, Pixel, Term::outside>();
    }
  });
}

}  // namespace

cudaError_t cuda_loss(const Arrays& arrays, void* loss, cudaStream_t stream) {
  return with_terms(arrays, [&]<typename T, typename Pixel, int kTerm>() {
    return launch(pose_losses_sum_kernel<T, Pixel, kTerm>, dim3(1), dim3(kLossThreads),
                  kLossWarps * sizeof(double), stream, arrays, static_cast<T*>(loss));
  });
}

cudaError_t cuda_loss_backward(const Arrays& arrays, const void* grad_loss,
                               const Gradients& gradients, cudaStream_t stream) {
  const int64_t longest = *std::max_element(arrays.count, arrays.count + arrays.arrays);
  if (longest == 0) return cudaSuccess;
  return with_terms(arrays, [&]<typename T, typename Pixel, int kTerm>() {
    const int64_t blocks = groups_of(longest, kGradientThreads * kAtOnce<Pixel>);
    if (blocks > kMostBlocks) return cudaErrorInvalidValue;
    return launch(pose_losses_backward_kernel<T, Pixel, kTerm>,
                  dim3(unsigned(blocks), unsigned(arrays.arrays)), dim3(kGradientThreads), 0,
                  stream, arrays, gradients, static_cast<const T*>(grad_loss));
  });
}

cudaError_t cuda_divergence(const Gaussians& gaussians, double free_bits, void* loss,
                            void* coordinates, cudaStream_t stream) {
  return with_numbers(gaussians.element, [&]<typename T, typename Pixel>() {
    return launch(pose_losses_divergence_kernel<T, Pixel>, dim3(1), dim3(kLossThreads),
                  kLossWarps * sizeof(double) + kLossThreads * sizeof(T), stream, gaussians,
                  free_bits, static_cast<T*>(loss), static_cast<T*>(coordinates));
  });
}

cudaError_t cuda_divergence_backward(const Gaussians& gaussians, double free_bits,
                                     const void* coordinates, const void* grad_loss,
                                     void* grad_mean, void* grad_log_variance,
                                     cudaStream_t stream) {
  const int64_t blocks = groups_of(gaussians.batch * gaussians.size, kGradientThreads);
  if (blocks == 0) return cudaSuccess;
  if (blocks > kMostBlocks) return cudaErrorInvalidValue;
  return with_numbers(gaussians.element, [&]<typename T, typename Pixel>() {
    return launch(pose_losses_divergence_backward_kernel<T, Pixel>, dim3(unsigned(blocks)),
                  dim3(kGradientThreads), 0, stream, gaussians, free_bits,
                  static_cast<const T*>(coordinates), static_cast<const T*>(grad_loss),
                  static_cast<Pixel*>(grad_mean), static_cast<Pixel*>(grad_log_variance));
  });
}

}  // namespace fastpose::pose_losses
