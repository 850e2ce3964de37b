// CUDA owner of structural_similarity: which kernel, which grid. Not yet run on a GPU: the kernels
// run on the CPU in tests/cuda_on_cpu, and their machine code is checked.
#include "structural_similarity/cuda.cuh"

#include <algorithm>

#include "structural_similarity/kernels.cuh"

namespace fastpose::similarity {
namespace {

constexpr int64_t kMostBlocks = 0x7fffffff, kMostOfY = 65535;

// Tiles of all channels of an image.
int64_t parts(const Comparison& pair) {
  const bool is_double = pair.x.element == Element::float64;
  return pair.channels * (is_double ? cuda_tiles<double>(pair) : cuda_tiles<float>(pair));
}

template <typename T, int kWindow, bool kSlopes>
cudaError_t compare(const Comparison& pair, const Slopes& slopes, double* partial,
                    cudaStream_t stream) {
  const auto run = [&]<typename Pixel>() {
    return launch(structural_similarity_forward_kernel<T, kWindow, kSlopes, Pixel>,
                  dim3(unsigned(pair.batch * parts(pair))), dim3(Plan<T>::threads),
                  sizeof(Shared<T, kWindow, kSlopes>), stream, pair, slopes, partial);
  };
  if (!packs(pair.y, pair.width, 4)) return run.template operator()<void>();
  return with_pixels<T>(pair.x, pair.width, 4, run);
}

template <typename T>
cudaError_t forward(const Comparison& pair, const Slopes& slopes, double windows, double* partial,
                    void* values, cudaStream_t stream) {
  const bool wanted = slopes.wanted();
  const cudaError_t status =
      pair.window == gaussian
          ? (wanted ? compare<T, gaussian, true>(pair, slopes, partial, stream)
                    : compare<T, gaussian, false>(pair, slopes, partial, stream))
          : (wanted ? compare<T, uniform, true>(pair, slopes, partial, stream)
                    : compare<T, uniform, false>(pair, slopes, partial, stream));
  if (status != cudaSuccess) return status;
  return launch(structural_similarity_finish_kernel<T>, dim3(unsigned(pair.batch)), dim3(kWarpSize),
                0, stream, static_cast<const double*>(partial), int(parts(pair)), windows,
                static_cast<T*>(values));
}

template <typename T, typename Pixel>
cudaError_t scale_flat(const Image& slope, const Image& grad, const T* grad_output, int64_t stride,
                       double per_window, int64_t batch, int64_t count, cudaStream_t stream) {
  const int64_t packed = kScaleThreads * (16 / sizeof(Pixel));
  const dim3 grid(unsigned(groups_of(count, packed)), unsigned(std::min(batch, kMostOfY)));
  return launch(structural_similarity_backward_kernel<T, Pixel>, grid, dim3(kScaleThreads), 0,
                stream, static_cast<const Pixel*>(slope.data), static_cast<Pixel*>(grad.data),
                grad_output, stride, per_window, batch, count);
}

template <typename T>
cudaError_t scale(const Image& slope, const Image& grad, const T* grad_output, int64_t stride,
                  double per_window, const int64_t (&size)[4], cudaStream_t stream) {
  const int64_t count = size[1] * size[2] * size[3];
  if (lie_flat(slope, grad, size) && count * element_size(slope.element) % 16 == 0 &&
      is_aligned(slope.data) && is_aligned(grad.data)) {
    const auto run = [&]<typename Pixel>() {
      return scale_flat<T, Pixel>(slope, grad, grad_output, stride, per_window, size[0], count,
                                  stream);
    };
    if constexpr (sizeof(T) == 8) {
      return run.template operator()<double>();
    } else if (slope.element == Element::float32) {
      return run.template operator()<float>();
    } else if (slope.element == Element::bfloat16) {
      return run.template operator()<__nv_bfloat16>();
    } else {
      return run.template operator()<__half>();
    }
  }
  const dim3 grid(unsigned(groups_of(count, kScaleThreads)), unsigned(std::min(size[0], kMostOfY)));
  return launch(structural_similarity_backward_strided_kernel<T>, grid, dim3(kScaleThreads), 0,
                stream, slope, grad, grad_output, stride, per_window, size[0], size[1],
                int(size[2]), int(size[3]));
}

}  // namespace

int64_t cuda_forward_scratch(const Comparison& pair) { return pair.batch * parts(pair); }

cudaError_t cuda_forward(const Comparison& pair, const Slopes& slopes, double windows,
                         double* scratch, void* values, cudaStream_t stream) {
  if (pair.batch == 0) return cudaSuccess;
  if (pair.batch * parts(pair) > kMostBlocks) return cudaErrorInvalidValue;
  return pair.x.element == Element::float64
             ? forward<double>(pair, slopes, windows, scratch, values, stream)
             : forward<float>(pair, slopes, windows, scratch, values, stream);
}

cudaError_t cuda_backward(const Image& slope, const Image& grad, const void* grad_output,
                          int64_t grad_output_stride, double per_window, const int64_t (&size)[4],
                          cudaStream_t stream) {
  if (size[0] == 0) return cudaSuccess;
  return slope.element == Element::float64
             ? scale(slope, grad, static_cast<const double*>(grad_output), grad_output_stride,
                     per_window, size, stream)
             : scale(slope, grad, static_cast<const float*>(grad_output), grad_output_stride,
                     per_window, size, stream);
}

}  // namespace fastpose::similarity
