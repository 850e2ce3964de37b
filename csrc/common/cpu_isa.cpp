// Which instruction set the CPU kernels use, and the library's own C entry points (ctypes).
#include <atomic>

#include "dispatch.h"

namespace fastpose {
namespace {

Isa detect() {
#if FASTPOSE_X86
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") &&
                      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
                      __builtin_cpu_supports("avx512vl");
  return avx512 ? Isa::avx512 : avx2 ? Isa::avx2 : Isa::scalar;
#else
  return Isa::scalar;
#endif
}

const Isa detected = detect();
std::atomic<int> limit{static_cast<int>(Isa::avx512)};

}  // namespace

Isa cpu_isa() {
  const int allowed = limit.load(std::memory_order_relaxed);
  return allowed < static_cast<int>(detected) ? static_cast<Isa>(allowed) : detected;
}

}  // namespace fastpose

extern "C" {

// The instruction set in use: 0 scalar, 1 AVX2 with FMA, 2 AVX-512 (F, BW, DQ, VL).
__attribute__((visibility("default"))) int fastpose_cpu_isa() {
  return static_cast<int>(fastpose::cpu_isa());
}

// Allows nothing wider than `isa` from the next call on; tests and benchmarks compare the variants.
__attribute__((visibility("default"))) void fastpose_set_cpu_isa_limit(int isa) {
  fastpose::limit.store(isa, std::memory_order_relaxed);
}
}
