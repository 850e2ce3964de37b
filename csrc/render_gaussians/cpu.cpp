// render_gaussians on the CPU: a band of rows at a time, vectors of columns side by side.
//
// Maps whose planes are dense are drawn one at a time, straight into memory or read straight from
// it. Where the channels of a pixel are neighbours, some maps go together, a few rows at a time,
// through a buffer that is turned in blocks. Two products (in the backward, and three sums) are
// left to do for a pixel, with shear 0 one, so that memory sets the pace.
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
// Vectors that are worked on side by side, row after row: those of a whole row of a table where
// there are vectors, because pixels are best gone through in the order in which they lie.
constexpr int kMostVectors = kColumns / Floats::lanes < 16 ? kColumns / Floats::lanes : 16;

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
        top(int(band) * tasks.band_rows),
        bottom(drawing.height - top < tasks.band_rows ? drawing.height : top + tasks.band_rows) {}
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
      for (int m = 0; m < place.maps; ++m) table[m].set(drawing, grid, place.b, place.k + m);
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
          table[m].template set_rows<kGradient>(grid, y, rest);
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

// Calls strip.operator()<kVectors, kCut>(i) for vectors that lie side by side from column i on and
// together reach from column `first` to `last`. With `kCut` it is one of which lanes are left over.
template <typename V, int kVectors = kMostVectors, typename Strip>
FASTPOSE_INLINE void for_strips(int first, int last, const Strip& strip) {
  for (; last - first >= kVectors * V::lanes; first += kVectors * V::lanes) {
    strip.template operator()<kVectors, false>(first);
  }
  if constexpr (kVectors > 1) return for_strips<V, kVectors / 2>(first, last, strip);
  if (first < last) strip.template operator()<1, true>(first);
}

// Calls visit.operator()<kCut>(vector, lanes) for vectors in columns first .. last - 1 of some
// rows.
template <typename V, typename T, typename Visit>
FASTPOSE_INLINE void for_vectors(T* line, int64_t pitch, int rows, int first, int last,
                                 const Visit& visit) {
  for (; first < last && rows > 0; --rows, line += pitch) {
    for_strips<V, 1>(first, last, [&]<int, bool kCut>(int i) {
      visit.template operator()<kCut>(line + i, last - i);
    });
  }
}

// --- forward -------------------------------------------------------------------------------------

// Writes a vector, with `kCut` only its first `count` lanes.
template <bool kCut, typename T, typename V>
FASTPOSE_INLINE void put(T* to, V value, int count) {
  kCut ? Own<T>::store(to, value, count) : value.store(to);
}

template <typename T>
FASTPOSE_INLINE void fill(T* line, int64_t pitch, int rows, int first, int last, T value) {
  using V = typename Own<T>::V;
  for_vectors<V>(line, pitch, rows, first, last,
                 [&]<bool kCut>(T* to, int count) { put<kCut>(to, V(value), count); });
}

// Draws a piece of a map with shear 0.
template <typename T, int kMost>
FASTPOSE_INLINE void draw_separable(const Table<T, kMost>& table, const Piece& piece, T* line,
                                    int64_t pitch) {
  using V = typename Own<T>::V;
  for_strips<V>(0, piece.columns, [&]<int kVectors, bool kCut>(int first) {
    V bell0[kVectors];
    for (int i = 0; i < kVectors; ++i) bell0[i] = V::load(table.bell0 + first + i * V::lanes);
    T* at = line;
    for (int r = piece.row; r < piece.row + piece.rows; ++r, at += pitch) {
      const V height(table.height0[r]);
      for (int i = 0; i < kVectors; ++i) {
        const int here = first + i * V::lanes;
        put<kCut>(at + here, bell0[i] * height, piece.columns - here);
      }
    }
  });
}

// Draws rows of a group of any other map.
template <typename T, int kMost>
FASTPOSE_INLINE void draw_group(Table<T, kMost>& table, int row, int rows, int columns, T* line,
                                int64_t pitch) {
  using V = typename Own<T>::V;
  if (table.empty) return fill(line, pitch, rows, 0, columns, T(0));
  for_strips<V>(0, columns, [&]<int kVectors, bool kCut>(int first) {
    V bell[kVectors], slope[kVectors];
    for (int i = 0; i < kVectors; ++i) {
      bell[i] = V::load(table.bell0 + first + i * V::lanes);
      slope[i] = V::load(table.bell1 + first + i * V::lanes);
    }
    T* at = line;
    for (int r = row; r < row + rows; ++r, at += pitch) {
      const V height(table.height0[r]);
      for (int i = 0; i < kVectors; ++i) {
        const int here = first + i * V::lanes;
        put<kCut>(at + here, minimum(bell[i] * height, V(T(1))), columns - here);
        bell[i] = multiply_add(bell[i], slope[i], bell[i]);
      }
    }
    for (int i = 0; i < kVectors; ++i) bell[i].store(table.bell0 + first + i * V::lanes);
  });
}

