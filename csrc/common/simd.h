// Vectors of numbers as wide as the instruction set being compiled has, for csrc/<op>/cpu.cpp.
//
// `Floats` has `lanes` floats: 16 with AVX-512, 8 with AVX2, otherwise 1. `Plain<T>` is the
// one-lane form, which also serves double everywhere, so that one kernel template serves all.
// Everything lies in the namespace of the instruction set, see dispatch.h. Numbers are assumed
// finite: the kernels set those that are not apart beforehand.
#pragma once

#include <math.h>

#include <cstdint>
#include <cstring>

#if defined(__AVX512F__) || defined(__AVX2__)
// GCC 12 takes the "undefined" operands inside its own intrinsics for a mistake.
#pragma GCC diagnostic push
#if !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif
#include <immintrin.h>
#pragma GCC diagnostic pop
#elif defined(__x86_64__)
#include <xmmintrin.h>
#endif

#define FASTPOSE_INLINE inline __attribute__((always_inline))

namespace fastpose::FASTPOSE_ISA {

// 2^f for f in [-1/2, 1/2]: of the polynomials of degree 5 that are 1 at 0 (so that nothing exceeds
// a peak of 1) the one with the least relative error, 9.1e-8.
inline constexpr float kPower[6] = {
    1.0f, 6.931469776e-1f, 2.4022242085e-1f, 5.5507337433e-2f, 9.6715126396e-3f, 1.3264727197e-3f};
// 2^f - 1 is f times this polynomial, with an error of 2.3e-9 at most.
inline constexpr float kPowerLessOne[7] = {6.931471825e-1f, 2.402265072e-1f, 5.550410226e-2f,
                                           9.618038312e-3f, 1.333393506e-3f, 1.546675630e-4f,
                                           1.519615034e-5f};
// 2^(x + lift) is 0 below x + lift = -126, with AVX-512 while FlushToZero lives: no subnormal
// numbers. NaN gives NaN. The sum is not rounded, so that x may have more digits behind the point.
inline constexpr float kLeastPower = -126.0f;

// While it lives, results too small for a normal number become 0 (on x86): producing subnormal ones
// costs some processors a hundred cycles each.
struct FlushToZero {
#if defined(__x86_64__)
  unsigned before = _mm_getcsr();
  FlushToZero() { _mm_setcsr(before | 0x8000u); }
  ~FlushToZero() { _mm_setcsr(before); }
#else
  FlushToZero() {}
#endif
  FlushToZero(const FlushToZero&) = delete;
};

// --- one lane ------------------------------------------------------------------------------------

template <typename T>
struct Plain {
  using scalar = T;
  static constexpr int lanes = 1;
  T v;
  Plain() = default;
  FASTPOSE_INLINE Plain(T a) : v(a) {}
  static FASTPOSE_INLINE Plain load(const T* p) { return *p; }
  FASTPOSE_INLINE void store(T* p) const { *p = v; }

