// structural_similarity on the CPU: row by row through tiles, sums down the columns before those
// along the rows, and the same way back.
#include "structural_similarity/structural_similarity.h"

#include "common/rows.h"
#include "common/simd.h"
#include "structural_similarity/math.h"

namespace fastpose::FASTPOSE_ISA {
namespace {

using namespace similarity;  // NOLINT

// A tile with what its gradient needs of the windows around it, in rows of numbers of type T.
// Windows are named by their first pixel: window j of a row covers the columns j .. j + kReach.
template <int kWindow, typename T>
class Tile {
  using V = typename Wide<T>::type;
  static constexpr int kRadius = Taps<kWindow>::radius, kReach = 2 * kRadius, kSide = kReach + 1;
  // Numbers in a row: the tile, the windows to both sides, and what vectors read or write too many.
  static constexpr int kPitch = (kTileColumns + 2 * kReach + 31) / 16 * 16;

 public:
  Tile(const Comparison& pair, const Slopes& slopes)
      : pair_(pair),
        slopes_(slopes),
        windows_down_(pair.height - kReach),
        windows_across_(pair.width - kReach) {}

  // The sum of S over the tile's own windows; writes the slopes of its pixels if they are wanted.
  template <bool kSlopes>
  double run(int64_t plane, int top, int left) {
    const int64_t b = plane / pair_.channels, c = plane % pair_.channels;
    const Plane<T> x(pair_.x, b, c), y(pair_.y, b, c);
    place<kSlopes>(left);
    const int bottom = least(top + kTileRows, pair_.height);
    const int first = kSlopes ? greatest(top - kReach, 0) : top;
    const int last = least(bottom, windows_down_);
    if (windows_ <= 0 || first >= last) return 0;  // never with slopes
    find_centre(x, y, top);
    double total = 0;
    for (int row = first; row < first + kReach; ++row) load(x, y, row);
    for (int row = first; row < (kSlopes ? bottom : last); ++row) {
      if (row < last) {
        load(x, y, row + kReach);
        sum_down(row);
        compare<kSlopes>();
        if (row >= top) total += sum_of_values();
        if (kSlopes) spread_along(row);
      }
      if (kSlopes && row >= top) write_slopes(b, c, row, first, last);
    }
    return total;
  }

 private:
  static int least(int a, int b) { return a < b ? a : b; }
  static int greatest(int a, int b) { return a > b ? a : b; }

  // Which columns are dealt with.
  template <bool kSlopes>
  void place(int left) {
    left_ = left;
    columns_ = least(kTileColumns, pair_.width - left);
    start_ = kSlopes ? greatest(left - kReach, 0) : left;
    windows_ = least(left + columns_, windows_across_) - start_;
    before_ = left - start_;
    // 0 for the windows beside the plane, that the rows below do not write.
    if (kSlopes) memset(slope_, 0, sizeof(slope_));
  }

  // Of the first row of the tile: the mean of sums, and of differences, but for what is not finite
  // or huge: that must not reach further than its windows.
  void find_centre(const Plane<T>& x, const Plane<T>& y, int top) {
    read_row(x, top, left_, columns_, line_[0]);
    read_row(y, top, left_, columns_, line_[1]);
    const T scale = static_cast<T>(pair_.scale) / columns_, most = T(8) / columns_;
    T total[2] = {0, 0};
    for (int i = 0; i < columns_; ++i) {
      const T a = line_[0][i] * scale, b = line_[1][i] * scale;
      const bool usual = a < most && a > -most && b < most && b > -most;
      total[0] += usual ? a + b : T(0);
      total[1] += usual ? a - b : T(0);
    }
    centre_[0] = V(total[0]);
    centre_[1] = V(total[1]);
  }

  T* image_row(int row) { return image_[row % kSide][0]; }

