// Maps that lie one after the other, for cpu.cpp: a vector is a piece of a row.
#pragma once

#include "soft_argmax/cpu_rows.h"
#include "soft_argmax/cpu_side.h"

namespace fastpose::FASTPOSE_ISA {
namespace {

// Memory is first touched in its order: only then does the processor fetch ahead, which is worth a
// factor of two for maps that are not in a cache. Rows of at most so many numbers may be taken side
// by side.
constexpr int kShortRow = 32;

template <Element kElement>
class Planes {
 public:
  using S = Stored<kElement>;
  using V = typename S::V;
  using T = typename V::scalar;
  using Rows = MapRows<kElement>;

  Planes(const Maps& maps, const Grid& grid, double* memory)
      : maps_(maps),
        height_(maps.height),
        width_(maps.width),
        grid_x_(static_cast<const T*>(grid.x)),
        grid_y_(static_cast<const T*>(grid.y)) {
    Scratch<T> scratch(memory);
    columns_ = scratch.take(width_);
    rows_ = scratch.take(height_);
    group_ = scratch.take(width_);
    room_ = scratch.rest();
  }

  // Each of these is for map k of image b.

  void forward_marginal(int64_t b, int64_t k, T* point, T* confidence, T* kept) {
    add_up(Rows(maps_, b, k, room_));
    const Side<T> x = weigh(columns_, width_, grid_x_, kept);
    const Side<T> y = weigh(rows_, height_, grid_y_, kept + width_);
    point[0] = x.centre;
    point[1] = y.centre;
    *confidence = square_root(x.peak * y.peak);
  }

  // Sums of exponentials relative to the largest logit so far; a larger one scales them down.
  void forward_joint(int64_t b, int64_t k, T* point, T* confidence, T* kept) {
    const Rows map(maps_, b, k, room_);
    clear(columns_);
    T most = lowest<T>();
    V moment_y(T(0));
    int peak_first = 0, peak_rows = 1;
    for_groups(0, height_, [&]<int kRows>(int first) {
      const auto* at = map.at(first, kRows);
      const int64_t step = map.step();
      V here(most);
      for (int r = 0; r < kRows; ++r) {
        V row(most);
        for_vectors(
            [&](int x, const auto& load) { row = maximum(load(at + r * step + x, row), row); });
        here = maximum(row, here);
      }
      const T now = greatest(here);
      if (now > most) {
        const V change = exponential(V(most), V(now));
        for (int x = 0; x < width_; x += V::lanes) {
          (V::load(columns_ + x) * change).store(columns_ + x);
        }
        moment_y = moment_y * change;
        most = now;
        peak_first = first;
        peak_rows = kRows;
      }
      V group_y(T(0));
      for_vectors([&](int x, const auto& load) {
        V column(T(0));
        for (int r = 0; r < kRows; ++r) {
          const V weight = exponential(load(at + r * step + x, V(T(-INFINITY))), V(most));
          column = column + weight;
          group_y = multiply_add(weight, V(grid_y_[first + r]), group_y);
        }
        (V::load(columns_ + x) + column).store(columns_ + x);
      });
      moment_y = moment_y + group_y;
    });
    V total(T(0)), moment_x(T(0));
    for (int x = 0; x < width_; x += V::lanes) {
      const V column = V::load(columns_ + x);
      total = total + column;
      moment_x = multiply_add(column, V::load(grid_x_ + x), moment_x);
    }
    const T scale = inverse_sum(sum(total));
    point[0] = sum(moment_x) * scale;
    point[1] = sum(moment_y) * scale;
    *confidence = scale;
    kept[kMaximum] = most;
    kept[kPeak] = scale;
    kept[kX] = point[0];
    kept[kY] = point[1];
    find(map, most, peak_first, peak_rows, kept);
  }

  void backward_marginal(const T* kept, T grad_x, T grad_y, T grad_confidence,
                         typename S::type* to) {
    const T* weights_y = kept + width_;
    const T peak_x = largest_weight(kept, width_), peak_y = largest_weight(weights_y, height_);
    const T pull = grad_confidence * square_root(peak_x * peak_y) / 2;
    side_gradient(kept, width_, grid_x_, grad_x, peak_x, pull, height_, columns_);
    side_gradient(weights_y, height_, grid_y_, grad_y, peak_y, pull, width_, rows_);
    for (int y = 0; y < height_; ++y, to += width_) {
      const V row(rows_[y]);
      for (int x = 0; x < width_; x += V::lanes) write(to, x, V::load(columns_ + x) + row);
    }
  }

