// Run-time choice of the instruction set for CPU kernels.
//
// CMake compiles every csrc/<op>/cpu.cpp once per instruction set, each time with FASTPOSE_ISA
// defined as one of the names below, and csrc/<op>/register.cpp once with the compiler's baseline:
//
//   csrc/<op>/<op>.h    FASTPOSE_DECLARE_CPU(void, draw_forward, const DrawParams& params)
//   csrc/<op>/cpu.cpp   namespace fastpose::FASTPOSE_ISA { void draw_forward(...) {...} }
//   csrc/<op>/register.cpp   FASTPOSE_CPU(draw_forward)(params)  inside namespace fastpose
//
// cpu.cpp includes no torch header and defines nothing with external linkage outside of its
// namespace (FASTPOSE_HD and anonymous namespaces are static): see host_device.h for the reason.
#pragma once

#if defined(__x86_64__)
#define FASTPOSE_X86 1
#else
#define FASTPOSE_X86 0
#endif

namespace fastpose {

enum class Isa : int { scalar = 0, avx2 = 1, avx512 = 2 };

// The widest instruction set that this processor runs and that set_cpu_isa_limit allows.
Isa cpu_isa();

}  // namespace fastpose

#if FASTPOSE_X86
// The alternatives of one function, written as pairs of namespaces so that no name is repeated.
#define FASTPOSE_DECLARE_CPU(result, name, ...) \
  namespace scalar {                            \
  result name(__VA_ARGS__);                     \
  }                                             \
  namespace avx2 {                              \
  result name(__VA_ARGS__);                     \
  }                                             \
  namespace avx512 {                            \
  result name(__VA_ARGS__);                     \
  }
#define FASTPOSE_CPU(name)                                          \
  (::fastpose::cpu_isa() == ::fastpose::Isa::avx512 ? &avx512::name \
   : ::fastpose::cpu_isa() == ::fastpose::Isa::avx2 ? &avx2::name   \
                                                    : &scalar::name)
#else
#define FASTPOSE_DECLARE_CPU(result, name, ...) \
  namespace scalar {                            \
  result name(__VA_ARGS__);                     \
  }
#define FASTPOSE_CPU(name) (&scalar::name)
#endif