  // Sums and differences of a row, from the first column of the first window to the last of the
  // last.
  void load(const Plane<T>& x, const Plane<T>& y, int row) {
    const int count = windows_ + kReach;
    T* to = image_row(row);
    read_row(x, row, start_, count, line_[0]);
    read_row(y, row, start_, count, line_[1]);
    const V scale(static_cast<T>(pair_.scale));
    for (int i = 0; i < count; i += V::lanes) {
      const V a = V::load(line_[0] + i), b = V::load(line_[1] + i);
      multiply_add(a + b, scale, V(T(0)) - centre_[0]).store(to + i);
      multiply_add(a - b, scale, V(T(0)) - centre_[1]).store(to + kPitch + i);
    }
  }

  // The rows row .. row + kReach, weighted: s, d, s^2 and d^2.
  void sum_down(int row) {
    const T* rows[kSide];
    for (int i = 0; i < kSide; ++i) rows[i] = image_row(row + i);
    for (int i = 0; i < windows_ + kReach; i += V::lanes) {
      for (int which = 0; which < 2; ++which) {
        const int at = which * kPitch + i;
        const V middle = V::load(rows[kRadius] + at), weighted = tap(0) * middle;
        V sum = weighted, squares = weighted * middle;
#pragma GCC unroll 8
        for (int k = 1; k <= kRadius; ++k) {
          const V above = V::load(rows[kRadius - k] + at), below = V::load(rows[kRadius + k] + at);
          sum = multiply_add(tap(k), above + below, sum);
          squares = multiply_add(tap(k), multiply_add(above, above, below * below), squares);
        }
        sum.store(line_[which] + i);
        squares.store(line_[2 + which] + i);
      }
    }
  }

  // The weighted sum of the numbers from[0 .. kReach], for each lane.
  FASTPOSE_INLINE static V sum_along(const T* from) {
    V sum = tap(0) * V::load(from + kRadius);
#pragma GCC unroll 8
    for (int k = 1; k <= kRadius; ++k) {
      sum = multiply_add(tap(k), V::load(from + kRadius - k) + V::load(from + kRadius + k), sum);
    }
    return sum;
  }

  template <bool kSlopes>
  void compare() {
    const V norm(static_cast<T>(pair_.norm)), zero(T(0));
    const int shift = kReach - before_;  // of slope_, which begins kReach before the tile
    for (int i = 0; i < windows_; i += V::lanes) {
      const Four<V> mean{sum_along(line_[0] + i), sum_along(line_[1] + i), sum_along(line_[2] + i),
                         sum_along(line_[3] + i)};
      Four<V> slope;
      window_similarity<kSlopes>(mean, centre_[0], centre_[1], norm, slope).store(value_ + i);
      if (kSlopes) {
        const int count = windows_ - i;
        first_lanes(slope.s, count, zero).store(slope_[0] + shift + i);
        first_lanes(slope.d, count, zero).store(slope_[1] + shift + i);
        first_lanes(slope.ss, count, zero).store(slope_[2] + shift + i);
        first_lanes(slope.dd, count, zero).store(slope_[3] + shift + i);
      }
    }
  }

  double sum_of_values() const {
    V total(T(0));
    for (int i = before_; i < windows_; i += V::lanes) {
      total = total + first_lanes(V::load(value_ + i), windows_ - i, V(T(0)));
    }
    return sum(total);
  }

  // What a row of windows hands to the pixels of each of its rows.
  void spread_along(int row) {
    for (int which = 0; which < 4; ++which) {
      T* to = spread_[row % kSide][which];
      for (int i = 0; i < columns_; i += V::lanes) sum_along(slope_[which] + i).store(to + i);
    }
  }

