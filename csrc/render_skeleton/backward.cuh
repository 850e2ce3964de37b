// Backward kernels of render_skeleton: two launches.
//
// The first searches again instead of reading an index that forward would have to save. Each warp
// sums the gradients of its tiles per limb, each block the sums of its warps; the second adds the
// blocks. All in a fixed order, so that every run gives the same bytes.
#pragma once

#include <type_traits>

#include "render_skeleton/scene.cuh"

namespace fastpose::skeleton {

// Blocks that a multiprocessor must be able to hold: 80 registers per thread, 168 for double.
template <typename T>
constexpr int kBackwardBlocks = std::is_same_v<T, float> ? 6 : 3;
constexpr int kSums = 4;  // members of LimbSums
constexpr int kGradColumns = 4;
constexpr int kGradRows = 2;

template <typename T>
using GradPixels = Pixels<T, kGradRows, kGradColumns>;
template <typename T>
using GradTile = Tile<T, kGradRows, kGradColumns>;

// A lane's part of the gradient of one channel of the image; 0 outside, so that what wins there
// adds nothing. `Pixel` is its type where
// kGradColumns neighbours can be read at once, and void for any type and strides.
template <typename Pixel, typename T>
__device__ __forceinline__ void read(const Image& grad, const Scene<T>& scene,
                                     const GradTile<T>& tile, int64_t offset,
                                     T (&value)[kGradRows][kGradColumns]) {
#pragma unroll
  for (int j = 0; j < kGradRows; ++j) {
#pragma unroll
    for (int i = 0; i < kGradColumns; ++i) value[j][i] = 0;
    if (tile.y(j) >= scene.height || tile.x() >= scene.width) continue;
    const int64_t row = offset + j * tile.lane.kRowStep * grad.stride[2];
    if constexpr (std::is_void_v<Pixel>) {
#pragma unroll
      for (int i = 0; i < kGradColumns; ++i)
        if (tile.x() + i < scene.width) value[j][i] = load<T>(grad, row + i * grad.stride[3]);
    } else {
      const auto pack = Pack<Pixel, kGradColumns>::at(grad, row);
#pragma unroll
      for (int i = 0; i < kGradColumns; ++i) value[j][i] = to_float(pack.pixel[i]);
    }
  }
}

// The next limb that won a pixel of the warp, in order; kNone after the last.
template <typename T>
__device__ __forceinline__ unsigned next_winner(
    const Nearby<T, kGradRows, kGradColumns, true>& nearby) {
  unsigned winner = kNone;
#pragma unroll
  for (int j = 0; j < kGradRows; ++j)
#pragma unroll
    for (int i = 0; i < kGradColumns; ++i) winner = min(winner, nearby.winner[j][i]);
  return __reduce_min_sync(kFullWarp, winner);
}

// What the pixels that `winner` won give to its sums; they are struck off the list.
template <bool kWide, typename T>
__device__ __forceinline__ LimbSums<T> gather(const Limb<T>& limb, unsigned winner,
                                              const GradPixels<T>& at,
                                              Nearby<T, kGradRows, kGradColumns, true>& nearby,
                                              const T (&weight)[kGradRows][kGradColumns]) {
  LimbSums<T> sums = {};
#pragma unroll
  for (int j = 0; j < kGradRows; ++j) {
    const T from_y = at.y[j] - limb.y;
#pragma unroll
    for (int i = 0; i < kGradColumns; ++i) {
      const bool mine = nearby.winner[j][i] == winner;
      if (mine) nearby.winner[j][i] = kNone;
      const T from_x = at.x[i] - limb.x;
      const T along = multiply_add(from_x, limb.dx, from_y * limb.dy);
      const T across = multiply_add(-from_x, limb.dy, from_y * limb.dx);
      accumulate<kWide>(sums, nearest_point<kWide>(along, across, limb.length, limb.half_width),
                        mine ? weight[j][i] : T(0));
    }
  }
  return sums;
}

// What a block keeps in shared memory: the limbs, and behind them the sums of each warp (limbs, 4).
template <typename T, typename Shape>
struct BlockSums {
  Shape* shapes;
  T* warps;
  int size;  // of one warp

  __device__ __forceinline__ explicit BlockSums(const Scene<T>& scene)
      : shapes(reinterpret_cast<Shape*>(shared_memory)),
        warps(reinterpret_cast<T*>(shapes + scene.limbs)),
        size(scene.limbs * kSums) {}

