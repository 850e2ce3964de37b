// render_gaussians on the CPU: a band of rows at a time, vectors of columns side by side.
//
// Maps whose planes are dense are drawn one at a time, straight into memory or read straight from
// it. Where the channels of a pixel are neighbours, some maps go together, a few rows at a time,
// through a buffer that is turned in blocks. With shear 0 nothing but a product (in the backward,
// three sums) is left to do for a pixel, so that memory sets the pace.
#include "render_gaussians/render_gaussians.h"

#include "common/channels_last.h"
#include "common/rows.h"
#include "render_gaussians/table.h"

namespace fastpose::FASTPOSE_ISA {
namespace {

// Of one map a whole band is worked on at a time; rows of some maps together go through a buffer.
template <int kMost>
constexpr int kRows = kMost == 1 ? kBandRows : 4;
static_assert(kTableRows<kMostTogether> % kRows<kMostTogether> == 0);
// Vectors side by side whose sums fit into registers.
#if defined(__AVX512F__)
constexpr int kMostVectors = 8;
#else
constexpr int kMostVectors = 4;
#endif

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

// Some rows of a task, in some columns; the first is row `row` of the tables.
struct Piece {
  int y, row, rows, left, columns;
  bool first, last;  // of the task, in those columns
};

// Calls visit(piece) for every piece of a task, with the tables set for it. Tables that the task
// before has set are kept.
template <typename T, bool kGradient, int kMost>
struct Walk {
  Grid<T> grid;
  int set_left = -1;
  int64_t set_b = -1, set_k = -1;
  Table<T, kMost> table[kMost];

  explicit Walk(const Drawing& drawing) : grid(drawing) {}

