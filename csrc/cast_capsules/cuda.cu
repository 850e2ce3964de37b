// CUDA owner of cast_capsules. Not yet run on a GPU: the kernel runs on the CPU in
// tests/cuda_on_cpu, and its machine code is checked.
#include "cast_capsules/cuda.cuh"

#include "cast_capsules/kernel.cuh"

namespace fastpose::capsules {

cudaError_t cuda_cast(const CapsuleRays& rays, cudaStream_t stream) {
  const int64_t rows = rays.frames * rays.wide;  // less than 2^31, as there are fewer samples
  const int64_t blocks = groups_of(rays.wide, kThreads);
  if (rows == 0) return cudaSuccess;
  if (blocks > 0xffff) return cudaErrorInvalidValue;
  return launch(cast_capsules_kernel, dim3(unsigned(rows), unsigned(blocks)), dim3(kThreads),
                kPartsAtOnce * sizeof(Candidate), stream, rays);
}

}  // namespace fastpose::capsules