  friend FASTPOSE_INLINE Plain operator+(Plain a, Plain b) { return a.v + b.v; }
  friend FASTPOSE_INLINE Plain operator-(Plain a, Plain b) { return a.v - b.v; }
  friend FASTPOSE_INLINE Plain operator*(Plain a, Plain b) { return a.v * b.v; }
  // Bit l of the result is set where the relation holds in lane l.
  friend FASTPOSE_INLINE uint32_t less(Plain a, Plain b) { return a.v < b.v; }
  friend FASTPOSE_INLINE uint32_t equal(Plain a, Plain b) { return a.v == b.v; }
  friend FASTPOSE_INLINE Plain minimum(Plain a, Plain b) { return a.v < b.v ? a : b; }
  friend FASTPOSE_INLINE Plain maximum(Plain a, Plain b) { return a.v > b.v ? a : b; }
  // Of numbers that are not negative: they are in order as integers too, which costs half.
  friend FASTPOSE_INLINE Plain minimum_positive(Plain a, Plain b) { return minimum(a, b); }
#if defined(__FMA__)
  friend FASTPOSE_INLINE Plain multiply_add(Plain a, Plain b, Plain c) {
    return __builtin_fma(a.v, b.v, c.v);
  }
#else
  friend FASTPOSE_INLINE Plain multiply_add(Plain a, Plain b, Plain c) { return a.v * b.v + c.v; }
#endif
  friend FASTPOSE_INLINE Plain reciprocal(Plain a) { return T(1) / a.v; }
  friend FASTPOSE_INLINE Plain square_root(Plain a) { return sqrt(a.v); }
  friend FASTPOSE_INLINE Plain inverse_root(Plain a) { return T(1) / sqrt(a.v); }
  // The same with an error of up to 4e-4 of the result.
  friend FASTPOSE_INLINE Plain rough_inverse_root(Plain a) { return inverse_root(a); }
  friend FASTPOSE_INLINE Plain power_of_two(Plain a, int lift = 0) {
    if (a.v < kLeastPower - T(lift)) return T(0);
    return lift == 0 ? T(exp2(a.v)) : T(exp2(double(a.v) + lift));
  }
  // 2^a - 1 for a in [-126, 126], exact to the last digits where it is small.
  friend FASTPOSE_INLINE Plain power_of_two_less_one(Plain a) {
    return T(expm1(a.v * T(0.693147180559945309417)));
  }
  // a where a < b, and `first` there; else b and `second`.
  friend FASTPOSE_INLINE Plain choose_less(Plain a, Plain b, Plain& second, Plain first) {
    if (a.v < b.v) second = first;
    return minimum(a, b);
  }
  // a where x == y, else 0.
  friend FASTPOSE_INLINE Plain keep_equal(Plain a, Plain x, Plain y) {
    return x.v == y.v ? a.v : T(0);
  }
  // The first `count` lanes of a, the others of b.
  friend FASTPOSE_INLINE Plain first_lanes(Plain a, int count, Plain b) {
    return count > 0 ? a : b;
  }
  friend FASTPOSE_INLINE Plain absolute(Plain a) { return a.v < 0 ? -a.v : a.v; }
  // 1, -1, or 0 for 0 and NaN.
  friend FASTPOSE_INLINE Plain sign(Plain a) { return T((a.v > 0) - (a.v < 0)); }
  friend FASTPOSE_INLINE T sum(Plain a) { return a.v; }
  friend FASTPOSE_INLINE T least(Plain a) { return a.v; }
  friend FASTPOSE_INLINE T greatest(Plain a) { return a.v; }
};

// --- 16 lanes ------------------------------------------------------------------------------------

#if defined(__AVX512F__)
struct Floats {
  using scalar = float;
  static constexpr int lanes = 16;
  __m512 v;
  Floats() = default;
  FASTPOSE_INLINE Floats(__m512 a) : v(a) {}
  FASTPOSE_INLINE Floats(float a) : v(_mm512_set1_ps(a)) {}
  static FASTPOSE_INLINE Floats load(const float* p) { return _mm512_loadu_ps(p); }
  FASTPOSE_INLINE void store(float* p) const { _mm512_storeu_ps(p, v); }