// Draws a piece into `line`, its rows `pitch` elements apart.
template <typename T, int kMost>
FASTPOSE_INLINE void draw_piece(Table<T, kMost>& table, const Piece& piece, T* line,
                                int64_t pitch) {
  const int columns = piece.columns;
  if (table.spoilt) return fill(line, pitch, piece.rows, 0, columns, T(NAN));
  if (table.separable) return draw_separable(table, piece, line, pitch);
  table.template for_groups<false>(piece.row, piece.rows, columns, [&](int row, int rows) {
    draw_group(table, row, rows, columns, line, pitch);
    line += rows * pitch;
  });
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

// Reads a vector, with `kCut` only its first `count` lanes; the others are 0.
template <bool kCut, typename T, typename V = typename Own<T>::V>
FASTPOSE_INLINE V get(const T* from, int count) {
  return kCut ? Own<T>::load(from, count, V(T(0))) : V::load(from);
}

// Adds what a piece of a map with shear 0 gives: for each column by itself, up to the last piece,
// so that no sum depends on how many rows a piece has. Unless `kShape`, only the sums of a and b.
template <bool kShape, typename T, int kMost, typename V>
FASTPOSE_INLINE void add_separable(Table<T, kMost>& table, const Piece& piece, const T* line,
                                   int64_t pitch, Sums<V>& sums) {
  const int top = piece.row, bottom = top + piece.rows, columns = piece.columns;
  T(&column)[3][kColumns] = table.column;
  if (piece.first) memset(column, 0, sizeof(column));
  for_strips<V>(0, columns, [&]<int kVectors, bool kCut>(int first) {
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
        const int here = first + i * V::lanes;
        const V grad = get<kCut>(pixels + here, columns - here);
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

// Adds what rows of a group of any other map give: for each column by itself, up to the last row of
// the group or of the task.
template <bool kShape, typename T, int kMost, typename V>
FASTPOSE_INLINE void add_group(Table<T, kMost>& table, int row, int rows, bool is_last, int columns,
                               const T* line, int64_t pitch, Sums<V>& sums) {
  const V zero(T(0)), shift(table.lean * table.near);
  const bool is_first = table.begins(row);
  V nothing = zero;  // of pixels that are 0: NaN where the gradient is not finite
  const auto ignore = [&]<bool kCut>(const T* from, int count) {
    nothing = multiply_add(get<kCut>(from, count), zero, nothing);
  };
  if (table.empty) for_vectors<V>(line, pitch, rows, 0, columns, ignore);
  // Sums of w times 1, a, a^2; of w t times 1, a; of w t^2. Here a is that where b = near.
  V one = nothing, a = nothing, aa = nothing, t = nothing, at = nothing, tt = nothing;
  T(&column)[3][kColumns] = table.column;
  for_strips<V>(0, table.empty ? 0 : columns, [&]<int kVectors, bool kCut>(int first) {
    V sum0[kVectors], sum1[kVectors], sum2[kVectors];
    for (int i = 0; i < kVectors; ++i) {
      const int here = first + i * V::lanes;
      sum0[i] = is_first ? zero : V::load(column[0] + here);
      sum1[i] = is_first ? zero : V::load(column[1] + here);
      if (kShape) sum2[i] = is_first ? zero : V::load(column[2] + here);
    }
    const T* pixels = line;
    for (int r = row; r < row + rows; ++r, pixels += pitch) {
      const V height0(table.height0[r]), height1(table.height1[r]), height2(table.height2[r]);
      for (int i = 0; i < kVectors; ++i) {
        const int here = first + i * V::lanes;
        const V bell = V::load(table.bell0 + here);
        const V weight = get<kCut>(pixels + here, columns - here) * bell;
        sum0[i] = multiply_add(weight, height0, sum0[i]);
        sum1[i] = multiply_add(weight, height1, sum1[i]);
        if (kShape) sum2[i] = multiply_add(weight, height2, sum2[i]);
        multiply_add(bell, V::load(table.bell1 + here), bell).store(table.bell0 + here);
      }
    }
    for (int i = 0; i < kVectors; ++i) {
      const int here = first + i * V::lanes;
      if (!is_last) {
        sum0[i].store(column[0] + here), sum1[i].store(column[1] + here);
        if (kShape) sum2[i].store(column[2] + here);
        continue;
      }
      const V of_column = V::load(table.a + here) - shift, moment = of_column * sum0[i];
      one = one + sum0[i], a = a + moment, t = t + sum1[i];
      if (!kShape) continue;
      aa = multiply_add(moment, of_column, aa);
      at = multiply_add(of_column, sum1[i], at);
      tt = tt + sum2[i];
    }
  });
  // With b = near + t, and a so much less as t lean.
  const V near(table.near), less(-table.lean);
  const V b = multiply_add(near, one, t), bt = multiply_add(near, t, tt);
  sums.a = sums.a + multiply_add(less, t, a);
  sums.b = sums.b + b;
  if (!kShape) return;
  sums.aa = sums.aa + multiply_add(less, multiply_add(less, tt, at), multiply_add(less, at, aa));
  sums.ab = sums.ab + multiply_add(less, bt, multiply_add(near, a, at));
  sums.bb = sums.bb + multiply_add(near, b, bt);
}

// Adds what a piece gives, with `line` the gradient of its pixels, rows `pitch` elements apart.
template <bool kShape, typename T, int kMost, typename V>
FASTPOSE_INLINE void add_piece(Table<T, kMost>& table, const Piece& piece, const T* line,
                               int64_t pitch, Sums<V>& sums) {
  if (table.spoilt) return;  // its gradients are NaN whatever the sums
  if (table.separable) return add_separable<kShape>(table, piece, line, pitch, sums);
  int rest = piece.rows;
  table.template for_groups<true>(piece.row, piece.rows, piece.columns, [&](int row, int rows) {
    rest -= rows;
    const bool is_last = table.begins(row + rows) || (piece.last && rest == 0);
    add_group<kShape>(table, row, rows, is_last, piece.columns, line, pitch, sums);
    line += rows * pitch;
  });
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
