// Pixels whose channels lie side by side, moved from and to a row of its own for every channel, for
// csrc/<op>/cpu.cpp. In the namespace of the instruction set, see dispatch.h.
#pragma once

#include <type_traits>

#include "common/elements.h"

namespace fastpose::FASTPOSE_ISA {

// Lane j of vector i becomes lane i of vector j.
#if defined(__AVX512F__)
FASTPOSE_INLINE void transpose(Floats (&v)[16]) {
  __m512d pair[16];
  for (int i = 0; i < 16; i += 4) {
    const __m512d a = _mm512_castps_pd(_mm512_unpacklo_ps(v[i].v, v[i + 1].v));
    const __m512d b = _mm512_castps_pd(_mm512_unpackhi_ps(v[i].v, v[i + 1].v));
    const __m512d c = _mm512_castps_pd(_mm512_unpacklo_ps(v[i + 2].v, v[i + 3].v));
    const __m512d d = _mm512_castps_pd(_mm512_unpackhi_ps(v[i + 2].v, v[i + 3].v));
    pair[i] = _mm512_unpacklo_pd(a, c), pair[i + 1] = _mm512_unpackhi_pd(a, c);
    pair[i + 2] = _mm512_unpacklo_pd(b, d), pair[i + 3] = _mm512_unpackhi_pd(b, d);
  }
  for (int i = 0; i < 4; ++i) {  // quarters of vectors i, 4 + i, 8 + i, 12 + i
    const __m512 a = _mm512_castpd_ps(pair[i]), b = _mm512_castpd_ps(pair[i + 4]);
    const __m512 c = _mm512_castpd_ps(pair[i + 8]), d = _mm512_castpd_ps(pair[i + 12]);
    const __m512 ab_even = _mm512_shuffle_f32x4(a, b, 0x88);
    const __m512 ab_odd = _mm512_shuffle_f32x4(a, b, 0xdd);
    const __m512 cd_even = _mm512_shuffle_f32x4(c, d, 0x88);
    const __m512 cd_odd = _mm512_shuffle_f32x4(c, d, 0xdd);
    v[i] = _mm512_shuffle_f32x4(ab_even, cd_even, 0x88);
    v[i + 4] = _mm512_shuffle_f32x4(ab_odd, cd_odd, 0x88);
    v[i + 8] = _mm512_shuffle_f32x4(ab_even, cd_even, 0xdd);
    v[i + 12] = _mm512_shuffle_f32x4(ab_odd, cd_odd, 0xdd);
  }
}
#elif defined(__AVX2__)
FASTPOSE_INLINE void transpose(Floats (&v)[8]) {
  __m256 four[8];
  for (int i = 0; i < 8; i += 4) {
    const __m256 a = _mm256_unpacklo_ps(v[i].v, v[i + 1].v);
    const __m256 b = _mm256_unpackhi_ps(v[i].v, v[i + 1].v);
    const __m256 c = _mm256_unpacklo_ps(v[i + 2].v, v[i + 3].v);
    const __m256 d = _mm256_unpackhi_ps(v[i + 2].v, v[i + 3].v);
    four[i] = _mm256_shuffle_ps(a, c, 0x44), four[i + 1] = _mm256_shuffle_ps(a, c, 0xee);
    four[i + 2] = _mm256_shuffle_ps(b, d, 0x44), four[i + 3] = _mm256_shuffle_ps(b, d, 0xee);
  }
  for (int i = 0; i < 4; ++i) {
    v[i] = _mm256_permute2f128_ps(four[i], four[i + 4], 0x20);
    v[i + 4] = _mm256_permute2f128_ps(four[i], four[i + 4], 0x31);
  }
}
#endif

// Calls block.operator()<kElement>(c, i) for every first channel c and first pixel i of the squares
// of lanes that can be turned at once. Returns the channels that are left over: few are not worth a
// square.
template <typename T, typename Block>
FASTPOSE_INLINE int for_squares(Element element, int channels, int count, const Block& block) {
  int c = 0;
  with_element(element, [&]<Element kElement>() {
    using V = typename Stored<kElement>::V;
    if constexpr (V::lanes > 1 && std::is_same_v<typename V::scalar, T>) {
      for (; channels - c > V::lanes / 4; c += V::lanes) {
        for (int i = 0; i < count; i += V::lanes) block.template operator()<kElement>(c, i);
      }
    }
  });
  return c;
}

// Moves `count` pixels from (row, column) on; channel c of pixel i is lines[c * pitch + i]. `plane`
// is that of the first channel.
template <typename T>
inline void write_pixels(const Plane<T>& plane, int row, int column, int count, const T* lines,
                         int pitch, int channels) {
  char* const at = plane.at(row, column);
  const int size = element_size(plane.element());
  int c = for_squares<T>(plane.element(), channels, count, [&]<Element kElement>(int c, int i) {
    using S = Stored<kElement>;
    using V = typename S::V;
    const int width = channels - c < V::lanes ? channels - c : V::lanes;
    const int height = count - i < V::lanes ? count - i : V::lanes;
    V square[V::lanes];
    for (int j = 0; j < V::lanes; ++j) {
      square[j] = j < width ? V::load(lines + (c + j) * pitch + i) : V(T(0));
    }
    transpose(square);
    for (int j = 0; j < height; ++j) {
      char* const pixel = at + (i + j) * plane.step() + c * size;
      S::store(reinterpret_cast<typename S::type*>(pixel), square[j], width);
    }
  });
  for (; c < channels; ++c) {
    for (int i = 0; i < count; ++i) {
      put(at + i * plane.step() + c * size, plane.element(), lines[c * pitch + i]);
    }
  }
}

// The reverse; up to a vector's lanes behind the last pixel of a line are overwritten.
template <typename T>
inline void read_pixels(const Plane<T>& plane, int row, int column, int count, T* lines, int pitch,
                        int channels) {
  const char* const at = plane.at(row, column);
  const int size = element_size(plane.element());
  int c = for_squares<T>(plane.element(), channels, count, [&]<Element kElement>(int c, int i) {
    using S = Stored<kElement>;
    using V = typename S::V;
    const int width = channels - c < V::lanes ? channels - c : V::lanes;
    const int height = count - i < V::lanes ? count - i : V::lanes;
    V square[V::lanes];
    for (int j = 0; j < V::lanes; ++j) {
      const char* const pixel = at + (i + j) * plane.step() + c * size;
      square[j] = V(T(0));
      if (j < height) {
        square[j] = S::load(reinterpret_cast<const typename S::type*>(pixel), width, V(T(0)));
      }
    }
    transpose(square);
    for (int j = 0; j < width; ++j) square[j].store(lines + (c + j) * pitch + i);
  });
  for (; c < channels; ++c) {
    for (int i = 0; i < count; ++i) {
      lines[c * pitch + i] = get<T>(at + i * plane.step() + c * size, plane.element());
    }
  }
}

}  // namespace fastpose::FASTPOSE_ISA
