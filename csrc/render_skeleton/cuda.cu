// CUDA owner of render_skeleton: which kernel, which grid. Not yet run on a GPU: the kernels run on
// the CPU in tests/cuda_on_cpu, and their machine code is checked.
//
// A block of four warps holds the limbs of one image in shared memory and draws tiles of it.
#include "render_skeleton/cuda.cuh"

#include <algorithm>

#include "render_skeleton/backward.cuh"
#include "render_skeleton/forward.cuh"

namespace fastpose::skeleton {
namespace {

// Rows of blocks, each of kWarps rows of tiles, and tiles in a row. See Tile.
struct Tiling {
  int64_t rows, columns;

  Tiling(const Drawing& drawing, int tile_height)
      : rows(groups_of(drawing.height, tile_height * kWarps)),
        columns(groups_of(drawing.width, kTileWidth)) {}
};

// About 8 blocks for each multiprocessor, if there are as many tiles.
dim3 forward_grid(const Drawing& drawing, int tile_height) {
  const Tiling tiling(drawing, tile_height);
  const int64_t blocks = drawing.batch * tiling.rows * tiling.columns;
  const int64_t tiles_of_a_warp = std::max<int64_t>(1, blocks / (int64_t{processors()} * 8));
  const int64_t parts = groups_of(tiling.columns, tiles_of_a_warp);
  return dim3(unsigned(drawing.batch), unsigned(tiling.rows), unsigned(parts));
}

// At most about 64 blocks for an image, whatever the batch and the GPU: how the work is cut decides
// in which order sums are formed.
dim3 backward_grid(const Drawing& drawing) {
  const Tiling tiling(drawing, Lane<kGradRows, kGradColumns>::kTileHeight);
  const int64_t parts = std::clamp<int64_t>(64 / tiling.rows, 1, tiling.columns);
  return dim3(unsigned(drawing.batch), unsigned(tiling.rows), unsigned(parts));
}

// Whether grids have room for the drawing.
bool fits(const Drawing& drawing) {
  constexpr int64_t kMost = 0x7fffffff, kMostOfYAndZ = 65535, kSmallestTileHeight = 8;
  return drawing.batch <= kMost && drawing.joints <= kMost &&
         groups_of(drawing.height, kSmallestTileHeight * kWarps) <= kMostOfYAndZ &&
         groups_of(drawing.width, kTileWidth) <= kMostOfYAndZ;
}

template <typename T, template <typename> typename ShapeOf>
cudaError_t forward(const Drawing& drawing, const Image& out, cudaStream_t stream) {
  const size_t shapes = drawing.limbs * sizeof(ShapeOf<T>);
  return with_pixels<T>(out, drawing.width, 0, [&]<typename Pixel>() {
    if constexpr (std::is_void_v<Pixel>) {
      return launch(render_skeleton_forward_strided_kernel<T, ShapeOf>,
                    forward_grid(drawing, Lane<1, kLooseColumns>::kTileHeight), dim3(kThreads),
                    shapes + kWarps * sizeof(Collected<T>), stream, Scene<T>(drawing), out);
    } else {
      constexpr int kColumns = 16 / sizeof(Pixel);
      return launch(render_skeleton_forward_kernel<Pixel, ShapeOf>,
                    forward_grid(drawing, Lane<8 / kColumns, kColumns>::kTileHeight),
                    dim3(kThreads), shapes, stream, Scene<float>(drawing), out);
    }
  });
}

template <typename T, template <typename> typename ShapeOf>
cudaError_t backward(const Drawing& drawing, const Image& grad, void* scratch, void* grad_points,
                     cudaStream_t stream) {
  const dim3 grid = backward_grid(drawing);
  const size_t size = drawing.limbs * kSums;
  T* partial = static_cast<T*>(scratch);
  const size_t shared = block_sums_bytes<T, ShapeOf<T>>(drawing.limbs);
  const cudaError_t status =
      with_pixels<T>(grad, drawing.width, kGradColumns, [&]<typename Pixel>() {
        return launch(render_skeleton_backward_kernel<T, Pixel, ShapeOf>, grid, dim3(kThreads),
                      shared, stream, Scene<T>(drawing), grad, partial);
      });
  if (status != cudaSuccess) return status;
  return launch(render_skeleton_backward_finish_kernel<T>, dim3(grid.x), dim3(kFinishThreads),
                finish_shares(drawing.limbs) * size * sizeof(double), stream, Scene<T>(drawing),
                static_cast<const T*>(partial), int(grid.y * grid.z), static_cast<T*>(grad_points));
}

// Calls run.operator()<T, ShapeOf>() with the type of the points and the kind of limbs.
template <typename Run>
cudaError_t with_limbs(const Drawing& drawing, const Run& run) {
  if (drawing.is_double)
    return drawing.widths == nullptr ? run.template operator()<double, Line>()
                                     : run.template operator()<double, Bar>();
  return drawing.widths == nullptr ? run.template operator()<float, Line>()
                                   : run.template operator()<float, Bar>();
}

}  // namespace

cudaError_t cuda_forward(const Drawing& drawing, const Image& out, cudaStream_t stream) {
  if (drawing.batch == 0) return cudaSuccess;
  if (!fits(drawing)) return cudaErrorInvalidValue;
  return with_limbs(drawing, [&]<typename T, template <typename> typename ShapeOf>() {
    return forward<T, ShapeOf>(drawing, out, stream);
  });
}

int64_t cuda_backward_scratch(const Drawing& drawing) {
  const dim3 grid = backward_grid(drawing);
  return int64_t(grid.x) * grid.y * grid.z * drawing.limbs * kSums *
         int64_t(drawing.is_double ? sizeof(double) : sizeof(float));
}

cudaError_t cuda_backward(const Drawing& drawing, const Image& grad_output, void* scratch,
                          void* grad_points, cudaStream_t stream) {
  if (drawing.batch == 0) return cudaSuccess;
  if (!fits(drawing)) return cudaErrorInvalidValue;
  return with_limbs(drawing, [&]<typename T, template <typename> typename ShapeOf>() {
    return backward<T, ShapeOf>(drawing, grad_output, scratch, grad_points, stream);
  });
}

}  // namespace fastpose::skeleton
