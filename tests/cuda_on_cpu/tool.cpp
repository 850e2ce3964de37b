// Small kernels, right and wrong, that test the tool itself: see test_tool.py.
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

namespace {

constexpr unsigned kAll = 0xffffffffu;
constexpr int kThreads = 96;

// Adds up the block's threads' numbers through shared memory.
__global__ void block_sum(int* result) {
  int* values = reinterpret_cast<int*>(shared_memory);
  values[threadIdx.x] = int(threadIdx.x + 1);
  __syncthreads();
  if (threadIdx.x > 0) return;
  int sum = 0;
  for (unsigned i = 0; i < blockDim.x; ++i) sum += values[i];
  result[blockIdx.x] = sum;
}

// Every lane reads what its neighbour wrote.
__global__ void warp_rotation(int* result) {
  int* values = reinterpret_cast<int*>(shared_memory);
  values[threadIdx.x] = int(threadIdx.x);
  __syncwarp();
  result[threadIdx.x] = values[threadIdx.x / 32 * 32 + (threadIdx.x + 1) % 32];
}

// Each warp-wide operation once.
__global__ void warp_operations(int* result) {
  const unsigned lane = threadIdx.x % 32;
  int* own = result + threadIdx.x * 4;
  own[0] = __shfl_sync(kAll, int(threadIdx.x), 5);
  own[1] = int(__shfl_xor_sync(kAll, double(lane), 3));
  own[2] = int(__ballot_sync(kAll, lane % 2 == 0));
  own[3] = int(__reduce_min_sync(kAll, 100 + (lane ^ 7)));
}

// Marks every thread of a grid.
__global__ void indices(int* result) {
  const unsigned block = blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z);
  const unsigned thread = threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
  result[block * blockDim.x * blockDim.y * blockDim.z + thread] += 1 + int(blockIdx.z);
}

__global__ void half_of_a_barrier(int*) {
  if (threadIdx.x < kThreads / 2) __syncthreads();
}

__global__ void two_barriers(int*) {
  if (threadIdx.x < 32) {
    __syncthreads();
  } else {
    __syncthreads();
  }
}

__global__ void diverged_warp(int* result) {
  if (threadIdx.x % 2) {
    result[0] = __shfl_sync(kAll, 1, 0);
  } else {
    result[1] = int(__ballot_sync(kAll, true));
  }
}

__global__ void half_a_warp(int* result) {
  if (threadIdx.x % 2) result[0] = int(__ballot_sync(kAll, true));
}

__global__ void part_mask(int* result) { result[0] = int(__ballot_sync(1u, true)); }

__global__ void write_behind(int*) { shared_memory[kThreads * sizeof(int)] = 1; }

struct alignas(16) Quad {
  int a[4];
};

__global__ void misaligned_store(int*) {
  *reinterpret_cast<Quad*>(shared_memory + 4 * threadIdx.x) = Quad();
}

// Shared memory as a block finds it.
__global__ void unwritten(float* result) {
  result[threadIdx.x] = reinterpret_cast<float*>(shared_memory)[threadIdx.x];
}

std::string message;

template <typename Kernel, typename... Args>
const char* run(Kernel* kernel, dim3 grid, dim3 block, size_t shared, Args... args) {
  cudaLaunchConfig_t config = {};
  config.gridDim = grid;
  config.blockDim = block;
  config.dynamicSmemBytes = shared;
  try {
    cudaLaunchKernelEx(&config, kernel, args...);
    return nullptr;
  } catch (const std::exception& error) {
    message = error.what();
    return message.c_str();
  }
}

}  // namespace

extern "C" {

// Runs one of the kernels on blocks of 96 threads; null, or what is wrong.
const char* run_kernel(const char* name, int* result, int blocks, uint64_t seed, bool barriers) {
  cuda_on_cpu::machine.random = seed * 2 + 1;
  cuda_on_cpu::machine.removed_barrier.clear();
  if (!barriers && !cuda_on_cpu::machine.barriers.empty())
    cuda_on_cpu::machine.removed_barrier = *cuda_on_cpu::machine.barriers.begin();
  cuda_on_cpu::machine.barriers.clear();
  const std::string kernel = name;
  const size_t shared = kThreads * sizeof(int);
  if (kernel == "indices") return run(indices, dim3(3, 2, blocks), dim3(8, 4, 2), 0, result);
  if (kernel == "odd_block") return run(block_sum, dim3(1), dim3(33), shared, result);
  if (kernel == "no_grid") return run(block_sum, dim3(0), dim3(32), shared, result);
  if (kernel == "much_shared") return run(block_sum, dim3(1), dim3(32), 1 << 20, result);
  if (kernel == "unwritten")
    return run(unwritten, dim3(blocks), dim3(kThreads), shared, reinterpret_cast<float*>(result));
  const std::pair<const char*, void (*)(int*)> kernels[] = {
      {"block_sum", block_sum},
      {"warp_rotation", warp_rotation},
      {"warp_operations", warp_operations},
      {"half_of_a_barrier", half_of_a_barrier},
      {"two_barriers", two_barriers},
      {"diverged_warp", diverged_warp},
      {"half_a_warp", half_a_warp},
      {"part_mask", part_mask},
      {"write_behind", write_behind},
      {"misaligned_store", misaligned_store},
  };
  for (const auto& [known, function] : kernels)
    if (kernel == known) return run(function, dim3(blocks), dim3(kThreads), shared, result);
  return "no such kernel";
}

uint16_t to_bfloat16(float a) { return __float2bfloat16_rn(a).bits; }
float through_half(float a) { return __half2float(__float2half_rn(a)); }
float rounded_up(double a) { return __double2float_ru(a); }
}
