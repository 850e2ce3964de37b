// Images whose maps lie interleaved (channels-last), for cpu.cpp.
//
// A row is taken as it lies, width x maps numbers, without regard to where a pixel begins: every
// lane is used, whatever the number of maps. The vector at number i of a row then belongs to the
// same maps as the one a number of pixels later; a `pattern` is an array of that period, in which
// every map has one place per pixel. What maps gather in a pattern is folded in the end. Work along
// a side has a lane for each map.
#pragma once

#include "soft_argmax/cpu_rows.h"
#include "soft_argmax/cpu_sides.h"

namespace fastpose::FASTPOSE_ISA {
namespace {

template <Element kElement>
class Channels {
 public:
  using S = Stored<kElement>;
  using V = typename S::V;
  using T = typename V::scalar;
  using O = Own<T>;
  using Rows = ImageRows<kElement>;
  static constexpr int kLanes = V::lanes;

  Channels(const Maps& maps, const Grid& grid, double* memory)
      : maps_(maps),
        height_(maps.height),
        width_(maps.width),
        count_(maps.maps),
        row_(maps.maps * maps.width),
        pixels_(pattern_pixels(maps.maps)),
        period_(maps.maps * pixels_),
        grid_x_(static_cast<const T*>(grid.x)),
        grid_y_(static_cast<const T*>(grid.y)),
        scratch_(memory) {
    columns_ = scratch_.take(row_);
    rows_ = scratch_.take(height_ * count_);
  }

  // Each of these is for all maps of image b.

  void forward_marginal(int64_t b, T* points, T* confidence, T* kept) {
    add_up(b);
    Scratch<T> scratch = scratch_;
    T* const x = scratch.take(count_);
    T* const y = scratch.take(count_);
    T* const peak_x = scratch.take(count_);
    T* const peak_y = scratch.take(count_);
    weigh_sides(columns_, width_, count_, grid_x_, kept, x, peak_x);
    weigh_sides(rows_, height_, count_, grid_y_, kept + row_, y, peak_y);
    for (int64_t k = 0; k < count_; ++k) {
      points[2 * k] = x[k];
      points[2 * k + 1] = y[k];
      confidence[k] = square_root(peak_x[k] * peak_y[k]);
    }
  }

  // As Planes::forward_joint.
  void forward_joint(int64_t b, T* points, T* confidence, T* kept) {
    Scratch<T> scratch = scratch_;
    Largest largest{scratch.take(count_), scratch.take(count_), scratch.take(period_),
                    scratch.take(count_), scratch.take(period_)};
    T* const moment_y = scratch.take(period_);
    const Rows image(maps_, b, scratch.rest());
    fill(columns_, row_, T(0));
    fill(moment_y, period_, T(0));
    fill(largest.logit, count_, lowest<T>());
    fill(largest.pattern, period_, lowest<T>());
    fill(largest.group, count_, T(0));
    for_groups(0, height_, [&]<int kRows>(int first) {
      const auto* at = image.at(first, kRows);
      const int64_t step = image.step();
      for (int r = 0; r < kRows; ++r) {
        for_vectors([&](int64_t i, int64_t j, const auto& load) {
          const V here = V::load(largest.pattern + j);
          maximum(load(at + r * step + i, here), here).store(largest.pattern + j);
        });
      }
      raise(largest, first, moment_y);
      for_vectors([&](int64_t i, int64_t j, const auto& load) {
        const V most = V::load(largest.pattern + j);
        V column(T(0)), moment(T(0));
        for (int r = 0; r < kRows; ++r) {
          const V weight = exponential(load(at + r * step + i, V(T(-INFINITY))), most);
          column = column + weight;
          moment = multiply_add(weight, V(grid_y_[first + r]), moment);
        }
        (V::load(columns_ + i) + column).store(columns_ + i);
        (V::load(moment_y + j) + moment).store(moment_y + j);
      });
    });
    for_maps<V>(count_, [&](int64_t k, int lanes) {
      V total(T(0)), moment_x(T(0));
      for (int x = 0; x < width_; ++x) {
        const V column = V::load(columns_ + x * count_ + k);
        total = total + column;
        moment_x = multiply_add(column, V(grid_x_[x]), moment_x);
      }
      T sum[kLanes], x[kLanes], y[kLanes];
      total.store(sum);
      moment_x.store(x);
      folded(moment_y, k).store(y);
      for (int i = 0; i < lanes; ++i) {
        T* const own = kept + (k + i) * kNumbers;
        const T scale = inverse_sum(sum[i]);
        confidence[k + i] = scale;
        own[kMaximum] = largest.logit[k + i];
        own[kPeak] = scale;
        own[kX] = points[2 * (k + i)] = x[i] * scale;
        own[kY] = points[2 * (k + i) + 1] = y[i] * scale;
        find(image, largest, k + i, own);
      }
    });
  }