  friend FASTPOSE_INLINE Floats operator+(Floats a, Floats b) { return _mm512_add_ps(a.v, b.v); }
  friend FASTPOSE_INLINE Floats operator-(Floats a, Floats b) { return _mm512_sub_ps(a.v, b.v); }
  friend FASTPOSE_INLINE Floats operator*(Floats a, Floats b) { return _mm512_mul_ps(a.v, b.v); }
  friend FASTPOSE_INLINE uint32_t less(Floats a, Floats b) {
    return _mm512_cmp_ps_mask(a.v, b.v, _CMP_LT_OQ);
  }
  friend FASTPOSE_INLINE uint32_t equal(Floats a, Floats b) {
    return _mm512_cmp_ps_mask(a.v, b.v, _CMP_EQ_OQ);
  }
  friend FASTPOSE_INLINE Floats minimum(Floats a, Floats b) { return _mm512_min_ps(a.v, b.v); }
  friend FASTPOSE_INLINE Floats maximum(Floats a, Floats b) { return _mm512_max_ps(a.v, b.v); }
  friend FASTPOSE_INLINE Floats minimum_positive(Floats a, Floats b) {
    return _mm512_castsi512_ps(
        _mm512_min_epi32(_mm512_castps_si512(a.v), _mm512_castps_si512(b.v)));
  }
  friend FASTPOSE_INLINE Floats multiply_add(Floats a, Floats b, Floats c) {
    return _mm512_fmadd_ps(a.v, b.v, c.v);
  }
  friend FASTPOSE_INLINE Floats reciprocal(Floats a) {
    return _mm512_div_ps(_mm512_set1_ps(1.0f), a.v);
  }
  // Both roots: one Newton step from 14 bits.
  friend FASTPOSE_INLINE Floats inverse_root(Floats a) {
    const __m512 y = _mm512_rsqrt14_ps(a.v), half = _mm512_mul_ps(y, _mm512_set1_ps(0.5f));
    const __m512 error = _mm512_fnmadd_ps(_mm512_mul_ps(a.v, y), y, _mm512_set1_ps(1.0f));
    return _mm512_fmadd_ps(half, error, y);
  }
  friend FASTPOSE_INLINE Floats rough_inverse_root(Floats a) { return _mm512_rsqrt14_ps(a.v); }
  friend FASTPOSE_INLINE Floats square_root(Floats a) {
    const __m512 y = _mm512_rsqrt14_ps(a.v), half = _mm512_mul_ps(y, _mm512_set1_ps(0.5f));
    const __m512 root = _mm512_mul_ps(a.v, y);
    return _mm512_fmadd_ps(half, _mm512_fnmadd_ps(root, root, a.v), root);
  }
  friend FASTPOSE_INLINE Floats power_of_two(Floats a, int lift = 0) {
    const __m512 n = _mm512_roundscale_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    const __m512 f = _mm512_sub_ps(a.v, n);
    __m512 p = _mm512_set1_ps(kPower[5]);
    for (int i = 4; i >= 0; --i) p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(kPower[i]));
    if (lift == 0) return _mm512_scalef_ps(p, n);  // 0 for -inf too
    return _mm512_scalef_ps(p, _mm512_add_ps(n, _mm512_set1_ps(static_cast<float>(lift))));
  }
  friend FASTPOSE_INLINE Floats power_of_two_less_one(Floats a) {
    const __m512 n = _mm512_roundscale_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    const __m512 f = _mm512_sub_ps(a.v, n), one = _mm512_set1_ps(1.0f);
    __m512 p = _mm512_set1_ps(kPowerLessOne[6]);
    for (int i = 5; i >= 0; --i) p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(kPowerLessOne[i]));
    const __m512 whole = _mm512_scalef_ps(one, n);
    return _mm512_fmadd_ps(_mm512_mul_ps(p, f), whole, _mm512_sub_ps(whole, one));
  }
  friend FASTPOSE_INLINE Floats choose_less(Floats a, Floats b, Floats& second, Floats first) {
    const __mmask16 lower = _mm512_cmp_ps_mask(a.v, b.v, _CMP_LT_OQ);
    second.v = _mm512_mask_mov_ps(second.v, lower, first.v);
    return _mm512_min_ps(a.v, b.v);
  }
  friend FASTPOSE_INLINE Floats keep_equal(Floats a, Floats x, Floats y) {
    return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(x.v, y.v, _CMP_EQ_OQ), a.v);
  }
  friend FASTPOSE_INLINE Floats first_lanes(Floats a, int count, Floats b) {
    const __mmask16 kept = count >= lanes ? 0xffff : static_cast<__mmask16>((1u << count) - 1);
    return _mm512_mask_mov_ps(b.v, kept, a.v);
  }
  friend FASTPOSE_INLINE Floats absolute(Floats a) { return _mm512_abs_ps(a.v); }
  friend FASTPOSE_INLINE Floats sign(Floats a) {
    const __m512 zero = _mm512_setzero_ps(), one = _mm512_set1_ps(1.0f);
    const __m512 above = _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(a.v, zero, _CMP_GT_OQ), one);
    return _mm512_mask_sub_ps(above, _mm512_cmp_ps_mask(a.v, zero, _CMP_LT_OQ), zero, one);
  }
  friend FASTPOSE_INLINE float sum(Floats a) { return _mm512_reduce_add_ps(a.v); }
  friend FASTPOSE_INLINE float least(Floats a) { return _mm512_reduce_min_ps(a.v); }
  friend FASTPOSE_INLINE float greatest(Floats a) { return _mm512_reduce_max_ps(a.v); }
};

