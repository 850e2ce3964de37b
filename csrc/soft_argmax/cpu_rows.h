// Rows of logits, for cpu.cpp: as they lie, or copied next to each other if there are gaps.
#pragma once

#include "common/elements.h"
#include "soft_argmax/soft_argmax.h"

namespace fastpose::FASTPOSE_ISA {
namespace {

using namespace soft_argmax;  // NOLINT

// Of one map.
template <Element kElement>
class MapRows {
 public:
  using Number = typename Stored<kElement>::type;

  MapRows(const Maps& maps, int64_t b, int64_t k, double* room)
      : room_(reinterpret_cast<Number*>(room)),
        width_(maps.width),
        row_(maps.logits.stride[2]),
        pixel_(maps.logits.stride[3]),
        dense_(is_dense(maps)) {
    start_ = static_cast<const Number*>(maps.logits.data) + b * maps.logits.stride[0] +
             k * maps.logits.stride[1];
  }
  // The first of `rows` rows from `first` on; the others follow at the distance `step()`.
  FASTPOSE_INLINE const Number* at(int first, int rows) const {
    const Number* from = start_ + first * row_;
    if (dense_) return from;
    for (int r = 0; r < rows; ++r, from += row_) {
      for (int64_t x = 0; x < width_; ++x) room_[r * width_ + x] = from[x * pixel_];
    }
    return room_;
  }
  FASTPOSE_INLINE int64_t step() const { return dense_ ? row_ : width_; }

 private:
  const Number* start_;
  Number* room_;
  int64_t width_, row_, pixel_;
  bool dense_;
};

// Of an image whose maps lie interleaved.
template <Element kElement>
class ImageRows {
 public:
  using Number = typename Stored<kElement>::type;

  ImageRows(const Maps& maps, int64_t b, double* room)
      : stride_(maps.logits.stride),
        room_(reinterpret_cast<Number*>(room)),
        width_(maps.width),
        maps_(maps.maps),
        dense_(is_dense(maps)) {
    start_ = static_cast<const Number*>(maps.logits.data) + b * stride_[0];
  }
  // The first of `rows` rows from `first` on; the others follow at the distance `step()`.
  FASTPOSE_INLINE const Number* at(int first, int rows) const {
    if (dense_) return start_ + first * stride_[2];
    Number* to = room_;
    for (int y = first; y < first + rows; ++y) {
      for (int64_t x = 0; x < width_; ++x) {
        for (int64_t k = 0; k < maps_; ++k) *to++ = start_[offset(y, x, k)];
      }
    }
    return room_;
  }
  FASTPOSE_INLINE int64_t step() const { return dense_ ? stride_[2] : width_ * maps_; }
  FASTPOSE_INLINE auto logit(int row, int column, int64_t k) const {
    const auto* at = reinterpret_cast<const char*>(start_ + offset(row, column, k));
    return get<typename Stored<kElement>::V::scalar>(at, kElement);
  }

 private:
  FASTPOSE_INLINE int64_t offset(int64_t row, int64_t column, int64_t k) const {
    return row * stride_[2] + column * stride_[3] + k * stride_[1];
  }

  const int64_t* stride_;
  const Number* start_;
  Number* room_;
  int64_t width_, maps_;
  bool dense_;
};

}  // namespace
}  // namespace fastpose::FASTPOSE_ISA
