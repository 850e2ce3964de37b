// CUDA owner of render_gaussians: which kernel, which grid. Not yet run on a GPU: the kernels run
// on the CPU in tests/cuda_on_cpu, and their machine code is checked.
#include "render_gaussians/cuda.cuh"

#include <algorithm>

#include "render_gaussians/backward.cuh"
#include "render_gaussians/forward.cuh"

namespace fastpose::gaussians {
namespace {

constexpr int kMostBlocksOfY = 65535;
constexpr int64_t kMostWarps = 0x7fffffff;  // so that 32 bits count them

// Rows for each of the blocks that share `items` (maps, or images and groups of channels): about 8
// blocks to a multiprocessor, `least` rows or a multiple of them.
int rows_of_a_block(const Drawing& drawing, int64_t items, int least) {
  const int64_t wanted = std::max<int64_t>(1, groups_of(int64_t{processors()} * 8, items));
  const int64_t steps = groups_of(drawing.height, least);
  const int64_t blocks = std::min<int64_t>({wanted, steps, kMostBlocksOfY});
  return int(groups_of(steps, blocks)) * least;
}

dim3 grid_of(const Drawing& drawing, int64_t items, int rows) {
  return dim3(unsigned(items), unsigned(groups_of(drawing.height, rows)));
}

template <typename T>
cudaError_t forward(const Drawing& drawing, const Image& out, cudaStream_t stream) {
  return with_pixels<T>(out, drawing.width, 0, [&]<typename Pixel>() {
    if constexpr (std::is_void_v<Pixel>) {
      const Threads threads(drawing, out);
      const int64_t items = drawing.batch * threads.groups;
      const int rows = rows_of_a_block(drawing, items, threads.down);
      return launch(render_gaussians_forward_strided_kernel<T>, grid_of(drawing, items, rows),
                    dim3(kThreads), 0, stream, Canvas<T>(drawing), out, threads, rows);
    } else {
      const Lanes lanes(drawing.width, 16 / int(sizeof(Pixel)));
      const int64_t items = drawing.batch * drawing.maps;
      const int rows = rows_of_a_block(drawing, items, kWarps * lanes.rows());
      return launch(render_gaussians_forward_kernel<Pixel>, grid_of(drawing, items, rows),
                    dim3(kThreads), 0, stream, Canvas<float>(drawing), out, lanes, rows);
    }
  });
}

// Pixels of a row that a lane takes together in the backward pass: 16 bytes of them where the
// gradient is narrower than double. It decides the order of sums, so it may depend on the
// gradient's type but not on its strides.
int columns_of(const Image& grad) { return element_size(grad.element) == 2 ? 8 : 4; }

Parts parts_of(const Drawing& drawing, const Image& grad) {
  return Parts(drawing.height, drawing.width, columns_of(grad));
}

// Calls run.operator()<Pixel, kColumns>() for the kernel that reads maps one by one.
template <typename T, typename Run>
cudaError_t with_gradient(const Drawing& drawing, const Image& grad, const Run& run) {
  return with_pixels<T>(grad, drawing.width, 0, [&]<typename Pixel>() {
    if constexpr (!std::is_void_v<Pixel>) {
      return run.template operator()<Pixel, 16 / int(sizeof(Pixel))>();
    } else {
      return columns_of(grad) == 8 ? run.template operator()<void, 8>()
                                   : run.template operator()<void, 4>();
    }
  });
}

template <typename T, int kColumns>
cudaError_t gather_channels(const Drawing& drawing, const Image& grad, const Parts& parts,
                            T* partial, cudaStream_t stream) {
  const Staging staging(drawing);
  const dim3 grid(unsigned(drawing.batch * staging.groups), unsigned(parts.count));
  const size_t shared = staging.channels * kPitch<kColumns> * sizeof(T);
  return launch(render_gaussians_backward_channels_kernel<T, kColumns>, grid, dim3(kThreads),
                shared, stream, Canvas<T>(drawing), grad, parts, staging, partial);
}

// The sums of all parts of all maps.
template <typename T>
cudaError_t gather(const Drawing& drawing, const Image& grad, const Parts& parts, T* partial,
                   cudaStream_t stream) {
  if (grad.stride[1] == 1 && grad.stride[3] > 1 && drawing.maps > 1 &&
      parts.count <= kMostBlocksOfY) {
    return columns_of(grad) == 8 ? gather_channels<T, 8>(drawing, grad, parts, partial, stream)
                                 : gather_channels<T, 4>(drawing, grad, parts, partial, stream);
  }
  const int64_t warps = drawing.batch * drawing.maps * parts.count;
  if (warps > kMostWarps) return cudaErrorInvalidValue;
  const dim3 grid(unsigned(groups_of(warps, kWarps)));
  return with_gradient<T>(drawing, grad, [&]<typename Pixel, int kColumns>() {
    return launch(render_gaussians_backward_kernel<T, Pixel, kColumns>, grid, dim3(kThreads), 0,
                  stream, Canvas<T>(drawing), grad, parts, partial);
  });
}

template <typename T>
cudaError_t backward(const Drawing& drawing, const Image& grad, void* scratch,
                     const Gradients& gradients, cudaStream_t stream) {
  T* partial = static_cast<T*>(scratch);
  const Parts parts = parts_of(drawing, grad);
  if (drawing.batch > 0) {
    const cudaError_t status = gather<T>(drawing, grad, parts, partial, stream);
    if (status != cudaSuccess) return status;
  }
  const T* sums = partial;
  if (drawing.is_moved) {  // an empty batch, too, gives templates a gradient: 0
    return launch(render_gaussians_backward_templates_kernel<T>, dim3(unsigned(drawing.maps)),
                  dim3(kTemplateWarps * kWarpSize), kTemplateWarps * kSums * sizeof(double), stream,
                  Canvas<T>(drawing), sums, parts.count, gradients);
  }
  const dim3 grid(unsigned(groups_of(drawing.batch * drawing.maps, kWarps)));
  return launch(render_gaussians_backward_finish_kernel<T>, grid, dim3(kThreads), 0, stream,
                Canvas<T>(drawing), sums, parts.count, gradients);
}

}  // namespace

cudaError_t cuda_forward(const Drawing& drawing, const Image& out, cudaStream_t stream) {
  if (drawing.batch == 0 || drawing.maps == 0) return cudaSuccess;
  if (drawing.batch * drawing.maps > kMostWarps) return cudaErrorInvalidValue;
  return drawing.is_double ? forward<double>(drawing, out, stream)
                           : forward<float>(drawing, out, stream);
}

int64_t cuda_backward_scratch(const Drawing& drawing, const Image& grad_output) {
  return drawing.batch * drawing.maps * parts_of(drawing, grad_output).count * kSums *
         int64_t(drawing.is_double ? sizeof(double) : sizeof(float));
}

cudaError_t cuda_backward(const Drawing& drawing, const Image& grad_output, void* scratch,
                          const Gradients& gradients, cudaStream_t stream) {
  if (drawing.maps == 0 || (drawing.batch == 0 && !drawing.is_moved)) return cudaSuccess;
  return drawing.is_double ? backward<double>(drawing, grad_output, scratch, gradients, stream)
                           : backward<float>(drawing, grad_output, scratch, gradients, stream);
}

}  // namespace fastpose::gaussians
