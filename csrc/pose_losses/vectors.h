// What the pose losses need of vectors besides common/simd.h; in the namespace of the instruction
// set, see common/dispatch.h.
#pragma once

#include "common/simd.h"

namespace fastpose::FASTPOSE_ISA {

template <typename T>
FASTPOSE_INLINE Plain<T> exponential_minus_one(Plain<T> a) {
  return T(expm1(a.v));
}
// 0 where x <= y, else a: also where x or y is NaN.
template <typename T>
FASTPOSE_INLINE Plain<T> keep_unless_at_most(Plain<T> a, Plain<T> x, Plain<T> y) {
  return x.v <= y.v ? T(0) : a.v;
}

#if defined(__AVX512F__) || defined(__AVX2__)

// 1 / k! for k = 2 ...: e^r - 1 = r + r^2 (1 / 2! + r / 3! + ...), to 2e-8 for |r| <= log(2) / 2.
inline constexpr float kFactorials[6] = {5.0000000000e-1f, 1.6666666667e-1f, 4.1666666667e-2f,
                                         8.3333333333e-3f, 1.3888888889e-3f, 1.9841269841e-4f};
// log(2) in two numbers, the first with so few digits that small multiples of it are exact.
inline constexpr float kLog2High = 0.693145751953125f, kLog2Low = 1.42860682030941723e-6f;
// e^x - 1 is -1 below the first, infinite above the second.
inline constexpr float kLeastExponent = -50.0f, kMostExponent = 89.0f;

FASTPOSE_INLINE Floats exponential_minus_one(Floats a) {
  const Floats x = minimum(Floats(kMostExponent), maximum(Floats(kLeastExponent), a));
#if defined(__AVX512F__)
  const Floats n = _mm512_roundscale_ps((x * Floats(1.44269504f)).v,
                                        _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  // 2^n / 2, which does not overflow before the result does.
  const Floats half = _mm512_scalef_ps(_mm512_set1_ps(0.5f), n.v);
#else
  const Floats n =
      _mm256_round_ps((x * Floats(1.44269504f)).v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  const __m256i exponent = _mm256_add_epi32(_mm256_cvtps_epi32(n.v), _mm256_set1_epi32(126));
  const Floats half = _mm256_castsi256_ps(_mm256_slli_epi32(exponent, 23));
#endif
  const Floats minus_n = Floats(0.0f) - n;
  const Floats r =
      multiply_add(minus_n, Floats(kLog2Low), multiply_add(minus_n, Floats(kLog2High), x));
  Floats p(kFactorials[5]);
  for (int i = 4; i >= 0; --i) p = multiply_add(p, r, Floats(kFactorials[i]));
  p = multiply_add(r * r, p, r);
  const Floats sum = multiply_add(half, p, half - Floats(0.5f));
  return sum + sum;
}

FASTPOSE_INLINE Floats keep_unless_at_most(Floats a, Floats x, Floats y) {
#if defined(__AVX512F__)
  return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(x.v, y.v, _CMP_NLE_UQ), a.v);
#else
  return _mm256_and_ps(_mm256_cmp_ps(x.v, y.v, _CMP_NLE_UQ), a.v);
#endif
}

#endif

}  // namespace fastpose::FASTPOSE_ISA