  // The gradients that arrive for the image's maps.
  struct Arriving {
    const T *x, *y, *confidence;  // or null for zeros
    int64_t point_stride, confidence_stride;
    FASTPOSE_INLINE T grad_x(int64_t k) const { return x ? x[k * point_stride] : T(0); }
    FASTPOSE_INLINE T grad_y(int64_t k) const { return y ? y[k * point_stride] : T(0); }
    FASTPOSE_INLINE T grad_confidence(int64_t k) const {
      return confidence ? confidence[k * confidence_stride] : T(0);
    }
  };

  void backward_marginal(const T* kept, const Arriving& grad, typename S::type* to) {
    Scratch<T> scratch = scratch_;
    T* const grad_x = scratch.take(count_);
    T* const grad_y = scratch.take(count_);
    T* const pull = scratch.take(count_);
    T* const pattern = scratch.take(period_);
    for (int64_t k = 0; k < count_; ++k) {
      grad_x[k] = grad.grad_x(k);
      grad_y[k] = grad.grad_y(k);
      pull[k] = 0;
    }
    const bool pulled = grad.confidence != nullptr;
    if (pulled) {
      for_maps<V>(count_, [&](int64_t k, int lanes) {
        const V peaks = largest_weights(kept, width_, count_, k, lanes) *
                        largest_weights(kept + row_, height_, count_, k, lanes);
        T peak[kLanes];
        peaks.store(peak);
        for (int i = 0; i < lanes; ++i) {
          pull[k + i] = grad.grad_confidence(k + i) * square_root(peak[i]) / 2;
        }
      });
    }
    side_gradients(kept, width_, count_, grid_x_, grad_x, pulled, pull, height_, columns_);
    side_gradients(kept + row_, height_, count_, grid_y_, grad_y, pulled, pull, width_, rows_);
    for (int y = 0; y < height_; ++y, to += row_) {
      repeat(rows_ + y * count_, pattern);
      for_vectors([&](int64_t i, int64_t j, const auto&) {
        write(to, i, V::load(columns_ + i) + V::load(pattern + j));
      });
    }
  }

