// render_gaussians on the CPU: row by row of a band, a vector of columns at a time.
//
// Maps whose planes are dense are drawn one at a time, straight into memory or read straight from
// it. Where the channels of a pixel are neighbours, some maps go row by row together through a
// buffer that is turned in blocks.
#include "render_gaussians/render_gaussians.h"

#include "common/channels_last.h"
#include "common/rows.h"
#include "common/simd.h"
#include "render_gaussians/math.h"

namespace fastpose::FASTPOSE_ISA {
namespace {

using namespace gaussians;  // NOLINT

constexpr int kColumns = 128;  // of which tables are made at a time
constexpr int kRows = 32;
static_assert(kColumns % Floats::lanes == 0 && kBandRows % kRows == 0);

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
template <typename T>
struct Table {
  using V = typename Own<T>::V;
  Gaussian<T> gaussian;
  bool spoilt, separable;
  // Of columns: a as it is where shear dy is 0; 2^(-a^2) times 1, a, a^2.
  alignas(64) T a[kColumns], bell0[kColumns], bell1[kColumns], bell2[kColumns];
  // Of rows: along shear dy; b; 2^(-b^2); the columns [from, to) outside of which the value is 0.
  alignas(64) T shift[kRows], b[kRows], height[kRows];
  int from[kRows], to[kRows];

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
    if (!separable) return;
    for (int i = 0; i < kColumns; i += V::lanes) {
      const V at = V::load(a + i), value = bell(at);
      value.store(bell0 + i);
      if (!kGradient) continue;
      const V first = value * at;
      first.store(bell1 + i);
      (first * at).store(bell2 + i);
    }
  }

