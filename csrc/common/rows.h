// Rows of a plane moved as a whole, whatever their type and strides, for csrc/<op>/cpu.cpp. In the
// namespace of the instruction set, see dispatch.h.
//
// Where rows are dense, vectors are moved: up to a vector's lanes behind the last of `values` are
// read, or overwritten.
#pragma once

#include <type_traits>

#include "common/elements.h"

namespace fastpose::FASTPOSE_ISA {

// Writes `count` values from pixel (row, column) on.
template <typename T>
FASTPOSE_INLINE void write_row(const Plane<T>& plane, int row, int column, int count,
                               const T* values) {
  char* at = plane.at(row, column);
  with_element(plane.element(), [&]<Element kElement>() {
    using S = Stored<kElement>;
    using V = typename S::V;
    int64_t i = 0;
    if constexpr (std::is_same_v<typename V::scalar, T>) {
      auto* to = reinterpret_cast<typename S::type*>(at);
      for (; plane.step() == element_size(kElement) && i < count; i += V::lanes) {
        S::store(to + i, V::load(values + i), static_cast<int>(count - i));
      }
    }
    for (; i < count; ++i) put(at + i * plane.step(), kElement, values[i]);
  });
}

// The reverse.
template <typename T>
FASTPOSE_INLINE void read_row(const Plane<T>& plane, int row, int column, int count, T* values) {
  const char* at = plane.at(row, column);
  with_element(plane.element(), [&]<Element kElement>() {
    using S = Stored<kElement>;
    using V = typename S::V;
    int64_t i = 0;
    if (plane.step() == 0) {
      const T value = get<T>(at, kElement);
      for (; i < count; ++i) values[i] = value;
    }
    if constexpr (std::is_same_v<typename V::scalar, T>) {
      auto* from = reinterpret_cast<const typename S::type*>(at);
      for (; plane.step() == element_size(kElement) && i < count; i += V::lanes) {
        S::load(from + i, static_cast<int>(count - i), V(T(0))).store(values + i);
      }
    }
    for (; i < count; ++i) values[i] = get<T>(at + i * plane.step(), kElement);
  });
}

}  // namespace fastpose::FASTPOSE_ISA