  void backward_joint(int64_t b, const T* kept, const Arriving& grad, typename S::type* to) {
    Scratch<T> scratch = scratch_;
    T* const most = scratch.take(count_);
    T* const slope_x = scratch.take(count_);  // w (g (x_j - x) + h (y_i - y) - c p) with w's scale
    T* const slope_y = scratch.take(count_);
    T* const x = scratch.take(count_);
    T* const y = scratch.take(count_);
    T* const pull = scratch.take(count_);  // c p^2
    T* const most_pattern = scratch.take(period_);
    T* const row_pattern = scratch.take(period_);
    const Rows image(maps_, b, scratch.rest());
    for (int64_t k = 0; k < count_; ++k) {
      const T* own = kept + k * kNumbers;
      most[k] = own[kMaximum];
      slope_x[k] = own[kPeak] * grad.grad_x(k);
      slope_y[k] = own[kPeak] * grad.grad_y(k);
      x[k] = own[kX];
      y[k] = own[kY];
      pull[k] = own[kPeak] * own[kPeak] * grad.grad_confidence(k);
    }
    repeat(most, most_pattern);
    for (int column = 0; column < width_; ++column) {
      for_maps<V>(count_, [&](int64_t k, int lanes) {
        const V slope = V::load(slope_x + k) * (V(grid_x_[column]) - V::load(x + k));
        O::store(columns_ + column * count_ + k, slope, lanes);
      });
    }
    auto* out = to;
    for (int row = 0; row < height_; ++row, out += row_) {
      T* const slope = rows_ + row * count_;
      for_maps<V>(count_, [&](int64_t k, int lanes) {
        const V down = V(grid_y_[row]) - V::load(y + k);
        O::store(slope + k, V::load(slope_y + k) * down - V::load(pull + k), lanes);
      });
      repeat(slope, row_pattern);
      const auto* at = image.at(row, 1);
      for_vectors([&](int64_t i, int64_t j, const auto& load) {
        const V weight = exponential(load(at + i, V(T(-INFINITY))), V::load(most_pattern + j));
        write(out, i, weight * (V::load(columns_ + i) + V::load(row_pattern + j)));
      });
    }
    for (int64_t k = 0; grad.confidence && k < count_; ++k) {
      const T* own = kept + k * kNumbers;
      const int64_t column = static_cast<int>(own[kColumn]), row = static_cast<int>(own[kRow]);
      const T slope = columns_[column * count_ + k] + rows_[row * count_ + k];
      const T there = slope + own[kPeak] * grad.grad_confidence(k);
      S::store(to + row * row_ + column * count_ + k, V(there), 1);
    }
  }

 private:
  struct Largest {
    T* logit;    // of each map so far
    T* change;   // of the weights, where it became larger
    T* pattern;  // `logit` as a pattern
    T* group;    // the first row of the group where it appeared
    T* changes;  // `change` as a pattern
  };

  static void fill(T* array, int64_t size, T value) {
    for (int64_t i = 0; i < size; i += kLanes) V(value).store(array + i);
  }

  // Calls run(i, j, load) for each vector of a row: it starts at number i, and at j of patterns.
  template <typename Run>
  FASTPOSE_INLINE void for_vectors(const Run& run) const {
    int64_t period = 0;
    for (; period + period_ <= row_; period += period_) {
      for (int64_t j = 0; j < period_; j += kLanes) {
        run(period + j, j, [](const auto* from, V) { return S::load(from); });
      }
    }
    for (int64_t j = 0; period + j < row_; j += kLanes) {
      const int64_t rest = row_ - period - j;
      const int count = rest < kLanes ? static_cast<int>(rest) : kLanes;
      run(period + j, j, [=](const auto* from, V other) { return S::load(from, count, other); });
    }
  }

  FASTPOSE_INLINE void write(typename S::type* row, int64_t i, V value) const {
    if (i + kLanes <= row_) {
      S::store(row + i, value);
    } else {
      S::store(row + i, value, static_cast<int>(row_ - i));
    }
  }

  // So that a pattern is whole vectors, and so many that none is written and read again at once.
  static FASTPOSE_INLINE int64_t pattern_pixels(int64_t maps) {
    int64_t pixels = 1;
    while (maps * pixels % kLanes != 0) pixels *= 2;
    while (maps * pixels < kLeastPattern * kLanes) pixels *= 2;
    return pixels;
  }

  // One number per map as a pattern.
  FASTPOSE_INLINE void repeat(const T* numbers, T* pattern) const {
    for (int64_t p = 0; p < pixels_; ++p) {
      for_maps<V>(count_, [&](int64_t k, int lanes) {
        O::store(pattern + p * count_ + k, V::load(numbers + k), lanes);
      });
    }
  }