  template <typename Visit>
  FASTPOSE_INLINE void pieces(const Drawing& drawing, const Place& place, const Visit& visit) {
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
      for (int y = place.top; y < place.bottom; y += kRows<kMost>) {
        const int row = (y - place.top) % kTableRows<kMost>, rest = place.bottom - y;
        for (int m = 0; row == 0 && m < place.maps; ++m) {
          table[m].template set_rows<kGradient>(grid, y, columns);
        }
        visit(Piece{y, row, rest < kRows<kMost> ? rest : kRows<kMost>, left, columns,
                    y == place.top, rest <= kRows<kMost>});
      }
    }
  }
};

// Rows of each map for what cannot be used where it lies. The maps of a row are side by side;
// between rows is a gap, lest all of them fall on the same places of a cache.
template <typename T, int kMost>
struct Lines {
  static constexpr int64_t pitch = kMost * kColumns + 64;
  alignas(64) T line[kRows<kMost>][pitch];
};

// Whether a row's pixels are neighbours of the very type that is computed in.
template <typename T>
bool is_direct(const Image& image) {
  return image.stride[3] == 1 &&
         image.element == (sizeof(T) == 4 ? Element::float32 : Element::float64);
}

// Calls strip.operator()<kVectors>(first) for vectors that lie side by side and cover `columns`
// from column `first` on, the last of them maybe in part.
template <typename V, int kVectors = kMostVectors, typename Strip>
FASTPOSE_INLINE void for_strips(int columns, const Strip& strip, int first = 0) {
  for (; columns - first > (kVectors - 1) * V::lanes; first += kVectors * V::lanes) {
    strip.template operator()<kVectors>(first);
  }
  if constexpr (kVectors > 1) for_strips<V, kVectors - 1>(columns, strip, first);
}

// --- forward -------------------------------------------------------------------------------------

template <typename T, typename V>
FASTPOSE_INLINE void put(T* line, int i, int columns, V value) {
  columns - i >= V::lanes ? value.store(line + i) : Own<T>::store(line + i, value, columns - i);
}

// Draws a piece into `line`, its rows `pitch` elements apart.
template <typename T, int kMost>
FASTPOSE_INLINE void draw_piece(const Table<T, kMost>& table, const Piece& piece, T* line,
                                int64_t pitch) {
  using V = typename Own<T>::V;
  const V zero(T(0)), spoilt(T(NAN));
  const int top = piece.row, bottom = top + piece.rows, columns = piece.columns;
  if (table.spoilt) {
    for (int r = top; r < bottom; ++r, line += pitch) {
      for (int i = 0; i < columns; i += V::lanes) put(line, i, columns, spoilt);
    }
    return;
  }
  if (table.separable) {
    return for_strips<V>(columns, [&]<int kVectors>(int first) {
      V bell0[kVectors];
      for (int i = 0; i < kVectors; ++i) bell0[i] = V::load(table.bell0 + first + i * V::lanes);
      T* at = line;
      for (int r = top; r < bottom; ++r, at += pitch) {
        const V height(table.height0[r]);
        for (int i = 0; i < kVectors; ++i) {
          put(at, first + i * V::lanes, columns, bell0[i] * height);
        }
      }
    });
  }
  for (int r = top; r < bottom; ++r, line += pitch) {
    const V height(table.height0[r]), shift(table.shift[r]);
    const int to = table.to[r], from = to > table.from[r] ? table.from[r] : to;
    int i = 0;
    for (; i < from; i += V::lanes) put(line, i, columns, zero);
    for (; i < to; i += V::lanes)
      put(line, i, columns, bell(V::load(table.a + i) - shift) * height);
    for (; i < columns; i += V::lanes) put(line, i, columns, zero);
  }
}

template <typename T, int kMost>
void draw(const Drawing& drawing, const Tasks& tasks, const Image& output, int64_t first,
          int64_t last) {
  const FlushToZero flush;
  Walk<T, false, kMost> walk(drawing);
  Lines<T, kMost> lines;
  const bool direct = kMost == 1 && is_direct<T>(output);
  for (int64_t task = first; task < last; ++task) {
    const Place place(drawing, tasks, task);
    const Plane<T> plane(output, place.b, place.k);
    walk.pieces(drawing, place, [&](const Piece& piece) {
      const int y = piece.y, rows = piece.rows, left = piece.left, columns = piece.columns;
      if (direct) {
        T* const pixels = reinterpret_cast<T*>(plane.at(y, left));
        return draw_piece(walk.table[0], piece, pixels, plane.row_step() / int64_t{sizeof(T)});
      }
      for (int m = 0; m < place.maps; ++m) {
        draw_piece(walk.table[m], piece, lines.line[0] + m * kColumns, lines.pitch);
      }
      for (int r = 0; r < rows; ++r) {
        kMost == 1 ? write_row(plane, y + r, left, columns, lines.line[r])
                   : write_pixels(plane, y + r, left, columns, lines.line[r], kColumns, place.maps);
      }
    });
  }
}

// --- backward ------------------------------------------------------------------------------------

template <typename T, typename V = typename Own<T>::V>
FASTPOSE_INLINE V get(const T* line, int i, int columns) {
  return columns - i >= V::lanes ? V::load(line + i) : Own<T>::load(line + i, columns - i, V(T(0)));
}

// Adds what a piece of a map with shear 0 gives: for each column by itself, up to the last piece,
// so that no sum depends on how many rows a piece has. Unless `kShape`, only the sums of a and b.
template <bool kShape, typename T, int kMost, typename V>
FASTPOSE_INLINE void add_separable(Table<T, kMost>& table, const Piece& piece, const T* line,
                                   int64_t pitch, Sums<V>& sums) {
  const int top = piece.row, bottom = top + piece.rows, columns = piece.columns;
  T(&column)[3][kColumns] = table.column;
  if (piece.first) memset(column, 0, sizeof(column));
  for_strips<V>(columns, [&]<int kVectors>(int first) {
    V sum0[kVectors], sum1[kVectors], sum2[kVectors];
    for (int i = 0; i < kVectors; ++i) {
      const int at = first + i * V::lanes;
      sum0[i] = V::load(column[0] + at), sum1[i] = V::load(column[1] + at);
      if (kShape) sum2[i] = V::load(column[2] + at);
    }
    const T* pixels = line;
    for (int r = top; r < bottom; ++r, pixels += pitch) {
      const V height0(table.height0[r]), height1(table.height1[r]), height2(table.height2[r]);
      for (int i = 0; i < kVectors; ++i) {
        const V grad = get(pixels, first + i * V::lanes, columns);
        sum0[i] = multiply_add(grad, height0, sum0[i]);
        sum1[i] = multiply_add(grad, height1, sum1[i]);
        if (kShape) sum2[i] = multiply_add(grad, height2, sum2[i]);
      }
    }
    for (int i = 0; i < kVectors; ++i) {
      const int at = first + i * V::lanes;
      sum0[i].store(column[0] + at), sum1[i].store(column[1] + at);
      if (kShape) sum2[i].store(column[2] + at);
    }
  });
  for (int i = 0; piece.last && i < columns; i += V::lanes) {
    const V bell0 = V::load(table.bell0 + i), bell1 = V::load(table.bell1 + i);
    const V sum0 = V::load(column[0] + i), sum1 = V::load(column[1] + i);
    sums.a = multiply_add(bell1, sum0, sums.a);
    sums.b = multiply_add(bell0, sum1, sums.b);
    if (!kShape) continue;
    sums.aa = multiply_add(V::load(table.bell2 + i), sum0, sums.aa);
    sums.ab = multiply_add(bell1, sum1, sums.ab);
    sums.bb = multiply_add(bell0, V::load(column[2] + i), sums.bb);
  }
}

// Adds what one row of any other map gives.
template <typename T, int kMost, typename V>
FASTPOSE_INLINE void add_row(const Table<T, kMost>& table, int row, int columns, const T* line,
                             Sums<V>& sums) {
  const V zero(T(0)), shift(table.shift[row]);
  // Sums over the row of w / 2^(-b^2) times 1, a, a^2.
  V sum0 = zero, sum1 = zero, sum2 = zero;
  V nothing = zero;  // of pixels that are 0: NaN where the gradient is not finite
  const int to = table.to[row], from = to > table.from[row] ? table.from[row] : to;
  for (int i = from; i < to; i += V::lanes) {
    const V a = V::load(table.a + i) - shift;
    const V weight = get(line, i, columns) * bell(a), first = weight * a;
    sum0 = sum0 + weight;
    sum1 = sum1 + first;
    sum2 = multiply_add(first, a, sum2);
  }
  for (int i = 0; i < from; i += V::lanes) {
    nothing = multiply_add(get(line, i, columns), zero, nothing);
  }
  for (int i = (to + V::lanes - 1) / V::lanes * V::lanes; i < columns; i += V::lanes) {
    nothing = multiply_add(get(line, i, columns), zero, nothing);
  }
  sum0 = sum0 + nothing, sum1 = sum1 + nothing, sum2 = sum2 + nothing;
  const V height0(table.height0[row]), height1(table.height1[row]), height2(table.height2[row]);
  sums.a = multiply_add(height0, sum1, sums.a);
  sums.b = multiply_add(height1, sum0, sums.b);
  sums.aa = multiply_add(height0, sum2, sums.aa);
  sums.ab = multiply_add(height1, sum1, sums.ab);
  sums.bb = multiply_add(height2, sum0, sums.bb);
}

// Adds what a piece gives, with `line` the gradient of its pixels, rows `pitch` elements apart.
template <bool kShape, typename T, int kMost, typename V>
FASTPOSE_INLINE void add_piece(Table<T, kMost>& table, const Piece& piece, const T* line,
                               int64_t pitch, Sums<V>& sums) {
  if (table.separable) return add_separable<kShape>(table, piece, line, pitch, sums);
  for (int r = 0; r < piece.rows; ++r, line += pitch) {
    add_row(table, piece.row + r, piece.columns, line, sums);
  }
}

template <bool kShape, typename T, int kMost>
void gather(const Drawing& drawing, const Tasks& tasks, const Image& grad_output, double* results,
            int64_t first, int64_t last) {
  using V = typename Own<T>::V;
  const FlushToZero flush;
  Walk<T, true, kMost> walk(drawing);
  Lines<T, kMost> lines;
  const bool direct = kMost == 1 && is_direct<T>(grad_output);
  for (int64_t task = first; task < last; ++task) {
    const Place place(drawing, tasks, task);
    const V zero(T(0));
    Sums<V> sums[kMost];
    for (int m = 0; m < place.maps; ++m) sums[m] = {zero, zero, zero, zero, zero};
    const Plane<T> plane(grad_output, place.b, place.k);
    walk.pieces(drawing, place, [&](const Piece& piece) {
      const int y = piece.y, rows = piece.rows, left = piece.left, columns = piece.columns;
      if (direct) {
        const T* const pixels = reinterpret_cast<const T*>(plane.at(y, left));
        return add_piece<kShape>(walk.table[0], piece, pixels,
                                 plane.row_step() / int64_t{sizeof(T)}, sums[0]);
      }
      for (int r = 0; r < rows; ++r) {
        kMost == 1 ? read_row(plane, y + r, left, columns, lines.line[r])
                   : read_pixels(plane, y + r, left, columns, lines.line[r], kColumns, place.maps);
      }
      for (int m = 0; m < place.maps; ++m) {
        add_piece<kShape>(walk.table[m], piece, lines.line[0] + m * kColumns, lines.pitch, sums[m]);
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
                               double* sums, int64_t first, int64_t last, bool needs_shape) {
  choose(drawing, tasks, [&]<typename T, int kMost>() {
    needs_shape ? gather<true, T, kMost>(drawing, tasks, grad_output, sums, first, last)
                : gather<false, T, kMost>(drawing, tasks, grad_output, sums, first, last);
  });
}

}  // namespace fastpose::FASTPOSE_ISA
