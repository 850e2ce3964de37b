// CUDA owner of warp_templates: which kernel, which grid. Not yet run on a GPU: the kernels run on
// the CPU in tests/cuda_on_cpu, and their machine code is checked.
#include "warp_templates/cuda.cuh"

#include <algorithm>

#include "warp_templates/backward.cuh"
#include "warp_templates/forward.cuh"

namespace fastpose::warp {
namespace {

// Rows of blocks, each of kWarps rows of tiles, and tiles in a row. See Tile.
struct Tiling {
  int64_t rows, columns;

  explicit Tiling(const Warp& warp)
      : rows(groups_of(warp.height, kTileRows * kWarps)),
        columns(groups_of(warp.width, kTileWidth)) {}
};

// About 8 blocks for each multiprocessor, if there are as many tiles. `planes` are drawn at once.
dim3 forward_grid(const Warp& warp, int64_t planes) {
  const Tiling tiling(warp);
  const int64_t blocks = planes * tiling.rows * tiling.columns;
  const int64_t tiles_of_a_warp = std::max<int64_t>(1, blocks / (int64_t{processors()} * 8));
  const int64_t parts = groups_of(tiling.columns, tiles_of_a_warp);
  return dim3(unsigned(planes), unsigned(tiling.rows), unsigned(parts));
}

// About 8 blocks for a plane, or one for each row of blocks, whatever the batch and the GPU: how
// the work is cut decides in which order sums are formed.
dim3 backward_grid(const Warp& warp) {
  const Tiling tiling(warp);
  const int64_t parts = std::clamp<int64_t>(8 / tiling.rows, 1, tiling.columns);
  return dim3(unsigned(warp.batch * warp.count), unsigned(tiling.rows), unsigned(parts));
}

// Whether the templates lie without gaps. A side of 1 has no stride that matters.
bool is_dense(const Warp& warp) {
  const int64_t size[3] = {warp.count, warp.rows, warp.columns};
  int64_t step = 1;
  for (int i = 2; i >= 0; --i) {
    if (size[i] > 1 && warp.template_stride[i] != step) return false;
    step *= size[i];
  }
  return true;
}

// Whether grids have room for the maps, and the templates lie as the kernels want them.
bool fits(const Warp& warp) {
  constexpr int64_t kMost = 0x7fffffff, kMostOfYAndZ = 65535;
  const Tiling tiling(warp);
  return is_dense(warp) && warp.batch <= kMost / std::max<int64_t>(warp.count, 1) &&
         tiling.rows <= kMostOfYAndZ && tiling.columns <= kMostOfYAndZ;
}

template <typename T>
cudaError_t forward(const Warp& warp, const Image& out, cudaStream_t stream) {
  return with_pixels<T>(out, warp.width, 0, [&]<typename Pixel>() {
    if constexpr (std::is_void_v<Pixel>) {
      int together = 1;  // maps that are written side by side, a power of 2
      while (out.stride[3] != 1 && together < Collected<T>::kMaps && together < warp.count)
        together *= 2;
      return launch(warp_templates_forward_strided_kernel<T>,
                    forward_grid(warp, warp.batch * groups_of(warp.count, together)),
                    dim3(kThreads), sizeof(Collected<T>), stream, Scene<T>(warp), out, together);
    } else {
      return launch(warp_templates_forward_kernel<Pixel>,
                    forward_grid(warp, warp.batch * warp.count), dim3(kThreads), 0, stream,
                    Scene<float>(warp), out);
    }
  });
}

template <typename T>
cudaError_t backward_affine(const Warp& warp, const Image& grad, void* scratch, void* grad_affine,
                            cudaStream_t stream) {
  const dim3 grid = backward_grid(warp);
  T* partial = static_cast<T*>(scratch);
  const cudaError_t status = with_pixels<T>(grad, warp.width, 1, [&]<typename Pixel>() {
    return launch(warp_templates_backward_kernel<T, Pixel>, grid, dim3(kThreads),
                  kWarps * kMapSums * sizeof(T), stream, Scene<T>(warp), grad, partial);
  });
  if (status != cudaSuccess) return status;
  return launch(warp_templates_backward_finish_kernel<T>, dim3(unsigned(groups_of(grid.x, kWarps))),
                dim3(kThreads), 0, stream, Scene<T>(warp), static_cast<const T*>(partial),
                int(grid.x), int(grid.y * grid.z), static_cast<T*>(grad_affine));
}

template <typename T>
cudaError_t backward_templates(const Warp& warp, const Image& grad, void* grad_templates,
                               cudaStream_t stream) {
  const int64_t groups = groups_of(int64_t{warp.rows} * warp.columns, kThreads);
  if (warp.count * groups > 0x7fffffff) return cudaErrorInvalidValue;
  return with_pixels<T>(grad, warp.width, 1, [&]<typename Pixel>() {
    return launch(warp_templates_backward_templates_kernel<T, Pixel>,
                  dim3(unsigned(warp.count * groups)), dim3(kThreads),
                  2 * kStaged * sizeof(Return<T>), stream, Scene<T>(warp), grad, int(groups),
                  static_cast<T*>(grad_templates));
  });
}

}  // namespace

cudaError_t cuda_forward(const Warp& warp, const Image& out, cudaStream_t stream) {
  if (warp.batch == 0 || warp.count == 0) return cudaSuccess;
  if (!fits(warp)) return cudaErrorInvalidValue;
  return warp.is_double ? forward<double>(warp, out, stream) : forward<float>(warp, out, stream);
}

int64_t cuda_backward_affine_scratch(const Warp& warp) {
  const dim3 grid = backward_grid(warp);
  return int64_t(grid.x) * grid.y * grid.z * kMapSums *
         int64_t(warp.is_double ? sizeof(double) : sizeof(float));
}

cudaError_t cuda_backward_affine(const Warp& warp, const Image& grad_output, void* scratch,
                                 void* grad_affine, cudaStream_t stream) {
  if (warp.batch == 0 || warp.count == 0) return cudaSuccess;
  if (!fits(warp)) return cudaErrorInvalidValue;
  return warp.is_double ? backward_affine<double>(warp, grad_output, scratch, grad_affine, stream)
                        : backward_affine<float>(warp, grad_output, scratch, grad_affine, stream);
}

cudaError_t cuda_backward_templates(const Warp& warp, const Image& grad_output,
                                    void* grad_templates, cudaStream_t stream) {
  if (warp.count == 0) return cudaSuccess;
  if (!fits(warp)) return cudaErrorInvalidValue;
  return warp.is_double ? backward_templates<double>(warp, grad_output, grad_templates, stream)
                        : backward_templates<float>(warp, grad_output, grad_templates, stream);
}

}  // namespace fastpose::warp
