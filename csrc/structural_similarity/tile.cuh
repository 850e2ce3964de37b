// How a block computes one tile: four passes through shared memory, each along one axis.
//
// A thread forms several neighbouring sums at once: it reads each number once and adds it,
// weighted, to all that it belongs to. Windows are named by their first pixel. A tile's gradient
// takes the windows from kReach before it on, and those the pixels up to kReach behind it.
#pragma once

#include <cuda_runtime.h>

#include "common/launch.cuh"
#include "common/numbers.cuh"
#include "common/reduce.cuh"
#include "structural_similarity/math.h"
#include "structural_similarity/structural_similarity.h"

namespace fastpose::similarity {

// Side of a tile, threads, blocks that a multiprocessor must be able to hold, and how many sums a
// thread forms at once in each pass.
template <typename T>
struct Plan {
  static constexpr int side = 32, threads = 256, blocks = 2;
  static constexpr int down = 11, along = 7, back = 6, up = 4;
};
template <>
struct Plan<double> {
  static constexpr int side = 16, threads = 128, blocks = 2;
  static constexpr int down = 9, along = 7, back = 4, up = 2;
};

// The length of rows that lanes can read without conflict.
__host__ __device__ constexpr int odd(int count) { return count | 1; }

// Shared memory of a block.
template <typename T, int kWindow, bool kSlopes>
struct Shared {
  static constexpr int side = Plan<T>::side, reach = 2 * Taps<kWindow>::radius;
  static constexpr int before = kSlopes ? reach : 0;
  static constexpr int windows = side + before, pixels = windows + reach;  // along each axis
  static constexpr int lead = (4 - before % 4) % 4;  // more pixels, so that packs of 4 are aligned
  static constexpr int columns = (lead + pixels + 3) / 4 * 4;

  T image[2][pixels][odd(columns)];  // s and d
  union {
    T down[4][windows][odd(pixels)];  // sums of s, d, s^2, d^2 down the columns
    T back[4][windows][odd(side)];    // what windows hand out, spread along the rows
  };
  T slope[kSlopes ? 4 : 1][kSlopes ? windows : 1][odd(windows)];  // what windows hand out
  T value[side][odd(side)];                                       // S
  T warps[Plan<T>::threads / kWarpSize];
};

// Adds `number`, at place `at` of the pixels of kCount neighbouring windows, to their sums.
template <int kWindow, int kCount, typename T>
__device__ __forceinline__ void add(T (&sums)[kCount], int at, T number) {
  constexpr int kRadius = Taps<kWindow>::radius;
#pragma unroll
  for (int i = 0; i < kCount; ++i) {
    const int distance = at - i - kRadius;
    if (distance < -kRadius || distance > kRadius) continue;
    const T tap = T(Taps<kWindow>::at(distance < 0 ? -distance : distance));
    sums[i] = multiply_add(tap, number, sums[i]);
  }
}

// The weighted sums of neighbouring windows of four arrays, that lie `apart` from each other; the
// windows' pixels lie `step` apart.
template <int kWindow, int kCount, typename T>
__device__ __forceinline__ void sum_four(const T* from, int step, int apart, T (&sums)[4][kCount]) {
#pragma unroll
  for (int which = 0; which < 4; ++which) {
#pragma unroll
    for (int i = 0; i < kCount; ++i) sums[which][i] = 0;
#pragma unroll
    for (int at = 0; at < kCount + 2 * Taps<kWindow>::radius; ++at)
      add<kWindow>(sums[which], at, from[which * apart + at * step]);
  }
}

// One tile of one plane of both images. Pixel is the type of 4 pixels that are read at once, void
// for any type and strides.
template <typename T, int kWindow, bool kSlopes, typename Pixel>
class Tile {
  using Memory = Shared<T, kWindow, kSlopes>;
  using P = Plan<T>;
  static constexpr int kSide = Memory::side, kReach = Memory::reach, kBefore = Memory::before;
  static constexpr int kWindows = Memory::windows, kPixels = Memory::pixels;