  void backward_joint(int64_t b, int64_t k, const T* kept, T grad_x, T grad_y, T grad_confidence,
                      typename S::type* to) {
    const Rows map(maps_, b, k, room_);
    const T peak = kept[kPeak], pull = grad_confidence * peak;
    for (int x = 0; x < width_; x += V::lanes) {
      const V slope = V(grad_x) * (V::load(grid_x_ + x) - V(kept[kX]));
      (V(peak) * slope).store(columns_ + x);
    }
    const auto row_slope = [&](int y) { return peak * (grad_y * (grid_y_[y] - kept[kY]) - pull); };
    const V most(kept[kMaximum]);
    auto* out = to;
    for (int y = 0; y < height_; ++y, out += width_) {
      const auto* at = map.at(y, 1);
      const V row(row_slope(y));
      for_vectors([&](int x, const auto& load) {
        const V weight = exponential(load(at + x, V(T(-INFINITY))), most);
        write(out, x, weight * (V::load(columns_ + x) + row));
      });
    }
    if (pull == 0) return;
    const int column = static_cast<int>(kept[kColumn]), row = static_cast<int>(kept[kRow]);
    const T slope = columns_[column] + row_slope(row);
    S::store(to + int64_t{row} * width_ + column, V(slope + pull), 1);
  }

 private:
  void clear(T* columns) const {
    for (int x = 0; x < width_; x += V::lanes) V(T(0)).store(columns + x);
  }

  // Calls run(x, load) for each vector of a row; load(from, rest) reads one, with `rest` in lanes
  // past the edge.
  template <typename Run>
  FASTPOSE_INLINE void for_vectors(const Run& run) const {
    int x = 0;
    for (; x + V::lanes <= width_; x += V::lanes) {
      run(x, [](const auto* from, V) { return S::load(from); });
    }
    if (x < width_) {
      run(x, [&](const auto* from, V rest) { return S::load(from, width_ - x, rest); });
    }
  }

  FASTPOSE_INLINE void write(typename S::type* row, int x, V value) const {
    if (x + V::lanes <= width_) {
      S::store(row + x, value);
    } else {
      S::store(row + x, value, width_ - x);
    }
  }

  // Means over the rows and over the columns. Scaled before they are added up, so that no sum
  // overflows.
  void add_up(const Rows& map) {
    clear(columns_);
    const V per_row(T(1) / T(height_)), per_column(T(1) / T(width_));
    if (width_ <= kShortRow) {
      for_groups(0, height_, [&]<int kRows>(int first) {
        const auto* at = map.at(first, kRows);
        const int64_t step = map.step();
        V row[kRows];
        for (int r = 0; r < kRows; ++r) row[r] = V(T(0));
        for_vectors([&](int x, const auto& load) {
          V column(T(0));
          for (int r = 0; r < kRows; ++r) {
            const V logit = load(at + r * step + x, V(T(0)));
            column = multiply_add(logit, per_row, column);
            row[r] = multiply_add(logit, per_column, row[r]);
          }
          (V::load(columns_ + x) + column).store(columns_ + x);
        });
        for (int r = 0; r < kRows; ++r) rows_[first + r] = sum(row[r]);
      });
      return;
    }
    for (int first = 0; first < height_; first += kGroup) {
      const int end = first + kGroup < height_ ? first + kGroup : height_;
      const auto* at = map.at(first, end - first);
      clear(group_);
      for (int y = first; y < end; ++y, at += map.step()) {
        V row(T(0));
        for_vectors([&](int x, const auto& load) {
          const V logit = load(at + x, V(T(0)));
          row = multiply_add(logit, per_column, row);
          multiply_add(logit, per_row, V::load(group_ + x)).store(group_ + x);
        });
        rows_[y] = sum(row);
      }
      for (int x = 0; x < width_; x += V::lanes) {
        (V::load(columns_ + x) + V::load(group_ + x)).store(columns_ + x);
      }
    }
  }

  // Where the first of the largest logits lies, which is in one of these rows.
  void find(const Rows& map, T most, int first, int count, T* kept) const {
    kept[kColumn] = kept[kRow] = 0;  // of a map without any finite number
    const auto* at = map.at(first, count);
    for (int y = first; y < first + count; ++y, at += map.step()) {
      uint32_t hits = 0;
      int column = 0;
      for_vectors([&](int x, const auto& load) {
        if (hits) return;
        hits = ~less(load(at + x, V(T(-INFINITY))), V(most)) & ((1u << V::lanes) - 1);
        column = x;
      });
      if (!hits) continue;
      kept[kColumn] = static_cast<T>(column + __builtin_ctz(hits));
      kept[kRow] = static_cast<T>(y);
      return;
    }
  }

  const Maps& maps_;
  const int height_, width_;
  const T *grid_x_, *grid_y_;
  T *columns_, *rows_, *group_;
  double* room_;
};

}  // namespace
}  // namespace fastpose::FASTPOSE_ISA