  // Rows top, top + 1, ... of the image, for `columns` columns from `left` on.
  void set_rows(const Grid<T>& grid, int top, int columns) {
    for (int r = 0; r < kRows; ++r) {
      const T dy = grid.start_y + T(top + r) * grid.step_y - gaussian.y;
      b[r] = gaussian.across * dy;
      shift[r] = gaussian.along * (gaussian.shear * dy);
    }
    for (int r = 0; r < kRows; r += V::lanes) bell(V::load(b + r)).store(height + r);
    if (separable) return;
    const T per_column = columns > 1 ? (columns - 1) / (a[columns - 1] - a[0]) : T(0);
    for (int r = 0; r < kRows; ++r) {
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
};

// Where a task lies: some maps of one image, a band of rows.
struct Place {
  int64_t b, k;
  int maps;
  int64_t band;
  int top, bottom;

  Place(const Drawing& drawing, const Tasks& tasks, int64_t task)
      : b(task / tasks.bands / tasks.groups),
        k(task / tasks.bands % tasks.groups * tasks.group),
        maps(int(drawing.maps - k < tasks.group ? drawing.maps - k : tasks.group)),
        band(task % tasks.bands),
        top(int(band) * kBandRows),
        bottom(drawing.height - top < kBandRows ? drawing.height : top + kBandRows) {}
};

// Calls visit(y, left, row, columns) for every piece of a row of a task, with the tables set for
// it. Tables that the task before has set are kept.
template <typename T, bool kGradient, int kMost>
struct Walk {
  Grid<T> grid;
  int set_left = -1;
  int64_t set_b = -1, set_k = -1;
  Table<T> table[kMost];

  explicit Walk(const Drawing& drawing) : grid(drawing) {}

  template <typename Visit>
  FASTPOSE_INLINE void rows(const Drawing& drawing, const Place& place, const Visit& visit) {
    if (place.b != set_b || place.k != set_k) {
      for (int m = 0; m < place.maps; ++m) table[m].set(drawing, place.b, place.k + m);
      set_b = place.b, set_k = place.k, set_left = -1;
    }
    for (int left = 0; left < drawing.width; left += kColumns) {
      const int columns = drawing.width - left < kColumns ? drawing.width - left : kColumns;
      for (int m = 0; left != set_left && m < place.maps; ++m) {
        table[m].template set_columns<kGradient>(grid, left);
      }
      set_left = left;
      for (int y = place.top; y < place.bottom; ++y) {
        const int row = (y - place.top) % kRows;
        for (int m = 0; row == 0 && m < place.maps; ++m) table[m].set_rows(grid, y, columns);
        visit(y, left, row, columns);
      }
    }
  }
};

// Whether a row's pixels are neighbours of the very type that is computed in.
template <typename T>
bool is_direct(const Image& image) {
  return image.stride[3] == 1 &&
         image.element == (sizeof(T) == 4 ? Element::float32 : Element::float64);
}

// --- forward -------------------------------------------------------------------------------------

template <typename T>
FASTPOSE_INLINE void draw_row(const Table<T>& table, int row, int columns, T* line) {
  using V = typename Own<T>::V;
  const V height(table.height[row]), zero(T(0));
  const auto put = [&](int i, V value) {
    columns - i >= V::lanes ? value.store(line + i) : Own<T>::store(line + i, value, columns - i);
  };
  if (table.spoilt) {
    for (int i = 0; i < columns; i += V::lanes) put(i, V(T(NAN)));
  } else if (table.separable) {
    for (int i = 0; i < columns; i += V::lanes) put(i, V::load(table.bell0 + i) * height);
  } else {
    const V shift(table.shift[row]);
    const int to = table.to[row], from = to > table.from[row] ? table.from[row] : to;
    int i = 0;
    for (; i < from; i += V::lanes) put(i, zero);
    for (; i < to; i += V::lanes) put(i, bell(V::load(table.a + i) - shift) * height);
    for (; i < columns; i += V::lanes) put(i, zero);
  }
}

template <typename T, int kMost>
void draw(const Drawing& drawing, const Tasks& tasks, const Image& output, int64_t first,
          int64_t last) {
  const FlushToZero flush;
  Walk<T, false, kMost> walk(drawing);
  alignas(64) T line[kMost][kColumns];
  const bool direct = kMost == 1 && is_direct<T>(output);
  for (int64_t task = first; task < last; ++task) {
    const Place place(drawing, tasks, task);
    const Plane<T> plane(output, place.b, place.k);
    walk.rows(drawing, place, [&](int y, int left, int row, int columns) {
      if (direct) {
        T* const pixels = reinterpret_cast<T*>(plane.at(y, left));
        return draw_row(walk.table[0], row, columns, pixels);
      }
      for (int m = 0; m < place.maps; ++m) draw_row(walk.table[m], row, columns, line[m]);
      if (kMost == 1) return write_row(plane, y, left, columns, line[0]);
      write_pixels(plane, y, left, columns, line[0], kColumns, place.maps);
    });
  }
}

// --- backward ------------------------------------------------------------------------------------

// Adds what one row gives to the sums, with `line` the gradient of its pixels, 0 past the last.
template <typename T, typename V>
FASTPOSE_INLINE void add_row(const Table<T>& table, int row, int columns, const T* line,
                             Sums<V>& sums) {
  const V zero(T(0));
  // Sums over the row of w / 2^(-b^2) times 1, a, a^2.
  V sum0 = zero, sum1 = zero, sum2 = zero;
  const auto get = [&](int i) {
    return columns - i >= V::lanes ? V::load(line + i) : Own<T>::load(line + i, columns - i, zero);
  };
  V nothing = zero;  // of pixels that are 0: NaN where the gradient is not finite
  int from = 0, to = columns;
  if (table.height[row] == 0) {
    to = 0;
  } else if (table.separable) {
    for (int i = 0; i < columns; i += V::lanes) {
      const V grad = get(i);
      sum0 = multiply_add(grad, V::load(table.bell0 + i), sum0);
      sum1 = multiply_add(grad, V::load(table.bell1 + i), sum1);
      sum2 = multiply_add(grad, V::load(table.bell2 + i), sum2);
    }
  } else {
    const V shift(table.shift[row]);
    to = table.to[row], from = to > table.from[row] ? table.from[row] : to;
    for (int i = from; i < to; i += V::lanes) {
      const V a = V::load(table.a + i) - shift;
      const V weight = get(i) * bell(a), first = weight * a;
      sum0 = sum0 + weight;
      sum1 = sum1 + first;
      sum2 = multiply_add(first, a, sum2);
    }
  }
  for (int i = 0; i < from; i += V::lanes) nothing = multiply_add(get(i), zero, nothing);
  for (int i = (to + V::lanes - 1) / V::lanes * V::lanes; i < columns; i += V::lanes) {
    nothing = multiply_add(get(i), zero, nothing);
  }
  sum0 = sum0 + nothing, sum1 = sum1 + nothing, sum2 = sum2 + nothing;
  const V height(table.height[row]), b(table.b[row]), first = height * b;
  sums.a = multiply_add(height, sum1, sums.a);
  sums.b = multiply_add(first, sum0, sums.b);
  sums.aa = multiply_add(height, sum2, sums.aa);
  sums.ab = multiply_add(first, sum1, sums.ab);
  sums.bb = multiply_add(first * b, sum0, sums.bb);
}

template <typename T, int kMost>
void gather(const Drawing& drawing, const Tasks& tasks, const Image& grad_output, double* results,
            int64_t first, int64_t last) {
  using V = typename Own<T>::V;
  const FlushToZero flush;
  Walk<T, true, kMost> walk(drawing);
  alignas(64) T line[kMost][kColumns];
  const bool direct = kMost == 1 && is_direct<T>(grad_output);
  for (int64_t task = first; task < last; ++task) {
    const Place place(drawing, tasks, task);
    const V zero(T(0));
    Sums<V> sums[kMost];
    for (int m = 0; m < place.maps; ++m) sums[m] = {zero, zero, zero, zero, zero};
    const Plane<T> plane(grad_output, place.b, place.k);
    walk.rows(drawing, place, [&](int y, int left, int row, int columns) {
      if (direct) {
        const T* const pixels = reinterpret_cast<const T*>(plane.at(y, left));
        return add_row(walk.table[0], row, columns, pixels, sums[0]);
      }
      if (kMost == 1) {
        read_row(plane, y, left, columns, line[0]);
      } else {
        read_pixels(plane, y, left, columns, line[0], kColumns, place.maps);
      }
      for (int m = 0; m < place.maps; ++m) {
        add_row(walk.table[m], row, columns, line[m], sums[m]);
      }
    });
    for (int m = 0; m < place.maps; ++m) {
      double* result =
          results + ((place.b * drawing.maps + place.k + m) * tasks.bands + place.band) * kSums;
      const T of_map[kSums] = {sum(sums[m].a), sum(sums[m].b), sum(sums[m].aa), sum(sums[m].ab),
                               sum(sums[m].bb)};
      for (int i = 0; i < kSums; ++i) result[i] = of_map[i];
    }
  }
}

// Calls use<T, kMost>() for what is to be drawn.
template <typename Use>
FASTPOSE_INLINE void choose(const Drawing& drawing, const Tasks& tasks, const Use& use) {
  if (tasks.group == 1) {
    drawing.is_double ? use.template operator()<double, 1>() : use.template operator()<float, 1>();
  } else {
    drawing.is_double ? use.template operator()<double, kMostTogether>()
                      : use.template operator()<float, kMostTogether>();
  }
}

}  // namespace

void render_gaussians_forward(const Drawing& drawing, const Tasks& tasks, const Image& output,
                              int64_t first, int64_t last) {
  choose(drawing, tasks,
         [&]<typename T, int kMost>() { draw<T, kMost>(drawing, tasks, output, first, last); });
}

void render_gaussians_backward(const Drawing& drawing, const Tasks& tasks, const Image& grad_output,
                               double* sums, int64_t first, int64_t last) {
  choose(drawing, tasks, [&]<typename T, int kMost>() {
    gather<T, kMost>(drawing, tasks, grad_output, sums, first, last);
  });
}

}  // namespace fastpose::FASTPOSE_ISA