  // The slopes of a row of pixels, which windows [row - kReach, row] cover.
  void write_slopes(int64_t b, int64_t c, int row, int first, int last) {
    static constexpr T none[kTileColumns] = {};
    const T* rows[4][kSide];
    for (int i = 0; i < kSide; ++i) {
      const int at = row - kReach + i;
      for (int which = 0; which < 4; ++which) {
        rows[which][i] = at < first || at >= last ? none : spread_[at % kSide][which];
      }
    }
    const T* image = image_row(row) + before_;
    for (int i = 0; i < columns_; i += V::lanes) {
      V handed[4];
      for (int which = 0; which < 4; ++which) {
        V sum = tap(0) * V::load(rows[which][kRadius] + i);
#pragma GCC unroll 8
        for (int k = 1; k <= kRadius; ++k) {
          const V both =
              V::load(rows[which][kRadius - k] + i) + V::load(rows[which][kRadius + k] + i);
          sum = multiply_add(tap(k), both, sum);
        }
        handed[which] = sum;
      }
      const V by_s = multiply_add(handed[2], V::load(image + i), handed[0]);
      const V by_d = multiply_add(handed[3], V::load(image + kPitch + i), handed[1]);
      (by_s + by_d).store(line_[0] + i);
      (by_s - by_d).store(line_[1] + i);
    }
    if (slopes_.x.data) write_row(Plane<T>(slopes_.x, b, c), row, left_, columns_, line_[0]);
    if (slopes_.y.data) write_row(Plane<T>(slopes_.y, b, c), row, left_, columns_, line_[1]);
  }

  FASTPOSE_INLINE static V tap(int distance) {
    return V(static_cast<T>(Taps<kWindow>::at(distance)));
  }

  const Comparison& pair_;
  const Slopes& slopes_;
  const int windows_down_, windows_across_;
  int left_, columns_;                            // the tile
  int start_, windows_;                           // the windows that are computed
  int before_;                                    // of those, how many lie to the left of the tile
  V centre_[2];                                   // see math.h
  alignas(64) T image_[kSide][2][kPitch] = {};    // s and d, the last kSide rows
  alignas(64) T spread_[kSide][4][kTileColumns];  // what the last kSide rows of windows hand out
  alignas(64) T line_[4][kPitch] = {}, slope_[4][kPitch], value_[kPitch];
};

template <int kWindow, typename T>
void compare(const Comparison& pair, const Slopes& slopes, double* sums, int64_t first,
             int64_t last) {
  Tile<kWindow, T> tile(pair, slopes);
  for (int64_t task = first; task < last; ++task) {
    const int64_t plane = task / tiles(pair), number = task % tiles(pair);
    const int top = static_cast<int>(number / tiles_across(pair)) * kTileRows;
    const int left = static_cast<int>(number % tiles_across(pair)) * kTileColumns;
    sums[task] = slopes.wanted() ? tile.template run<true>(plane, top, left)
                                 : tile.template run<false>(plane, top, left);
  }
}

template <typename T>
void scale(const Image& slope, const Image& grad, const double* share, int64_t channels, int height,
           int width, int64_t first, int64_t last) {
  using V = typename Wide<T>::type;
  alignas(64) T line[kTileColumns];
  for (int64_t plane = first; plane < last; ++plane) {
    const int64_t b = plane / channels, c = plane % channels;
    const Plane<T> from(slope, b, c), to(grad, b, c);
    const V factor(static_cast<T>(share[b]));
    for (int row = 0; row < height; ++row) {
      for (int left = 0; left < width; left += kTileColumns) {
        const int columns = width - left < kTileColumns ? width - left : kTileColumns;
        read_row(from, row, left, columns, line);
        for (int i = 0; i < columns; i += V::lanes) (V::load(line + i) * factor).store(line + i);
        write_row(to, row, left, columns, line);
      }
    }
  }
}

}  // namespace

void structural_similarity_forward(const Comparison& pair, const Slopes& slopes, double* sums,
                                   int64_t first, int64_t last) {
  const bool wide = pair.x.element == Element::float64;
  if (pair.window == gaussian) {
    wide ? compare<gaussian, double>(pair, slopes, sums, first, last)
         : compare<gaussian, float>(pair, slopes, sums, first, last);
  } else {
    wide ? compare<uniform, double>(pair, slopes, sums, first, last)
         : compare<uniform, float>(pair, slopes, sums, first, last);
  }
}

void structural_similarity_backward(const Image& slope, const Image& grad, const double* share,
                                    int64_t channels, int32_t height, int32_t width, int64_t first,
                                    int64_t last) {
  slope.element == Element::float64
      ? scale<double>(slope, grad, share, channels, height, width, first, last)
      : scale<float>(slope, grad, share, channels, height, width, first, last);
}

}  // namespace fastpose::FASTPOSE_ISA
