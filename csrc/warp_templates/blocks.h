// How the lanes of a vector lie on the image, and how each fetches its four texels; for cpu.cpp, in
// its namespace.
//
// A block is a small rectangle of pixels, a lane each. Its sources lie in a small parallelogram of
// the template, whatever the angle. With AVX-512, 8 x 8 texels around it are looked up in
// registers; otherwise every lane loads two pairs.
#pragma once

#include "common/simd.h"
#include "warp_templates/math.h"
#include "warp_templates/prepared.h"

namespace fastpose::FASTPOSE_ISA {
namespace {

template <typename V>
struct Block;

// --- one lane ------------------------------------------------------------------------------------

template <typename T>
struct Block<Plain<T>> {
  using V = Plain<T>;
  using Whole = int;
  static constexpr int columns = 1, rows = 1;

  // Of each lane: its column times `right` plus its row times `down`.
  static FASTPOSE_INLINE V spread(T, T) { return T(0); }
  // Pixels of `rows` lines that are `pitch` elements apart.
  static FASTPOSE_INLINE V load(const T* lines, int64_t) { return *lines; }
  static FASTPOSE_INLINE void store(V values, T* lines, int64_t) { *lines = values.v; }
  // floor(a), and what is left of a.
  static FASTPOSE_INLINE Whole whole(V a, V& rest) {
    const int floor = static_cast<int>(a.v) - (a.v < static_cast<int>(a.v));
    rest.v = a.v - floor;
    return floor;
  }
  // The texels at (x, y) from `corner`.
  static FASTPOSE_INLINE Texels<V> fetch(const T* corner, int pitch, Whole x, Whole y) {
    const T* at = corner + y * pitch + x;
    return {at[0], at[1], at[pitch], at[pitch + 1]};
  }
  // The same where x lies in 0 .. kPatch - 2 and y in 0 .. kRows - 2; kRows is at most kPatch.
  template <int>
  static FASTPOSE_INLINE Texels<V> fetch_near(const T* corner, int pitch, Whole x, Whole y) {
    return fetch(corner, pitch, x, y);
  }
  // Adds four numbers to the cell at (x, y) from `corner`.
  static FASTPOSE_INLINE void add_to_cells(T* corner, int pitch, Whole x, Whole y,
                                           const Texels<V>& four) {
    T* cell = corner + 4 * (y * pitch + x);
    cell[0] += four.t00.v, cell[1] += four.t10.v, cell[2] += four.t01.v, cell[3] += four.t11.v;
  }
  // a b, or 0 where b is 0.
  static FASTPOSE_INLINE V times(V a, V b) { return b.v == 0 ? T(0) : a.v * b.v; }

  // Of the numbers start + step i, i = first ..., clamped to [least, most], the floors, and what is
  // left of them, or (unless kClamped) of the numbers themselves. NaN counts as `least`. Up to 8
  // more than `count` are written.
  template <bool kClamped>
  static FASTPOSE_INLINE void split(double start, double step, int first, int count, double least,
                                    double most, int32_t* floors, T* rests) {
    for (int i = 0; i < count; ++i) {
      const double at = start + step * (first + i);
      const double inside = at > least ? (at < most ? at : most) : least;
      const int32_t truncated = static_cast<int32_t>(inside);
      floors[i] = truncated - (inside < truncated);
      rests[i] = T((kClamped ? inside : at) - floors[i]);
    }
  }
};

#if defined(__AVX2__)
// The columns and rows of a block in an order in which neighbours, which often share a cell, do not
// follow each other: the sum would have to wait for memory.
constexpr int kApart[4] = {0, 2, 1, 3};

FASTPOSE_INLINE void add_to(float* cell, __m128 four) {
  _mm_storeu_ps(cell, _mm_add_ps(_mm_loadu_ps(cell), four));
}

FASTPOSE_INLINE __m128 pairs_at(const float* upper, int pitch) {
  const __m128 pair = _mm_castsi128_ps(_mm_loadu_si64(upper));
  return _mm_loadh_pi(pair, reinterpret_cast<const __m64*>(upper + pitch));
}
#endif

// --- 4 x 4 pixels --------------------------------------------------------------------------------

#if defined(__AVX512F__)
template <>
struct Block<Floats> {
  using Whole = __m512i;
  static constexpr int columns = 4, rows = 4;

