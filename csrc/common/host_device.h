// Marks for functions that the host compiler and nvcc share (csrc/<op>/math.h).
//
// FASTPOSE_HD gives internal linkage on purpose: the CPU sources are compiled once per instruction
// set (see dispatch.h), and an ordinary inline function compiled with -mavx512f could be picked by
// the linker for the scalar copy as well, and crash an older processor.
#pragma once

#if defined(__CUDACC__)
#define FASTPOSE_HD static __host__ __device__ __forceinline__
#else
#define FASTPOSE_HD static inline __attribute__((always_inline))
#endif

#define FASTPOSE_RESTRICT __restrict__