  // The sums over a pattern for maps k, k + 1, ...
  FASTPOSE_INLINE V folded(const T* pattern, int64_t k) const {
    V total(T(0));
    for (int64_t p = 0; p < pixels_; ++p) total = total + V::load(pattern + p * count_ + k);
    return total;
  }

  // The means over the rows, (width, maps), and over the columns, (height, maps); see
  // Planes::add_up.
  void add_up(int64_t b) {
    Scratch<T> scratch = scratch_;
    T* const group = scratch.take(row_);
    T* const gathered = scratch.take(period_);
    const Rows image(maps_, b, scratch.rest());
    fill(columns_, row_, T(0));
    const V per_row(T(1) / T(height_)), per_column(T(1) / T(width_));
    for (int first = 0; first < height_; first += kGroup) {
      const int end = first + kGroup < height_ ? first + kGroup : height_;
      const auto* at = image.at(first, end - first);
      fill(group, row_, T(0));
      for (int y = first; y < end; ++y, at += image.step()) {
        fill(gathered, period_, T(0));
        for_vectors([&](int64_t i, int64_t j, const auto& load) {
          const V logit = load(at + i, V(T(0)));
          multiply_add(logit, per_row, V::load(group + i)).store(group + i);
          multiply_add(logit, per_column, V::load(gathered + j)).store(gathered + j);
        });
        for_maps<V>(count_, [&](int64_t k, int lanes) {
          O::store(rows_ + y * count_ + k, folded(gathered, k), lanes);
        });
      }
      for (int64_t i = 0; i < row_; i += kLanes) {
        (V::load(columns_ + i) + V::load(group + i)).store(columns_ + i);
      }
    }
  }

  // Takes the largest logits so far out of the pattern, and scales the sums of maps whose largest
  // logit is new.
  void raise(Largest& largest, int group, T* moment_y) {
    bool changed = false;
    for_maps<V>(count_, [&](int64_t k, int lanes) {
      V now = V::load(largest.logit + k);
      for (int64_t p = 0; p < pixels_; ++p) {
        now = maximum(V::load(largest.pattern + p * count_ + k), now);
      }
      T logit[kLanes];
      now.store(logit);
      for (int i = 0; i < lanes; ++i) {
        T& before = largest.logit[k + i];
        largest.change[k + i] = 1;
        if (!(logit[i] > before)) continue;
        largest.change[k + i] = greatest(exponential(V(before), V(logit[i])));
        largest.group[k + i] = static_cast<T>(group);
        before = logit[i];
        changed = true;
      }
    });
    if (!changed) return;
    repeat(largest.logit, largest.pattern);
    repeat(largest.change, largest.changes);
    for_vectors([&](int64_t i, int64_t j, const auto&) {
      (V::load(columns_ + i) * V::load(largest.changes + j)).store(columns_ + i);
    });
    for (int64_t j = 0; j < period_; j += kLanes) {
      (V::load(moment_y + j) * V::load(largest.changes + j)).store(moment_y + j);
    }
  }

  // Where the first of map k's largest logits lies: in the group of rows where it appeared.
  void find(const Rows& image, const Largest& largest, int64_t k, T* kept) const {
    kept[kColumn] = kept[kRow] = 0;  // of a map without any finite number
    const int first = static_cast<int>(largest.group[k]);
    for (int y = first; y < height_ && y < first + kGroup; ++y) {
      for (int x = 0; x < width_; ++x) {
        if (image.logit(y, x, k) != largest.logit[k]) continue;
        kept[kColumn] = static_cast<T>(x);
        kept[kRow] = static_cast<T>(y);
        return;
      }
    }
  }

  const Maps& maps_;
  const int height_, width_;
  const int64_t count_, row_;      // maps, and numbers of a row
  const int64_t pixels_, period_;  // of a pattern
  const T *grid_x_, *grid_y_;
  T *columns_, *rows_;
  Scratch<T> scratch_;
};

}  // namespace
}  // namespace fastpose::FASTPOSE_ISA
