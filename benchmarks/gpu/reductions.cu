// Three ways to add up the backward of render_skeleton, all bitwise deterministic, side by side:
//
//   two passes    blocks write their sums, a second kernel adds them in order (what ships)
//   cluster       the blocks of an image are one cluster; its first block reads the others' shared
//                 memory in order. One launch, at most 8 blocks for an image.
//   fixed point   blocks add 64-bit integers into one set of sums for each image, which is the same
//                 in any order; a fill before, a second kernel after. Sums must stay below 2^31
//                 times the gradient's unit, and what is below 2^-32 of it is lost.
//
// float32, one kind of limb. reductions.py compiles, checks and times this file; it is no part of
// the library.
#include <cooperative_groups.h>

#include "render_skeleton/cuda.cu"

namespace fastpose::skeleton {
namespace {

constexpr int kClusterBlocks = 8;
constexpr double kUnitsPerOne = 4294967296.0;  // 2^32

__global__ void __launch_bounds__(kThreads, kBackwardBlocks<float>)
    cluster_kernel(const __grid_constant__ Scene<float> scene, const __grid_constant__ Image grad,
                   float* __restrict__ grad_points) {
  namespace cg = cooperative_groups;
  const cg::cluster_group cluster = cg::this_cluster();
  const BlockSums<float, Line<float>> sums(scene);
  sum_tiles<float>(scene, grad, sums);
  double* own = reinterpret_cast<double*>(sums.warps + kWarps * sums.size);
  for (int i = threadIdx.x; i < sums.size; i += kThreads) own[i] = sums.total(i);
  cluster.sync();
  if (cluster.block_rank() == 0) {
    for (int i = threadIdx.x; i < sums.size; i += kThreads) {
      double sum = own[i];
      for (unsigned block = 1; block < cluster.num_blocks(); ++block)
        sum += cluster.map_shared_rank(own, block)[i];
      own[i] = sum;
    }
    __syncthreads();
    finish_image<kThreads>(scene, blockIdx.x, own, grad_points);
  }
  cluster.sync();  // the others' shared memory is read until here
}

__global__ void __launch_bounds__(kThreads, kBackwardBlocks<float>)
    fixed_point_kernel(const __grid_constant__ Scene<float> scene,
                       const __grid_constant__ Image grad, unsigned long long* __restrict__ total) {
  const BlockSums<float, Line<float>> sums(scene);
  sum_tiles<float>(scene, grad, sums);
  total += blockIdx.x * int64_t(sums.size);
  for (int i = threadIdx.x; i < sums.size; i += kThreads) {
    const long long units = __double2ll_rn(sums.total(i) * kUnitsPerOne);
    if (units != 0) atomicAdd(total + i, static_cast<unsigned long long>(units));
  }
}

__global__ void __launch_bounds__(kFinishThreads)
    fixed_point_finish_kernel(const __grid_constant__ Scene<float> scene,
                              const unsigned long long* __restrict__ total,
                              float* __restrict__ grad_points) {
  const int size = scene.limbs * kSums;
  double* sums = reinterpret_cast<double*>(shared_memory);
  for (int i = threadIdx.x; i < size; i += kFinishThreads) {
    const long long units = static_cast<long long>(total[blockIdx.x * int64_t(size) + i]);
    sums[i] = double(units) / kUnitsPerOne;
  }
  __syncthreads();
  finish_image<kFinishThreads>(scene, blockIdx.x, sums, grad_points);
}

cudaError_t in_clusters(const Drawing& drawing, const Image& grad, float* grad_points,
                        cudaStream_t stream) {
  const Tiling tiling(drawing, Lane<kGradRows, kGradColumns>::kTileHeight);
  if (tiling.rows > kClusterBlocks) return cudaErrorInvalidValue;
  const int64_t parts = std::clamp<int64_t>(kClusterBlocks / tiling.rows, 1, tiling.columns);
  const size_t size = drawing.limbs * kSums;
  const size_t shared = block_sums_bytes<float, Line<float>>(drawing.limbs) + size * sizeof(double);
  if (shared > kSharedWithoutAsking) {
    const cudaError_t status = cudaFuncSetAttribute(
        cluster_kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(shared));
    if (status != cudaSuccess) return status;
  }
  cudaLaunchAttribute attribute;
  attribute.id = cudaLaunchAttributeClusterDimension;
  attribute.val.clusterDim = {1, unsigned(tiling.rows), unsigned(parts)};
  cudaLaunchConfig_t config = {};
  config.gridDim = dim3(unsigned(drawing.batch), unsigned(tiling.rows), unsigned(parts));
  config.blockDim = dim3(kThreads);
  config.dynamicSmemBytes = shared;
  config.stream = stream;
  config.attrs = &attribute;
  config.numAttrs = 1;
  return cudaLaunchKernelEx(&config, cluster_kernel, Scene<float>(drawing), grad, grad_points);
}

cudaError_t in_fixed_point(const Drawing& drawing, const Image& grad, void* scratch,
                           float* grad_points, cudaStream_t stream) {
  const size_t size = drawing.limbs * kSums;
  auto* total = static_cast<unsigned long long*>(scratch);
  cudaError_t status = cudaMemsetAsync(total, 0, drawing.batch * size * sizeof(*total), stream);
  if (status != cudaSuccess) return status;
  const Scene<float> scene(drawing);
  status = launch(fixed_point_kernel, backward_grid(drawing), dim3(kThreads),
                  block_sums_bytes<float, Line<float>>(drawing.limbs), stream, scene, grad, total);
  if (status != cudaSuccess) return status;
  return launch(fixed_point_finish_kernel, dim3(unsigned(drawing.batch)), dim3(kFinishThreads),
                size * sizeof(double), stream, scene, static_cast<const unsigned long long*>(total),
                grad_points);
}

}  // namespace
}  // namespace fastpose::skeleton

// One backward: 0 two passes, 1 cluster, 2 fixed point. Contiguous float32 points (batch, joints,
// 2) and gradient (batch, 1, height, width), a width that 4 divides; `scratch` has 1 MB for each
// image.
extern "C" int reduce(int how, const float* points, const int32_t* plan, const float* gradient,
                      float* grad_points, void* scratch, int64_t batch, int64_t joints,
                      int32_t limbs, int32_t height, int32_t width, double sharpness,
                      void* stream_pointer) {
  using namespace fastpose;  // NOLINT
  const skeleton::Drawing drawing{points,  {joints * 2, 2, 1},
                                  false,   plan,
                                  nullptr, batch,
                                  joints,  limbs,
                                  1,       height,
                                  width,   sharpness,
                                  1e-6,    skeleton::exponential};
  const Image grad{const_cast<float*>(gradient),
                   Element::float32,
                   {int64_t{height} * width, int64_t{height} * width, width, 1}};
  const auto stream = static_cast<cudaStream_t>(stream_pointer);
  switch (how) {
    case 0:
      return skeleton::cuda_backward(drawing, grad, scratch, grad_points, stream);
    case 1:
      return skeleton::in_clusters(drawing, grad, grad_points, stream);
    default:
      return skeleton::in_fixed_point(drawing, grad, scratch, grad_points, stream);
  }
}
