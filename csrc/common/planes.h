// One plane (one image, one channel) read and written in pieces of rows, whatever its element type
// and strides, for csrc/<op>/cpu.cpp. In the namespace of the instruction set, see dispatch.h.
#pragma once

#include "common/image.h"
#include "common/simd.h"

namespace fastpose::FASTPOSE_ISA {

// --- narrow types, rounded to nearest even -------------------------------------------------------

FASTPOSE_INLINE uint32_t bits_of(float value) {
  uint32_t bits;
  memcpy(&bits, &value, 4);
  return bits;
}
FASTPOSE_INLINE float float_of(uint32_t bits) {
  float value;
  memcpy(&value, &bits, 4);
  return value;
}

FASTPOSE_INLINE uint16_t to_bfloat16(float value) {
  const uint32_t bits = bits_of(value);
  if (value != value) return 0x7fc0;
  return static_cast<uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}
FASTPOSE_INLINE float from_bfloat16(uint16_t bits) { return float_of(uint32_t{bits} << 16); }

#if defined(__F16C__)
FASTPOSE_INLINE uint16_t to_float16(float value) { return _cvtss_sh(value, 0); }
FASTPOSE_INLINE float from_float16(uint16_t bits) { return _cvtsh_ss(bits); }
#else
FASTPOSE_INLINE uint16_t to_float16(float value) {
  const uint32_t bits = bits_of(value), magnitude = bits & 0x7fffffff;
  const uint32_t sign = (bits >> 16) & 0x8000;
  if (magnitude > 0x7f800000) return static_cast<uint16_t>(sign | 0x7e00);   // NaN
  if (magnitude >= 0x477ff000) return static_cast<uint16_t>(sign | 0x7c00);  // rounds to infinity
  if (magnitude < 0x38800000) {  // subnormal: adding 0.5 leaves the rounded digits in the last bits
    return static_cast<uint16_t>(sign | (bits_of(float_of(magnitude) + 0.5f) - 0x3f000000));
  }
  return static_cast<uint16_t>(sign |
                               ((magnitude - 0x38000000 + 0xfff + ((magnitude >> 13) & 1)) >> 13));
}
FASTPOSE_INLINE float from_float16(uint16_t half) {
  const uint32_t sign = uint32_t{half & 0x8000u} << 16, rest = half & 0x7fffu;
  if (rest >= 0x7c00) return float_of(sign | 0x7f800000 | (rest & 0x3ff) << 13);
  if (rest >= 0x0400) return float_of(sign | ((rest << 13) + 0x38000000));
  const float value = static_cast<float>(rest) * 0x1p-24f;
  return sign ? -value : value;
}
#endif

template <typename T>
FASTPOSE_INLINE void put(char* at, Element element, T value) {
  switch (element) {
    case Element::float32: {
      const float narrow = static_cast<float>(value);
      memcpy(at, &narrow, 4);
      return;
    }
    case Element::float64: {
      const double wide = value;
      memcpy(at, &wide, 8);
      return;
    }
    default: {
      const float narrow = static_cast<float>(value);
      const uint16_t bits = element == Element::bfloat16 ? to_bfloat16(narrow) : to_float16(narrow);
      memcpy(at, &bits, 2);
    }
  }
}

template <typename T>
FASTPOSE_INLINE T get(const char* at, Element element) {
  switch (element) {
    case Element::float32: {
      float value;
      memcpy(&value, at, 4);
      return value;
    }
    case Element::float64: {
      double value;
      memcpy(&value, at, 8);
      return static_cast<T>(value);
    }
    default: {
      uint16_t bits;
      memcpy(&bits, at, 2);
      return element == Element::bfloat16 ? from_bfloat16(bits) : from_float16(bits);
    }
  }
}

// --- planes --------------------------------------------------------------------------------------

template <typename T>
class Plane {
 public:
  Plane(const Image& image, int64_t b, int64_t c)
      : element_(image.element), size_(element_size(image.element)) {
    row_ = image.stride[2] * size_;
    column_ = image.stride[3] * size_;
    start_ = static_cast<char*>(image.data) + (b * image.stride[0] + c * image.stride[1]) * size_;
    direct_ =
        image.stride[3] == 1 && element_ == (sizeof(T) == 4 ? Element::float32 : Element::float64);
  }

  // Writes values[r] to row + r, pixels column and following; what lies beyond `columns` is
  // dropped.
  template <typename V, int kRows>
  FASTPOSE_INLINE void write(int row, int rows, int column, int columns,
                             const V (&values)[kRows]) const {
    char* at = start_ + row * row_ + column * column_;
    if (direct_ && columns >= V::lanes) {
      for (int r = 0; r < kRows; ++r, at += row_) {
        if (r < rows) values[r].store(reinterpret_cast<T*>(at));
      }
      return;
    }
    const int count = columns < V::lanes ? columns : V::lanes;
    for (int r = 0; r < kRows; ++r, at += row_) {
      if (r >= rows) return;
      alignas(64) T lane[V::lanes];
      values[r].store(lane);
      for (int i = 0; i < count; ++i) put(at + i * column_, element_, lane[i]);
    }
  }

  void fill(int row, int rows, int column, int columns, T value) const {
    if (columns <= 0) return;
    for (int r = 0; r < rows; ++r) {
      char* at = start_ + (row + r) * row_ + column * column_;
      if (value == 0 && column_ == size_) {
        memset(at, 0, columns * size_);  // in every type
        continue;
      }
      for (int i = 0; i < columns; ++i) put(at + i * column_, element_, value);
    }
  }

  // The reverse of `write`; pixels outside are 0.
  template <typename V, int kRows>
  FASTPOSE_INLINE void read(int row, int rows, int column, int columns, V (&values)[kRows]) const {
    const char* at = start_ + row * row_ + column * column_;
    if (direct_ && columns >= V::lanes) {
      for (int r = 0; r < kRows; ++r, at += row_) {
        values[r] = r < rows ? V::load(reinterpret_cast<const T*>(at)) : V(T(0));
      }
      return;
    }
    const int count = columns < V::lanes ? columns : V::lanes;
    for (int r = 0; r < kRows; ++r, at += row_) {
      alignas(64) T lane[V::lanes] = {};
      if (r < rows) {
        for (int i = 0; i < count; ++i) lane[i] = get<T>(at + i * column_, element_);
      }
      values[r] = V::load(lane);
    }
  }

  // Where a pixel is, and how far apart neighbours of a row are, in bytes.
  char* at(int row, int column) const { return start_ + row * row_ + column * column_; }
  int64_t step() const { return column_; }
  int64_t row_step() const { return row_; }
  bool direct() const { return direct_; }  // neighbours are neighbours, and of type T
  Element element() const { return element_; }

 private:
  char* start_;
  Element element_;
  int64_t size_, row_, column_;  // bytes
  bool direct_;                  // whole vectors can be moved as they are
};

}  // namespace fastpose::FASTPOSE_ISA