  static FASTPOSE_INLINE Floats spread(float right, float down) {
    const __m512 x = _mm512_setr_ps(0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3);
    const __m512 y = _mm512_setr_ps(0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3);
    return multiply_add(Floats(x), Floats(right), Floats(y) * Floats(down));
  }
  static FASTPOSE_INLINE Floats load(const float* lines, int64_t pitch) {
    const __m256 upper = _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(lines)),
                                              _mm_loadu_ps(lines + pitch), 1);
    const __m256 lower =
        _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(lines + 2 * pitch)),
                             _mm_loadu_ps(lines + 3 * pitch), 1);
    return _mm512_insertf32x8(_mm512_castps256_ps512(upper), lower, 1);
  }
  static FASTPOSE_INLINE void store(Floats values, float* lines, int64_t pitch) {
    _mm_storeu_ps(lines, _mm512_castps512_ps128(values.v));
    _mm_storeu_ps(lines + pitch, _mm512_extractf32x4_ps(values.v, 1));
    _mm_storeu_ps(lines + 2 * pitch, _mm512_extractf32x4_ps(values.v, 2));
    _mm_storeu_ps(lines + 3 * pitch, _mm512_extractf32x4_ps(values.v, 3));
  }
  static FASTPOSE_INLINE Whole whole(Floats a, Floats& rest) {
    const __m512 floor = _mm512_roundscale_ps(a.v, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
    rest = _mm512_sub_ps(a.v, floor);
    return _mm512_cvtps_epi32(floor);
  }
  static FASTPOSE_INLINE Whole places(int pitch, Whole x, Whole y) {
    return _mm512_add_epi32(_mm512_mullo_epi32(y, _mm512_set1_epi32(pitch)), x);
  }
  static FASTPOSE_INLINE Texels<Floats> fetch(const float* corner, int pitch, Whole x, Whole y) {
    alignas(64) int32_t place[16];
    _mm512_store_si512(place, places(pitch, x, y));
    __m512 four[4];  // of lanes i, 4 + i, 8 + i, 12 + i
    for (int i = 0; i < 4; ++i) {
      const __m256 one =
          _mm256_insertf128_ps(_mm256_castps128_ps256(pairs_at(corner + place[i], pitch)),
                               pairs_at(corner + place[4 + i], pitch), 1);
      const __m256 other =
          _mm256_insertf128_ps(_mm256_castps128_ps256(pairs_at(corner + place[8 + i], pitch)),
                               pairs_at(corner + place[12 + i], pitch), 1);
      four[i] = _mm512_insertf32x8(_mm512_castps256_ps512(one), other, 1);
    }
    const __m512d a = _mm512_castps_pd(_mm512_unpacklo_ps(four[0], four[1]));
    const __m512d b = _mm512_castps_pd(_mm512_unpackhi_ps(four[0], four[1]));
    const __m512d c = _mm512_castps_pd(_mm512_unpacklo_ps(four[2], four[3]));
    const __m512d d = _mm512_castps_pd(_mm512_unpackhi_ps(four[2], four[3]));
    return {_mm512_castpd_ps(_mm512_unpacklo_pd(a, c)), _mm512_castpd_ps(_mm512_unpackhi_pd(a, c)),
            _mm512_castpd_ps(_mm512_unpacklo_pd(b, d)), _mm512_castpd_ps(_mm512_unpackhi_pd(b, d))};
  }
  template <int kRows>
  static FASTPOSE_INLINE Texels<Floats> fetch_near(const float* corner, int pitch, Whole x,
                                                   Whole y) {
    static_assert(kPatch == 8 && (kRows == 6 || kRows == 8));
    __m512 two[4];  // rows
    for (int i = 0; i < kRows / 2; ++i) {
      const float* row = corner + 2 * i * int64_t{pitch};
      two[i] = _mm512_insertf32x8(_mm512_castps256_ps512(_mm256_loadu_ps(row)),
                                  _mm256_loadu_ps(row + pitch), 1);
    }
    const __m512i t00 = _mm512_add_epi32(_mm512_slli_epi32(y, 3), x);
    const __m512i t01 = _mm512_add_epi32(t00, _mm512_set1_epi32(kPatch));
    const __m512i one = _mm512_set1_epi32(1), lower = _mm512_set1_epi32(32);
    const auto look_up = [&](__m512i place, __mmask16 from_lower_half) {
      const __m512 upper = _mm512_permutex2var_ps(two[0], place, two[1]);
      if (kRows == 6) return _mm512_mask_permutexvar_ps(upper, from_lower_half, place, two[2]);
      return _mm512_mask_mov_ps(upper, from_lower_half,
                                _mm512_permutex2var_ps(two[2], place, two[kRows / 2 - 1]));
    };
    const __mmask16 upper_row = _mm512_test_epi32_mask(t00, lower);
    const __mmask16 lower_row = _mm512_test_epi32_mask(t01, lower);
    return {look_up(t00, upper_row), look_up(_mm512_add_epi32(t00, one), upper_row),
            look_up(t01, lower_row), look_up(_mm512_add_epi32(t01, one), lower_row)};
  }
  static FASTPOSE_INLINE void add_to_cells(float* corner, int pitch, Whole x, Whole y,
                                           const Texels<Floats>& four) {
    const __m512d a = _mm512_castps_pd(_mm512_unpacklo_ps(four.t00.v, four.t10.v));
    const __m512d b = _mm512_castps_pd(_mm512_unpackhi_ps(four.t00.v, four.t10.v));
    const __m512d c = _mm512_castps_pd(_mm512_unpacklo_ps(four.t01.v, four.t11.v));
    const __m512d d = _mm512_castps_pd(_mm512_unpackhi_ps(four.t01.v, four.t11.v));
    alignas(64) float of_column[4][16];  // the four numbers of each row
    _mm512_store_pd(of_column[0], _mm512_unpacklo_pd(a, c));
    _mm512_store_pd(of_column[1], _mm512_unpackhi_pd(a, c));
    _mm512_store_pd(of_column[2], _mm512_unpacklo_pd(b, d));
    _mm512_store_pd(of_column[3], _mm512_unpackhi_pd(b, d));
    alignas(64) int32_t place[16];
    _mm512_store_si512(place, _mm512_slli_epi32(places(pitch, x, y), 2));
    for (const int row : kApart) {
      for (const int column : kApart) {
        add_to(corner + place[4 * row + column], _mm_load_ps(of_column[column] + 4 * row));
      }
    }
  }
  static FASTPOSE_INLINE Floats times(Floats a, Floats b) {
    const __mmask16 counts = _mm512_cmp_ps_mask(b.v, _mm512_setzero_ps(), _CMP_NEQ_UQ);
    return _mm512_maskz_mul_ps(counts, a.v, b.v);
  }

  template <bool kClamped>
  static FASTPOSE_INLINE void split(double start, double step, int first, int count, double least,
                                    double most, int32_t* floors, float* rests) {
    __m512d i = _mm512_add_pd(_mm512_set1_pd(first), _mm512_setr_pd(0, 1, 2, 3, 4, 5, 6, 7));
    for (int done = 0; done < count; done += 8, i = _mm512_add_pd(i, _mm512_set1_pd(8))) {
      const __m512d at = _mm512_fmadd_pd(i, _mm512_set1_pd(step), _mm512_set1_pd(start));
      const __m512d inside =
          _mm512_min_pd(_mm512_max_pd(at, _mm512_set1_pd(least)), _mm512_set1_pd(most));
      const __m512d floor = _mm512_roundscale_pd(inside, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
      const __m512d rest = _mm512_sub_pd(kClamped ? inside : at, floor);
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(floors + done), _mm512_cvtpd_epi32(floor));
      _mm256_storeu_ps(rests + done, _mm512_cvtpd_ps(rest));
    }
  }
};

