// Vectors of numbers in memory, whatever their type there, for csrc/<op>/cpu.cpp: `Stored<E>` moves
// neighbours of the type E, whole vectors or the first lanes of one. In the namespace of the
// instruction set, see dispatch.h.
#pragma once

#include "common/planes.h"
#include "common/simd.h"

namespace fastpose::FASTPOSE_ISA {

// One number at a time: double everywhere, and every type without vectors.
template <typename T, typename Number, Element kElement>
struct StoredPlain {
  using type = Number;
  using V = Plain<T>;
  static FASTPOSE_INLINE V load(const type* from) {
    return get<T>(reinterpret_cast<const char*>(from), kElement);
  }
  static FASTPOSE_INLINE void store(type* to, V value) {
    put(reinterpret_cast<char*>(to), kElement, value.v);
  }
  // Of the first `count` lanes (at least one); the others are `rest`.
  static FASTPOSE_INLINE V load(const type* from, int, V) { return load(from); }
  static FASTPOSE_INLINE void store(type* to, V value, int) { store(to, value); }
};

template <Element kElement>
struct Stored;
template <>
struct Stored<Element::float64> : StoredPlain<double, double, Element::float64> {};

#if defined(__AVX512F__) || defined(__AVX2__)

template <>
struct Stored<Element::float32> {
  using type = float;
  using V = Floats;
  static FASTPOSE_INLINE V load(const float* from) { return V::load(from); }
  static FASTPOSE_INLINE void store(float* to, V value) { value.store(to); }
#if defined(__AVX512F__)
  static FASTPOSE_INLINE __mmask16 first(int count) {
    return count >= V::lanes ? 0xffff : static_cast<__mmask16>((1u << count) - 1);
  }
  static FASTPOSE_INLINE V load(const float* from, int count, V rest) {
    return _mm512_mask_loadu_ps(rest.v, first(count), from);
  }
  static FASTPOSE_INLINE void store(float* to, V value, int count) {
    _mm512_mask_storeu_ps(to, first(count), value.v);
  }
#else
  static FASTPOSE_INLINE __m256i first(int count) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(count), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
  }
  static FASTPOSE_INLINE V load(const float* from, int count, V rest) {
    const __m256i mask = first(count);
    return _mm256_blendv_ps(rest.v, _mm256_maskload_ps(from, mask), _mm256_castsi256_ps(mask));
  }
  static FASTPOSE_INLINE void store(float* to, V value, int count) {
    _mm256_maskstore_ps(to, first(count), value.v);
  }
#endif
};

// Types of 16 bits: `Words` are a vector's worth of them.
#if defined(__AVX512F__)
using Words = __m256i;
FASTPOSE_INLINE Words load_words(const uint16_t* from) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
}
FASTPOSE_INLINE void store_words(uint16_t* to, Words words) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), words);
}
FASTPOSE_INLINE Floats widen_bfloat16(Words words) {
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(words), 16));
}
FASTPOSE_INLINE Words narrow_to_bfloat16(Floats value) {
  const __m512i bits = _mm512_castps_si512(value.v);
  const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
  const __m512i rounded = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
  const __mmask16 nan = _mm512_cmp_ps_mask(value.v, value.v, _CMP_UNORD_Q);
  const __m512i high = _mm512_srli_epi32(rounded, 16);
  return _mm512_cvtepi32_epi16(_mm512_mask_mov_epi32(high, nan, _mm512_set1_epi32(0x7fc0)));
}
FASTPOSE_INLINE Floats widen_float16(Words words) { return _mm512_cvtph_ps(words); }
FASTPOSE_INLINE Words narrow_to_float16(Floats value) {
  return _mm512_cvtps_ph(value.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
#else
using Words = __m128i;
FASTPOSE_INLINE Words load_words(const uint16_t* from) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
}
FASTPOSE_INLINE void store_words(uint16_t* to, Words words) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to), words);
}
FASTPOSE_INLINE Floats widen_bfloat16(Words words) {
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(words), 16));
}
FASTPOSE_INLINE Words narrow_to_bfloat16(Floats value) {
  const __m256i bits = _mm256_castps_si256(value.v);
  const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
  const __m256i rounded = _mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff)));
  const __m256 nan = _mm256_cmp_ps(value.v, value.v, _CMP_UNORD_Q);
  const __m256i high = _mm256_blendv_epi8(_mm256_srli_epi32(rounded, 16), _mm256_set1_epi32(0x7fc0),
                                          _mm256_castps_si256(nan));
  return _mm_packus_epi32(_mm256_castsi256_si128(high), _mm256_extracti128_si256(high, 1));
}
FASTPOSE_INLINE Floats widen_float16(Words words) { return _mm256_cvtph_ps(words); }
FASTPOSE_INLINE Words narrow_to_float16(Floats value) {
  return _mm256_cvtps_ph(value.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
#endif

template <Floats (*kWiden)(Words), Words (*kNarrow)(Floats)>
struct StoredWords {
  using type = uint16_t;
  using V = Floats;
  static FASTPOSE_INLINE V load(const type* from) { return kWiden(load_words(from)); }
  static FASTPOSE_INLINE void store(type* to, V value) { store_words(to, kNarrow(value)); }
  static FASTPOSE_INLINE V load(const type* from, int count, V rest) {
    if (count >= V::lanes) return load(from);
    alignas(32) type lane[V::lanes] = {};
    for (int i = 0; i < count; ++i) lane[i] = from[i];
    return first_lanes(load(lane), count, rest);
  }
  static FASTPOSE_INLINE void store(type* to, V value, int count) {
    if (count >= V::lanes) return store(to, value);
    alignas(32) type lane[V::lanes];
    store(lane, value);
    for (int i = 0; i < count; ++i) to[i] = lane[i];
  }
};

template <>
struct Stored<Element::bfloat16> : StoredWords<widen_bfloat16, narrow_to_bfloat16> {};
template <>
struct Stored<Element::float16> : StoredWords<widen_float16, narrow_to_float16> {};

#else

template <>
struct Stored<Element::float32> : StoredPlain<float, float, Element::float32> {};
template <>
struct Stored<Element::bfloat16> : StoredPlain<float, uint16_t, Element::bfloat16> {};
template <>
struct Stored<Element::float16> : StoredPlain<float, uint16_t, Element::float16> {};

#endif

// Calls use.operator()<element>().
template <typename Use>
FASTPOSE_INLINE void with_element(Element element, const Use& use) {
  switch (element) {
    case Element::float32:
      return use.template operator()<Element::float32>();
    case Element::float64:
      return use.template operator()<Element::float64>();
    case Element::bfloat16:
      return use.template operator()<Element::bfloat16>();
    default:
      return use.template operator()<Element::float16>();
  }
}

// What an operator computes with, T, as it lies in memory.
template <typename T>
using Own = Stored<sizeof(T) == 4 ? Element::float32 : Element::float64>;

}  // namespace fastpose::FASTPOSE_ISA