// --- 8 lanes -------------------------------------------------------------------------------------

#elif defined(__AVX2__)
struct Floats {
  using scalar = float;
  static constexpr int lanes = 8;
  __m256 v;
  Floats() = default;
  FASTPOSE_INLINE Floats(__m256 a) : v(a) {}
  FASTPOSE_INLINE Floats(float a) : v(_mm256_set1_ps(a)) {}
  static FASTPOSE_INLINE Floats load(const float* p) { return _mm256_loadu_ps(p); }
  FASTPOSE_INLINE void store(float* p) const { _mm256_storeu_ps(p, v); }

  friend FASTPOSE_INLINE Floats operator+(Floats a, Floats b) { return _mm256_add_ps(a.v, b.v); }
  friend FASTPOSE_INLINE Floats operator-(Floats a, Floats b) { return _mm256_sub_ps(a.v, b.v); }
  friend FASTPOSE_INLINE Floats operator*(Floats a, Floats b) { return _mm256_mul_ps(a.v, b.v); }
  friend FASTPOSE_INLINE uint32_t less(Floats a, Floats b) {
    return static_cast<uint32_t>(_mm256_movemask_ps(_mm256_cmp_ps(a.v, b.v, _CMP_LT_OQ)));
  }
  friend FASTPOSE_INLINE uint32_t equal(Floats a, Floats b) {
    return static_cast<uint32_t>(_mm256_movemask_ps(_mm256_cmp_ps(a.v, b.v, _CMP_EQ_OQ)));
  }
  friend FASTPOSE_INLINE Floats minimum(Floats a, Floats b) { return _mm256_min_ps(a.v, b.v); }
  friend FASTPOSE_INLINE Floats maximum(Floats a, Floats b) { return _mm256_max_ps(a.v, b.v); }
  friend FASTPOSE_INLINE Floats minimum_positive(Floats a, Floats b) {
    return _mm256_castsi256_ps(
        _mm256_min_epi32(_mm256_castps_si256(a.v), _mm256_castps_si256(b.v)));
  }
  friend FASTPOSE_INLINE Floats multiply_add(Floats a, Floats b, Floats c) {
    return _mm256_fmadd_ps(a.v, b.v, c.v);
  }
  friend FASTPOSE_INLINE Floats reciprocal(Floats a) {
    return _mm256_div_ps(_mm256_set1_ps(1.0f), a.v);
  }
  friend FASTPOSE_INLINE Floats square_root(Floats a) { return _mm256_sqrt_ps(a.v); }
  friend FASTPOSE_INLINE Floats inverse_root(Floats a) {
    return _mm256_div_ps(_mm256_set1_ps(1.0f), _mm256_sqrt_ps(a.v));
  }
  friend FASTPOSE_INLINE Floats rough_inverse_root(Floats a) { return _mm256_rsqrt_ps(a.v); }
  friend FASTPOSE_INLINE Floats power_of_two(Floats a, int lift = 0) {
    const __m256 counts = _mm256_cmp_ps(a.v, _mm256_set1_ps(kLeastPower - lift), _CMP_NLT_UQ);
    const __m256 x = _mm256_and_ps(counts, a.v);
    const __m256 n = _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    const __m256 f = _mm256_sub_ps(x, n);
    __m256 p = _mm256_set1_ps(kPower[5]);
    for (int i = 4; i >= 0; --i) p = _mm256_fmadd_ps(p, f, _mm256_set1_ps(kPower[i]));
    const __m256i whole = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(lift));
    const __m256i scaled = _mm256_add_epi32(_mm256_castps_si256(p), _mm256_slli_epi32(whole, 23));
    return _mm256_and_ps(counts, _mm256_castsi256_ps(scaled));
  }
  friend FASTPOSE_INLINE Floats power_of_two_less_one(Floats a) {
    const __m256 n = _mm256_round_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    const __m256 f = _mm256_sub_ps(a.v, n), one = _mm256_set1_ps(1.0f);
    __m256 p = _mm256_set1_ps(kPowerLessOne[6]);
    for (int i = 5; i >= 0; --i) p = _mm256_fmadd_ps(p, f, _mm256_set1_ps(kPowerLessOne[i]));
    const __m256 whole = _mm256_castsi256_ps(
        _mm256_add_epi32(_mm256_castps_si256(one), _mm256_slli_epi32(_mm256_cvtps_epi32(n), 23)));
    return _mm256_fmadd_ps(_mm256_mul_ps(p, f), whole, _mm256_sub_ps(whole, one));
  }
  friend FASTPOSE_INLINE Floats choose_less(Floats a, Floats b, Floats& second, Floats first) {
    second.v = _mm256_blendv_ps(second.v, first.v, _mm256_cmp_ps(a.v, b.v, _CMP_LT_OQ));
    return _mm256_min_ps(a.v, b.v);
  }
  friend FASTPOSE_INLINE Floats keep_equal(Floats a, Floats x, Floats y) {
    return _mm256_and_ps(_mm256_cmp_ps(x.v, y.v, _CMP_EQ_OQ), a.v);
  }
  friend FASTPOSE_INLINE Floats first_lanes(Floats a, int count, Floats b) {
    const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    const __m256i kept = _mm256_cmpgt_epi32(_mm256_set1_epi32(count), lane);
    return _mm256_blendv_ps(b.v, a.v, _mm256_castsi256_ps(kept));
  }
  friend FASTPOSE_INLINE Floats absolute(Floats a) {
    return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a.v);
  }
  friend FASTPOSE_INLINE Floats sign(Floats a) {
    const __m256 zero = _mm256_setzero_ps(), one = _mm256_set1_ps(1.0f);
    const __m256 above = _mm256_and_ps(_mm256_cmp_ps(a.v, zero, _CMP_GT_OQ), one);
    return _mm256_sub_ps(above, _mm256_and_ps(_mm256_cmp_ps(a.v, zero, _CMP_LT_OQ), one));
  }
  friend FASTPOSE_INLINE float sum(Floats a) {
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(a.v), _mm256_extractf128_ps(a.v, 1));
    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
  }
  friend FASTPOSE_INLINE float least(Floats a) {
    __m128 s = _mm_min_ps(_mm256_castps256_ps128(a.v), _mm256_extractf128_ps(a.v, 1));
    s = _mm_min_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_min_ss(s, _mm_movehdup_ps(s)));
  }
  friend FASTPOSE_INLINE float greatest(Floats a) {
    __m128 s = _mm_max_ps(_mm256_castps256_ps128(a.v), _mm256_extractf128_ps(a.v, 1));
    s = _mm_max_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_max_ss(s, _mm_movehdup_ps(s)));
  }
};

#else
using Floats = Plain<float>;
#endif

// The vector of numbers of type T: several floats, one double.
template <typename T>
struct Wide {
  using type = Plain<T>;
};
template <>
struct Wide<float> {
  using type = Floats;
};

}  // namespace fastpose::FASTPOSE_ISA