// --- 4 x 2 pixels --------------------------------------------------------------------------------

#elif defined(__AVX2__)
template <>
struct Block<Floats> {
  using Whole = __m256i;
  static constexpr int columns = 4, rows = 2;

  static FASTPOSE_INLINE Floats spread(float right, float down) {
    const __m256 x = _mm256_setr_ps(0, 1, 2, 3, 0, 1, 2, 3),
                 y = _mm256_setr_ps(0, 0, 0, 0, 1, 1, 1, 1);
    return multiply_add(Floats(x), Floats(right), Floats(y) * Floats(down));
  }
  static FASTPOSE_INLINE Floats load(const float* lines, int64_t pitch) {
    return _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(lines)),
                                _mm_loadu_ps(lines + pitch), 1);
  }
  static FASTPOSE_INLINE void store(Floats values, float* lines, int64_t pitch) {
    _mm_storeu_ps(lines, _mm256_castps256_ps128(values.v));
    _mm_storeu_ps(lines + pitch, _mm256_extractf128_ps(values.v, 1));
  }
  static FASTPOSE_INLINE Whole whole(Floats a, Floats& rest) {
    const __m256 floor = _mm256_round_ps(a.v, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
    rest = _mm256_sub_ps(a.v, floor);
    return _mm256_cvtps_epi32(floor);
  }
  static FASTPOSE_INLINE Whole places(int pitch, Whole x, Whole y) {
    return _mm256_add_epi32(_mm256_mullo_epi32(y, _mm256_set1_epi32(pitch)), x);
  }
  static FASTPOSE_INLINE Texels<Floats> fetch(const float* corner, int pitch, Whole x, Whole y) {
    alignas(32) int32_t place[8];
    _mm256_store_si256(reinterpret_cast<__m256i*>(place), places(pitch, x, y));
    __m256 four[4];  // of lanes i, 4 + i
    for (int i = 0; i < 4; ++i) {
      four[i] = _mm256_insertf128_ps(_mm256_castps128_ps256(pairs_at(corner + place[i], pitch)),
                                     pairs_at(corner + place[4 + i], pitch), 1);
    }
    const __m256d a = _mm256_castps_pd(_mm256_unpacklo_ps(four[0], four[1]));
    const __m256d b = _mm256_castps_pd(_mm256_unpackhi_ps(four[0], four[1]));
    const __m256d c = _mm256_castps_pd(_mm256_unpacklo_ps(four[2], four[3]));
    const __m256d d = _mm256_castps_pd(_mm256_unpackhi_ps(four[2], four[3]));
    return {_mm256_castpd_ps(_mm256_unpacklo_pd(a, c)), _mm256_castpd_ps(_mm256_unpackhi_pd(a, c)),
            _mm256_castpd_ps(_mm256_unpacklo_pd(b, d)), _mm256_castpd_ps(_mm256_unpackhi_pd(b, d))};
  }
  template <int>
  static FASTPOSE_INLINE Texels<Floats> fetch_near(const float* corner, int pitch, Whole x,
                                                   Whole y) {
    return fetch(corner, pitch, x, y);
  }
  static FASTPOSE_INLINE void add_to_cells(float* corner, int pitch, Whole x, Whole y,
                                           const Texels<Floats>& four) {
    const __m256d a = _mm256_castps_pd(_mm256_unpacklo_ps(four.t00.v, four.t10.v));
    const __m256d b = _mm256_castps_pd(_mm256_unpackhi_ps(four.t00.v, four.t10.v));
    const __m256d c = _mm256_castps_pd(_mm256_unpacklo_ps(four.t01.v, four.t11.v));
    const __m256d d = _mm256_castps_pd(_mm256_unpackhi_ps(four.t01.v, four.t11.v));
    const __m256 of_column[4] = {
        _mm256_castpd_ps(_mm256_unpacklo_pd(a, c)), _mm256_castpd_ps(_mm256_unpackhi_pd(a, c)),
        _mm256_castpd_ps(_mm256_unpacklo_pd(b, d)), _mm256_castpd_ps(_mm256_unpackhi_pd(b, d))};
    alignas(32) int32_t place[8];
    _mm256_store_si256(reinterpret_cast<__m256i*>(place),
                       _mm256_slli_epi32(places(pitch, x, y), 2));
    for (const int column : kApart) {
      add_to(corner + place[column], _mm256_castps256_ps128(of_column[column]));
    }
    for (const int column : kApart) {
      add_to(corner + place[4 + column], _mm256_extractf128_ps(of_column[column], 1));
    }
  }
  static FASTPOSE_INLINE Floats times(Floats a, Floats b) {
    const __m256 counts = _mm256_cmp_ps(b.v, _mm256_setzero_ps(), _CMP_NEQ_UQ);
    return _mm256_and_ps(counts, _mm256_mul_ps(a.v, b.v));
  }

  template <bool kClamped>
  static FASTPOSE_INLINE void split(double start, double step, int first, int count, double least,
                                    double most, int32_t* floors, float* rests) {
    __m256d i = _mm256_add_pd(_mm256_set1_pd(first), _mm256_setr_pd(0, 1, 2, 3));
    for (int done = 0; done < count; done += 4, i = _mm256_add_pd(i, _mm256_set1_pd(4))) {
      const __m256d at = _mm256_fmadd_pd(i, _mm256_set1_pd(step), _mm256_set1_pd(start));
      const __m256d inside =
          _mm256_min_pd(_mm256_max_pd(at, _mm256_set1_pd(least)), _mm256_set1_pd(most));
      const __m256d floor = _mm256_round_pd(inside, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
      const __m256d rest = _mm256_sub_pd(kClamped ? inside : at, floor);
      _mm_storeu_si128(reinterpret_cast<__m128i*>(floors + done), _mm256_cvtpd_epi32(floor));
      _mm_storeu_ps(rests + done, _mm256_cvtpd_ps(rest));
    }
  }
};
#endif

}  // namespace
}  // namespace fastpose::FASTPOSE_ISA