 public:
  __device__ __forceinline__ Tile(const Comparison& pair, Memory& memory, int64_t b, int c, int top,
                                  int left)
      : pair_(pair),
        memory_(memory),
        from_x_(offset_of(pair.x, b, c, 0, 0)),
        from_y_(offset_of(pair.y, b, c, 0, 0)),
        scale_(T(pair.scale)),
        top_(top),
        left_(left) {
    // The middle of the tile. What is not finite or huge must not reach further than its windows.
    const int row = min(top + kSide / 2, pair.height - 1);
    const int column = min(left + kSide / 2, pair.width - 1);
    const T x = pixel(pair.x, from_x_, row, column), y = pixel(pair.y, from_y_, row, column);
    const bool usual = fabs(x) * scale_ < 8 && fabs(y) * scale_ < 8;
    centre_s_ = usual ? (x + y) * scale_ : T(0);
    centre_d_ = usual ? (x - y) * scale_ : T(0);
  }

  // Sums and differences of all pixels that windows need; 0 beside the plane.
  __device__ __forceinline__ void load() {
    constexpr int kAtOnce = std::is_void_v<Pixel> ? 1 : 4;
    constexpr int kPacks = Memory::columns / kAtOnce;
#pragma unroll 2
    for (int i = threadIdx.x; i < kPixels * kPacks; i += P::threads) {
      const int row = i / kPacks, column = i % kPacks * kAtOnce;
      const int y = top_ - kBefore + row, x = left_ - kBefore - Memory::lead + column;
      const bool inside = y >= 0 && y < pair_.height && x >= 0 && x < pair_.width;
      T s[kAtOnce] = {}, d[kAtOnce] = {};
      if (inside) {
        const int64_t at_x = from_x_ + y * pair_.x.stride[2] + x * pair_.x.stride[3];
        const int64_t at_y = from_y_ + y * pair_.y.stride[2] + x * pair_.y.stride[3];
        if constexpr (std::is_void_v<Pixel>) {
          enter(fastpose::load<T>(pair_.x, at_x), fastpose::load<T>(pair_.y, at_y), s[0], d[0]);
        } else {
          const auto a = Pack<Pixel, 4>::at(pair_.x, at_x), b = Pack<Pixel, 4>::at(pair_.y, at_y);
#pragma unroll
          for (int k = 0; k < 4; ++k) enter(to_float(a.pixel[k]), to_float(b.pixel[k]), s[k], d[k]);
        }
      }
#pragma unroll
      for (int k = 0; k < kAtOnce; ++k) {
        memory_.image[0][row][column + k] = s[k];
        memory_.image[1][row][column + k] = d[k];
      }
    }
  }

  __device__ __forceinline__ void sum_down() {
    constexpr int kCount = P::down, kParts = (kWindows + kCount - 1) / kCount;
    for (int i = threadIdx.x; i < kPixels * kParts; i += P::threads) {
      const int column = i % kPixels, row = min(i / kPixels * kCount, kWindows - kCount);
#pragma unroll
      for (int which = 0; which < 2; ++which) {
        const T* from = &memory_.image[which][row][Memory::lead + column];
        T sums[kCount] = {}, squares[kCount] = {};
#pragma unroll
        for (int at = 0; at < kCount + kReach; ++at) {
          const T number = from[at * odd(Memory::columns)];
          add<kWindow>(sums, at, number);
          add<kWindow>(squares, at, number * number);
        }
#pragma unroll
        for (int k = 0; k < kCount; ++k) {
          memory_.down[which][row + k][column] = sums[k];
          memory_.down[2 + which][row + k][column] = squares[k];
        }
      }
    }
  }

  // S of every window, and what it hands out; 0 of windows that reach over the border.
  __device__ __forceinline__ void compare() {
    constexpr int kCount = P::along, kParts = (kWindows + kCount - 1) / kCount;
    for (int i = threadIdx.x; i < kWindows * kParts; i += P::threads) {
      const int row = i % kWindows, column = min(i / kWindows * kCount, kWindows - kCount);
      T sums[4][kCount];
      sum_four<kWindow>(&memory_.down[0][row][column], 1, kWindows * odd(kPixels), sums);
      const int y = top_ - kBefore + row;
#pragma unroll
      for (int k = 0; k < kCount; ++k) {
        const int x = left_ - kBefore + column + k;
        const bool counts =
            y >= 0 && y < pair_.height - kReach && x >= 0 && x < pair_.width - kReach;
        const Four<T> mean{sums[0][k], sums[1][k], sums[2][k], sums[3][k]};
        Four<T> slope;
        const T value =
            window_similarity<kSlopes>(mean, centre_s_, centre_d_, T(pair_.norm), slope);
        if (row >= kBefore && column + k >= kBefore)
          memory_.value[row - kBefore][column + k - kBefore] = counts ? value : T(0);
        if constexpr (kSlopes) {
          memory_.slope[0][row][column + k] = counts ? slope.s : T(0);
          memory_.slope[1][row][column + k] = counts ? slope.d : T(0);
          memory_.slope[2][row][column + k] = counts ? slope.ss : T(0);
          memory_.slope[3][row][column + k] = counts ? slope.dd : T(0);
        }
      }
    }
  }

