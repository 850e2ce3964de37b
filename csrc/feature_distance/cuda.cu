// CUDA owner of feature_distance: which kernel, which grid. Not yet run on a GPU: the kernels run
// on the CPU in tests/cuda_on_cpu, and their machine code is checked.
#include "feature_distance/cuda.cuh"

#include <algorithm>

#include "feature_distance/backward.cuh"
#include "feature_distance/forward.cuh"

namespace fastpose::features {
namespace {

// Adds a layer of `numel` numbers at these places to `chunks`, which has `l` already.
void add(Chunks& chunks, int l, int64_t numel, bool packed) {
  chunks.numel[l] = uint32_t(numel);
  chunks.packed[l] = packed;
  chunks.first[l + 1] = chunks.first[l] + uint32_t(groups_of(numel, kChunk));
}

bool is_direct(const Distance& distance, const Layer& layer) {
  return layer.height == distance.mask_height && layer.width == distance.mask_width &&
         is_aligned(distance.mask);
}

// Bytes of the weights of a layer in scratch memory, a multiple of 16.
int64_t weight_bytes(const Distance& distance, const Layer& layer) {
  if (distance.mask == nullptr || is_direct(distance, layer)) return 0;
  const int64_t size = distance.is_double ? sizeof(double) : sizeof(float);
  return groups_of(distance.batch * layer.pixels() * size, 16) * 16;
}

// `scratch` holds the weights, and then the sums of the chunks.
Work work_of(const Distance& distance, void* scratch, double** partial) {
  Work work = {distance, {}, {}, {}};
  char* free = static_cast<char*>(scratch);
  for (int l = 0; l < distance.layers; ++l) {
    const Layer& layer = distance.layer[l];
    add(work.chunks, l, distance.numel(l),
        is_aligned(layer.feature) && is_aligned(layer.target) && is_aligned(layer.gradient));
    work.slope[l] =
        slope_factor(distance.norm, distance.layers, std::max<int64_t>(distance.numel(l), 1));
    const int64_t bytes = weight_bytes(distance, layer);
    if (distance.mask != nullptr)
      work.weights[l] = bytes == 0 ? const_cast<void*>(distance.mask) : free;
    free += bytes;
  }
  *partial = reinterpret_cast<double*>(free);
  return work;
}

template <typename T>
cudaError_t average(const Work& work, cudaStream_t stream) {
  const Distance& distance = work.distance;
  int64_t groups = 0;
  for (int l = 0; l < distance.layers; ++l) {
    if (work.weights[l] == distance.mask) continue;
    const Layer& layer = distance.layer[l];
    const int64_t weights = distance.batch * layer.pixels();
    groups = std::max(groups, groups_of(weights * lanes_for(distance, layer), kThreads));
  }
  if (groups == 0) return cudaSuccess;
  if (groups > 0x7fffffff) return cudaErrorInvalidValue;
  return launch(feature_distance_weights_kernel<T>,
                dim3(unsigned(groups), unsigned(distance.layers)), dim3(kThreads), 0, stream, work);
}

template <typename T, int kNorm>
cudaError_t pass(const Work& work, double* partial, cudaStream_t stream) {
  const dim3 grid(work.chunks.first[work.distance.layers]);
  if (grid.x == 0) return cudaSuccess;
  return launch(work.distance.mask != nullptr ? feature_distance_forward_kernel<T, kNorm, true>
                                              : feature_distance_forward_kernel<T, kNorm, false>,
                grid, dim3(kThreads), kWarps * sizeof(T), stream, work, partial);
}

template <typename T>
cudaError_t forward(const Distance& distance, void* scratch, cudaStream_t stream) {
  double* partial = nullptr;
  const Work work = work_of(distance, scratch, &partial);
  cudaError_t status = average<T>(work, stream);
  if (status != cudaSuccess) return status;
  status =
      distance.norm == l1 ? pass<T, l1>(work, partial, stream) : pass<T, l2>(work, partial, stream);
  if (status != cudaSuccess) return status;
  return launch(feature_distance_finish_kernel<T>, dim3(1), dim3(kThreads),
                distance.layers * kWarps * sizeof(double), stream, work,
                static_cast<const double*>(partial));
}

}  // namespace

int64_t cuda_forward_scratch(const Distance& distance) {
  int64_t bytes = 0;
  for (int l = 0; l < distance.layers; ++l) {
    bytes += weight_bytes(distance, distance.layer[l]);
    bytes += groups_of(distance.numel(l), kChunk) * int64_t(sizeof(double));
  }
  return bytes;
}

cudaError_t cuda_forward(const Distance& distance, void* scratch, cudaStream_t stream) {
  return distance.is_double ? forward<double>(distance, scratch, stream)
                            : forward<float>(distance, scratch, stream);
}

cudaError_t cuda_backward(const Gradients& gradients, cudaStream_t stream) {
  Chunks chunks = {};
  for (int l = 0; l < gradients.layers; ++l)
    add(chunks, l, gradients.numel[l], is_aligned(gradients.data[l]));
  const dim3 grid(chunks.first[gradients.layers]);
  if (grid.x == 0) return cudaSuccess;
  return launch(gradients.is_double ? feature_distance_backward_kernel<double>
                                    : feature_distance_backward_kernel<float>,
                grid, dim3(kThreads), 0, stream, gradients, chunks);
}

}  // namespace fastpose::features
