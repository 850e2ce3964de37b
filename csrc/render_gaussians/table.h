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
static_assert(kColumns % Floats::lanes == 0 && kBandRowsTogether % kTableRows<kMostTogether> == 0);

// Rows of a group (see Table), and what |a| may grow by from its first to its last.
constexpr int kMostGroup = 16, kLeastGroup = 4;
constexpr double kMostGrowth = 2;
static_assert(kTableRows<kMostTogether> % kMostGroup == 0 && kMostGroup % Floats::lanes == 0);
// The columns' share of a value is 2^kLift too large and the rows' too small: with that none of
// them underflows unless the value is below 2^-100.
constexpr int kLift = 22;
// Of the logarithm of a ratio; beyond, the value is 0.
template <typename T>
constexpr T kMostRatio = 100;

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
//
// With shear 0 a value is a product: 2^(-a^2) of its column times 2^(-b^2) of its row. Otherwise
// rows are taken in groups. Where a is that of a column in the first row of a group and from row to
// row p less, the value k rows further down is
//
//     2^(-a^2) (2^z)^k times 2^(-k^2 p^2 - b^2),  z = 2 a p
//
// The latter is the row's, so that two products make a pixel. 2^z - 1 is what is kept: around
// 2^z = 1 it has more digits, and then powers err no more than exponentials do.
template <typename T, int kMost>
struct Table {
  using V = typename Own<T>::V;
  static constexpr int rows = kTableRows<kMost>;
  Gaussian<T> gaussian;
  bool spoilt, separable;
  // Of columns: a where dy is 0. If separable 2^(-a^2) times 1, a, a^2; otherwise, in the columns
  // of the group at hand, bell0 is their share in the value of its next row, bell1 is 2^z - 1.
  alignas(64) T a[kColumns], bell0[kColumns], bell1[kColumns], bell2[kColumns];
  // Of rows: b; their share in values times 1, t, t^2, where t is b, or of a group b - `near`.
  alignas(64) T b[rows], height0[rows], height1[rows], height2[rows];
  // Sums over the rows so far of the gradient's pixels times height0, height1, height2; in a group
  // times bell0 too.
  alignas(64) T column[3][kColumns];
  // If not separable:
  int group;   // rows of a group
  T lean, p;   // what a falls by while b grows by 1, and from row to row
  T near;      // of the group: where b is next to 0, between its first and last row
  bool empty;  // of the group: all values are 0

  FASTPOSE_INLINE void set(const Drawing& drawing, const Grid<T>& grid, int64_t image, int64_t k) {
    gaussian = make_gaussian(part_of<T>(drawing, image, k), T(drawing.jitter));
    spoilt = is_spoilt(gaussian);
    separable = gaussian.shear == 0;
    lean = gaussian.shear * gaussian.along / gaussian.across;
    p = gaussian.shear * gaussian.along * grid.step_y;
    group = kMostGroup;
    while (group > 1 && !(T(group - 1) * magnitude(p) <= T(kMostGrowth))) {
      group = group > kLeastGroup ? group / 2 : 1;
    }
  }

  template <bool kGradient>
  void set_columns(const Grid<T>& grid, int left) {
    for (int i = 0; i < kColumns; ++i) {
      const T x = grid.start_x + T(left + i) * grid.step_x;
      a[i] = gaussian.along * (x - gaussian.x);
    }
    if (separable) set_bells<kGradient>(a, kColumns, bell0, bell1, bell2);
  }

  // Rows top, top + 1, ... of the image, of which `rest` are left to draw.
  template <bool kGradient>
  void set_rows(const Grid<T>& grid, int top, int rest) {
    const int whole = (rest + kMostGroup - 1) / kMostGroup * kMostGroup;
    const int count = whole < rows ? whole : rows;
    for (int r = 0; r < count; ++r) {
      const T dy = grid.start_y + T(top + r) * grid.step_y - gaussian.y;
      b[r] = gaussian.across * dy;
    }
    if (separable) return set_bells<kGradient>(b, count, height0, height1, height2);
    for (int r = 0; r < count; ++r) {
      const T grown = T(r & (group - 1)) * p;
      height0[r] = -(grown * grown + b[r] * b[r]);
    }
    for (int r = 0; r < count; r += V::lanes) {
      power_of_two(V::load(height0 + r), -kLift).store(height0 + r);
    }
  }

  // Calls visit(row, rows) for the groups that rows first, first + 1, ... belong to, with the first
  // of these rows; a group that begins is set for `columns` columns.
  template <bool kGradient, typename Visit>
  FASTPOSE_INLINE void for_groups(int first, int rows, int columns, const Visit& visit) {
    const int end = first + rows;
    for (int r = first, next; r < end; r = next) {
      if (begins(r)) set_group<kGradient>(r, columns);
      next = (r | (group - 1)) + 1 < end ? (r | (group - 1)) + 1 : end;
      visit(r, next - r);
    }
  }

  // Whether a group begins with that row.
  bool begins(int row) const { return (row & (group - 1)) == 0; }

 private:
  template <bool kGradient>
  void set_group(int row, int columns) {
    const T top = b[row], bottom = b[row + group - 1], shift = lean * top;
    near = top > 0 ? top : bottom < 0 ? bottom : T(0);
    for (int r = row; kGradient && r < row + group; ++r) {
      const T t = b[r] - near;
      height1[r] = height0[r] * t;
      height2[r] = height1[r] * t;
    }
    // value >= 2^kLeastPower somewhere: b^2 < -kLeastPower in some row.
    empty = !(near * near < T(-kLeastPower));
    const V zero(T(0)), most(kMostRatio<T>), slope(2 * p);
    for (int i = 0; !empty && i < columns; i += V::lanes) {
      const V here = V::load(a + i) - V(shift);
      power_of_two(zero - here * here, kLift).store(bell0 + i);
      power_of_two_less_one(minimum(maximum(here * slope, zero - most), most)).store(bell1 + i);
    }
  }

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
