// A template made ready to be read without asking where it ends; for cpu.cpp, in its namespace.
#pragma once

#include <string.h>

#include "common/simd.h"
#include "warp_templates/math.h"
#include "warp_templates/warp_templates.h"

namespace fastpose::FASTPOSE_ISA {
namespace {

using namespace warp;  // NOLINT

constexpr int kPatch = 8;  // texels along the sides of what the pixels of a near block may see
static_assert(kPatch <= kMargin);

// Squares between texels (or texels), each of kNumbers numbers, with kMargin more on every side.
template <typename T, int kNumbers>
class Margined {
 public:
  int left, right, top, bottom;  // what a map may see: columns left .. right - 1, and rows

  Margined(const Warp& warp, void* memory)
      : left(0),
        right(warp.columns),
        top(0),
        bottom(warp.rows),
        rows_(warp.rows),
        columns_(warp.columns),
        pitch_(warp.columns + 2 * kMargin),
        start_(static_cast<T*>(memory)) {}

  int pitch() const { return pitch_; }
  int64_t size() const { return kNumbers * (rows_ + 2 * kMargin) * int64_t{pitch_}; }
  T* at(int x, int y) const {
    return start_ + kNumbers * ((y + kMargin) * int64_t{pitch_} + kMargin + x);
  }

 protected:
  int rows_, columns_, pitch_;
  T* start_;
};

// The sums of the gradient of one template: in a cell for each square between four texels, the cell
// of the upper left one, what the pixels that see it give to the four. They are added up at last,
// so that a pixel costs one access to memory. Pixels off the template add around it.
template <typename T>
class Cells : public Margined<T, 4> {
 public:
  using Margined<T, 4>::Margined;
  void clear() const { memset(this->start_, 0, this->size() * sizeof(T)); }
  T* behind() const { return this->start_ + this->size(); }
  bool is_zero(int, int) const { return false; }

  // One row of the gradient, from the cells above its texels and those below.
  void total(T* texels, int row) const {
    const T* above = this->at(-1, row - 1);
    const T* below = this->at(-1, row);
    for (int i = 0; i < this->columns_; ++i, above += 4, below += 4) {
      texels[i] = above[3] + above[6] + (below[1] + below[4]);
    }
  }
};

// A template, and where in it there is anything but zeros: the rest of it costs nothing.
template <typename T>
class Prepared : public Margined<T, 1> {
  using Base = Margined<T, 1>;
  using Base::rows_, Base::columns_, Base::pitch_, Base::start_;

 public:
  using Base::left, Base::right, Base::top, Base::bottom;

  Prepared(const Warp& warp, void* scratch)
      : Base(warp, scratch),
        first_(reinterpret_cast<int32_t*>(start_ + Base::size())),
        last_(first_ + rows_ + 2 * kMargin) {}

  void read(const Warp& warp, int64_t k) {
    const int64_t margin = kMargin * int64_t{pitch_};
    memset(start_, 0, (margin + kMargin) * sizeof(T));
    memset(start_ + margin + rows_ * int64_t{pitch_}, 0, margin * sizeof(T));
    left = columns_, right = 0, top = rows_, bottom = 0;
    for (int row = 0; row < rows_; ++row) {
      const T* from = static_cast<const T*>(warp.templates) + k * warp.template_stride[0] +
                      row * warp.template_stride[1];
      T* to = start_ + margin + row * int64_t{pitch_} + kMargin;
      const int64_t step = warp.template_stride[2];
      if (step == 1) {
        memcpy(to, from, columns_ * sizeof(T));
      } else {
        for (int i = 0; i < columns_; ++i) to[i] = from[i * step];
      }
      memset(to + columns_, 0, 2 * kMargin * sizeof(T));
      const int first = zeros_before(to, columns_);
      const int last = first < columns_ ? columns_ - zeros_behind(to, columns_) : 0;
      first_[row + kMargin] = first, last_[row + kMargin] = last;
      if (first == columns_) continue;
      left = first < left ? first : left, right = last > right ? last : right;
      top = row < top ? row : top, bottom = row + 1;
    }
    widen();
  }

  T* behind() const { return reinterpret_cast<T*>(last_ + rows_ + 2 * kMargin); }
  // Whether the kPatch x kPatch texels from (x, y) on are all 0; -kMargin <= y <= rows.
  bool is_zero(int x, int y) const {
    return x >= last_[y + kMargin] || x + kPatch <= first_[y + kMargin];
  }

 private:
  static constexpr int kAtOnce = 64 / sizeof(T);
  static bool any(const T* some) {
    uint64_t bits[8], all = 0;
    memcpy(bits, some, sizeof(bits));
    for (const uint64_t part : bits) all |= part;
    return all != 0;
  }
  // Zeros at the start and at the end of a row.
  static int zeros_before(const T* row, int count) {
    int i = 0;
    while (i + kAtOnce <= count && !any(row + i)) i += kAtOnce;
    while (i < count && row[i] == 0) ++i;
    return i;
  }
  static int zeros_behind(const T* row, int count) {
    int end = count;
    while (end >= kAtOnce && !any(row + end - kAtOnce)) end -= kAtOnce;
    while (end > 0 && row[end - 1] == 0) --end;
    return count - end;
  }

  // From rows to windows of kPatch rows.
  void widen() {
    const int rows = rows_ + 2 * kMargin;
    for (int row = 0; row < kMargin; ++row) {
      first_[row] = first_[rows - 1 - row] = columns_;
      last_[row] = last_[rows - 1 - row] = 0;
    }
    for (int row = 0; row < rows; ++row) {
      for (int i = 1; i < kPatch && row + i < rows; ++i) {
        if (first_[row + i] < first_[row]) first_[row] = first_[row + i];
        if (last_[row + i] > last_[row]) last_[row] = last_[row + i];
      }
    }
  }

  int32_t* first_;  // of each row with its margin, then of the kPatch rows from it on
  int32_t* last_;
};

}  // namespace
}  // namespace fastpose::FASTPOSE_ISA