  // Each warp's sum of S over the tile's own windows.
  __device__ __forceinline__ void sum_values() {
    T sum = 0;
#pragma unroll
    for (int i = 0; i < kSide * kSide / P::threads; ++i) {
      const int at = threadIdx.x + i * P::threads;
      sum += memory_.value[at / kSide][at % kSide];
    }
    sum = warp_sum(sum);
    if (threadIdx.x % kWarpSize == 0) memory_.warps[threadIdx.x / kWarpSize] = sum;
  }

  __device__ __forceinline__ double total() const {
    double sum = 0;
#pragma unroll
    for (int i = 0; i < P::threads / kWarpSize; ++i) sum += double(memory_.warps[i]);
    return sum;
  }

  __device__ __forceinline__ void spread_along() {
    constexpr int kCount = P::back, kParts = (kSide + kCount - 1) / kCount;
    for (int i = threadIdx.x; i < kWindows * kParts; i += P::threads) {
      const int row = i % kWindows, column = min(i / kWindows * kCount, kSide - kCount);
      T sums[4][kCount];
      sum_four<kWindow>(&memory_.slope[0][row][column], 1, kWindows * odd(kWindows), sums);
#pragma unroll
      for (int which = 0; which < 4; ++which)
#pragma unroll
        for (int k = 0; k < kCount; ++k) memory_.back[which][row][column + k] = sums[which][k];
    }
  }

  // The slopes of the tile's pixels, by columns.
  __device__ __forceinline__ void write(const Image& to_x, const Image& to_y, int64_t b, int c) {
    constexpr int kCount = P::up;
    static_assert(kSide * (kSide / kCount) == P::threads);
    const int column = threadIdx.x % kSide, row = threadIdx.x / kSide * kCount;
    T sums[4][kCount];
    sum_four<kWindow>(&memory_.back[0][row][column], odd(kSide), kWindows * odd(kSide), sums);
    if (left_ + column >= pair_.width) return;
    const int64_t at_x = offset_of(to_x, b, c, top_ + row, left_ + column);
    const int64_t at_y = offset_of(to_y, b, c, top_ + row, left_ + column);
#pragma unroll
    for (int k = 0; k < kCount; ++k) {
      if (top_ + row + k >= pair_.height) return;
      const int pixel_row = kBefore + row + k, pixel_column = Memory::lead + kBefore + column;
      const T s = memory_.image[0][pixel_row][pixel_column];
      const T d = memory_.image[1][pixel_row][pixel_column];
      const T by_s = multiply_add(sums[2][k], s, sums[0][k]);
      const T by_d = multiply_add(sums[3][k], d, sums[1][k]);
      put(to_x, at_x + k * to_x.stride[2], by_s + by_d);
      put(to_y, at_y + k * to_y.stride[2], by_s - by_d);
    }
  }

 private:
  __device__ __forceinline__ void enter(T x, T y, T& s, T& d) const {
    s = multiply_add(x + y, scale_, -centre_s_);
    d = multiply_add(x - y, scale_, -centre_d_);
  }

  __device__ __forceinline__ static T pixel(const Image& image, int64_t from, int row, int column) {
    return fastpose::load<T>(image, from + row * image.stride[2] + column * image.stride[3]);
  }

  __device__ __forceinline__ static void put(const Image& image, int64_t at, T value) {
    if (image.data == nullptr) return;
    if constexpr (std::is_void_v<Pixel>) {
      store(image, at, value);
    } else {
      assign(static_cast<Pixel*>(image.data)[at], value);
    }
  }

  const Comparison& pair_;
  Memory& memory_;
  const int64_t from_x_, from_y_;
  const T scale_;
  const int top_, left_;
  T centre_s_, centre_d_;  // see math.h
};

}  // namespace fastpose::similarity
