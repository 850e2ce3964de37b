// What the columns and the rows of a map have in common, in tables; for cpu.cpp, in its namespace.
#pragma once

#include "common/elements.h"
#include "render_gaussians/math.h"
#include "render_gaussians/render_gaussians.h"

namespace fastpose::FASTPOSE_ISA {
namespace {

using namespace gaussians;  // NOLINT

constexpr int kColumns = 128;  // of which tables are made at a time
// Of one map a whole band of rows, of some maps together less.
template <int kMost>
constexpr int kTableRows = kMost == 1 ? kBandRows : 32;
static_assert(kColumns % Floats::lanes == 0 && kBandRows % kTableRows<kMostTogether> == 0);

// 2^(-a^2), where a may be so large that its square is infinite.
template <typename V>
FASTPOSE_INLINE V bell(V a) {
  return power_of_two(V(typename V::scalar(0)) - a * a);
}

template <typename T>
struct Grid {
  T start_x, step_x, start_y, step_y;
  explicit Grid(const Drawing& drawing)
      : start_x(T(pixel_start(drawing.width))),
        step_x(T(pixel_step(drawing.width))),
        start_y(T(pixel_start(drawing.height))),
        step_y(T(pixel_step(drawing.height))) {}
};

// One map in some columns and some rows; see math.h for a, b.
template <typename T, int kMost>
struct Table {
  using V = typename Own<T>::V;
  static constexpr int rows = kTableRows<kMost>;
  Gaussian<T> gaussian;
  bool spoilt, separable;
  // Of columns: a as it is where shear dy is 0; 2^(-a^2) times 1, a, a^2.
  alignas(64) T a[kColumns], bell0[kColumns], bell1[kColumns], bell2[kColumns];
  // Of rows: along shear dy; b; 2^(-b^2) times 1, b, b^2.
  alignas(64) T shift[rows], b[rows], height0[rows], height1[rows], height2[rows];
  int from[rows], to[rows];  // columns outside of which the value is 0; not set if separable
  // Sums over the rows so far of the gradient's pixels times height0, height1, height2.
  alignas(64) T column[3][kColumns];

  void set(const Drawing& drawing, int64_t b, int64_t k) {
    gaussian = make_gaussian(part_of<T>(drawing, b, k), T(drawing.jitter));
    spoilt = is_spoilt(gaussian);
    separable = gaussian.shear == 0;
  }

  template <bool kGradient>
  void set_columns(const Grid<T>& grid, int left) {
    for (int i = 0; i < kColumns; ++i) {
      const T x = grid.start_x + T(left + i) * grid.step_x;
      a[i] = gaussian.along * (x - gaussian.x);
    }
    if (separable) set_bells<kGradient>(a, kColumns, bell0, bell1, bell2);
  }

  // Rows top, top + 1, ... of the image, for `columns` columns from `left` on.
  template <bool kGradient>
  void set_rows(const Grid<T>& grid, int top, int columns) {
    for (int r = 0; r < rows; ++r) {
      const T dy = grid.start_y + T(top + r) * grid.step_y - gaussian.y;
      b[r] = gaussian.across * dy;
      shift[r] = gaussian.along * (gaussian.shear * dy);
    }
    set_bells<kGradient>(b, rows, height0, height1, height2);
    if (separable) return;
    const T per_column = columns > 1 ? (columns - 1) / (a[columns - 1] - a[0]) : T(0);
    for (int r = 0; r < rows; ++r) {
      from[r] = 0, to[r] = columns;
      // value >= 2^kLeastPower: a^2 <= -kLeastPower - b^2. A column more on both sides for
      // rounding.
      const T room = T(-kLeastPower) - b[r] * b[r];
      if (!(room > 0)) {
        to[r] = 0;
      } else if (columns > 1) {
        const T reach = square_root(room), middle = shift[r] - a[0];
        const T first = (middle - reach) * per_column - 1, last = (middle + reach) * per_column + 2;
        from[r] = first >= T(columns) ? columns : first > 0 ? int(first) : 0;
        to[r] = last <= 0 ? 0 : last < T(columns) ? int(last) : columns;
      }
      from[r] = from[r] / V::lanes * V::lanes;
    }
  }

 private:
  template <bool kGradient>
  static void set_bells(const T* at, int count, T* times0, T* times1, T* times2) {
    for (int i = 0; i < count; i += V::lanes) {
      const V a = V::load(at + i), value = bell(a);
      value.store(times0 + i);
      if (!kGradient) continue;
      const V first = value * a;
      first.store(times1 + i);
      (first * a).store(times2 + i);
    }
  }
};

}  // namespace
}  // namespace fastpose::FASTPOSE_ISA