  // Member i of the block's sums.
  __device__ __forceinline__ T total(int i) const {
    T sum = warps[i];
#pragma unroll
    for (int warp = 1; warp < kWarps; ++warp) sum += warps[warp * size + i];
    return sum;
  }
};

// Bytes of it.
template <typename T, typename Shape>
size_t block_sums_bytes(int limbs) {
  return limbs * (sizeof(Shape) + kWarps * kSums * sizeof(T));
}

// Sums the gradients of a block's tiles per warp and limb; ends with a barrier.
template <typename Pixel, typename T, typename Shape>
__device__ __forceinline__ void sum_tiles(const Scene<T>& scene, const Image& grad,
                                          const BlockSums<T, Shape>& sums) {
  const Shape* shapes = sums.shapes;
  stage(sums.shapes, scene, blockIdx.x);
  for (int i = threadIdx.x; i < kWarps * sums.size; i += kThreads) sums.warps[i] = 0;
  __syncthreads();

  T* warp_sums = sums.warps + threadIdx.x / kWarpSize * sums.size;
  for (GradTile<T> tile; tile.inside(scene); tile.next()) {
    const int lane = tile.lane.index;
    const GradPixels<T> at = tile.pixels(scene);
    int64_t offset = offset_of(grad, blockIdx.x, 0, tile.y(0), tile.x());
    for (int c = 0; c < scene.channels; ++c, offset += grad.stride[1]) {
      T weight[kGradRows][kGradColumns];
      read<Pixel>(grad, scene, tile, offset, weight);
      const Range range = limbs_of(scene, c);
      Nearby<T, kGradRows, kGradColumns, true> nearby;
      const unsigned spoilt = search(shapes, range.first, range.last, lane, at, nearby);
      if (spoilt != kNone) {
        if (lane < kSums) warp_sums[spoilt * kSums + lane] = T(NAN);
        continue;
      }
#pragma unroll
      for (int j = 0; j < kGradRows; ++j) scene.slopes(nearby.squared[j], weight[j]);
#pragma unroll 1
      for (unsigned winner; (winner = next_winner(nearby)) != kNone;) {
        const LimbSums<T> own =
            gather<Shape::kWide>(shapes[winner].limb(), winner, at, nearby, weight);
        const T sum = warp_sum_of_four(own.start, own.end, own.across, own.turn, lane);
        if (lane % (kWarpSize / kSums) == 0)
          warp_sums[winner * kSums + lane / (kWarpSize / kSums)] += sum;
      }
    }
  }

  __syncthreads();
}

// Writes the sums of each block, (limbs, 4), to `partial`.
template <typename T, typename Pixel, template <typename> typename ShapeOf>
__global__ void __launch_bounds__(kThreads, kBackwardBlocks<T>)
    render_skeleton_backward_kernel(const __grid_constant__ Scene<T> scene,
                                    const __grid_constant__ Image grad, T* __restrict__ partial) {
  const BlockSums<T, ShapeOf<T>> sums(scene);
  sum_tiles<Pixel>(scene, grad, sums);
  const int64_t block = (int64_t(blockIdx.x) * gridDim.y + blockIdx.y) * gridDim.z + blockIdx.z;
  for (int i = threadIdx.x; i < sums.size; i += kThreads) {
    partial[block * sums.size + i] = sums.total(i);
  }
}

constexpr int kFinishThreads = 256;

// Threads that share the work of one sum in the second kernel.
__host__ __device__ constexpr int finish_shares(int limbs) {
  return limbs * kSums < kFinishThreads ? kFinishThreads / (limbs * kSums) : 1;
}

// Turns an image's sums, (limbs, 4) in shared memory, into gradients of the limbs' ends, in place,
// and hands those on to the joints. A barrier must come before.
template <int kThreadsOfBlock, typename T>
__device__ __forceinline__ void finish_image(const Scene<T>& scene, int64_t b, double* sums,
                                             T* __restrict__ grad_points) {
  for (int e = threadIdx.x; e < scene.limbs; e += kThreadsOfBlock) {
    double* own = sums + e * kSums;
    const EndGradients<double> ends = finish(limb_of(scene, ends_of(scene, b, e), e),
                                             LimbSums<double>{own[0], own[1], own[2], own[3]});
    own[0] = ends.ax;
    own[1] = ends.ay;
    own[2] = ends.bx;
    own[3] = ends.by;
  }
  __syncthreads();
  const int32_t* offset = scene.plan + scene.channels + 1;
  const int32_t* index = offset + 2 * scene.limbs + 1;
  const int lane = threadIdx.x % kWarpSize;
  for (int joint = threadIdx.x / kWarpSize; joint < scene.joints;
       joint += kThreadsOfBlock / kWarpSize) {
    double x = 0, y = 0;
    for (int end = lane; end < 2 * scene.limbs; end += kWarpSize) {
      const int stop = offset[end + 1], count = stop - offset[end];
      for (int i = offset[end]; i < stop; ++i) {
        if (index[i] != joint) continue;
        x += sums[2 * end] / count;
        y += sums[2 * end + 1] / count;
      }
    }
    x = warp_sum(x);
    y = warp_sum(y);
    if (lane == 0) {
      grad_points[(b * scene.joints + joint) * 2] = T(x);
      grad_points[(b * scene.joints + joint) * 2 + 1] = T(y);
    }
  }
}

// Adds the sums of an image's blocks and finishes it.
template <typename T>
__global__ void __launch_bounds__(kFinishThreads)
    render_skeleton_backward_finish_kernel(const __grid_constant__ Scene<T> scene,
                                           const T* __restrict__ partial, int blocks,
                                           T* __restrict__ grad_points) {
  const int64_t b = blockIdx.x;
  const int size = scene.limbs * kSums, shares = finish_shares(scene.limbs);
  double* sums = reinterpret_cast<double*>(shared_memory);  // [share][limb][4]
  partial += b * blocks * size;
  for (int i = threadIdx.x; i < shares * size; i += kFinishThreads) {
    double sum = 0;
    for (int block = i / size; block < blocks; block += shares)
      sum += partial[int64_t(block) * size + i % size];
    sums[i] = sum;
  }
  __syncthreads();
  for (int i = threadIdx.x; i < size; i += kFinishThreads) {
    double sum = sums[i];
    for (int share = 1; share < shares; ++share) sum += sums[share * size + i];
    sums[i] = sum;
  }
  __syncthreads();
  finish_image<kFinishThreads>(scene, b, sums, grad_points);
}

}  // namespace fastpose::skeleton
