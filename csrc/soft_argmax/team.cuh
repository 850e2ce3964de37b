// Who works on what in the CUDA kernels of soft_argmax, and how it is read and written.
//
// A block decodes one map, or a few neighbours if maps lie interleaved (channels-last), then with
// neighbouring lanes on neighbouring maps. The lanes of a warp are map lanes x column lanes x row
// lanes. A thread holds kNumbers columns of its map in registers and goes down the rows of its row
// lane, some at a time; then come the next columns. So sums over rows stay in registers and sums
// over columns are made within a warp, always in the same order.
#pragma once

#include <type_traits>

#include "common/fast_math.cuh"
#include "common/launch.cuh"
#include "common/numbers.cuh"
#include "common/reduce.cuh"
#include "soft_argmax/math.h"
#include "soft_argmax/soft_argmax.h"

namespace fastpose::soft_argmax {

constexpr int kMostMaps = 8;  // of a block

// Warps of a block at most, and blocks that a multiprocessor must be able to hold: 80 registers per
// thread with packs, 64 without, 128 for double.
constexpr int most_warps(int pack) { return pack > 1 ? 8 : 16; }
template <typename T>
constexpr int least_blocks(int pack) {
  return std::is_same_v<T, double> ? 1 : pack > 1 ? 3 : 2;
}

template <typename T>
struct Decoding {
  Image logits;
  int32_t maps, height, width;
  int32_t groups, per_group;        // blocks of an image, and maps of a block
  int32_t map_lanes, column_lanes;  // of a warp, powers of 2; the others are row lanes
  T half_x, half_y;                 // half the distance between columns and between rows
  int64_t kept_image;               // numbers kept of an image
  int64_t kept_map, kept_step;      // between maps, and between the numbers of a map

  __device__ __forceinline__ T x(int column) const { return T(2 * column - (width - 1)) * half_x; }
  __device__ __forceinline__ T y(int row) const { return T(2 * row - (height - 1)) * half_y; }
};

struct Team {
  int64_t image;
  int first, count;  // maps of the block: the first, and how many
  int warp, warps, lane;
  int map, column, row, rows;  // the thread's map of the block's, column lane, row lane of `rows`
  bool active;                 // whether there is such a map

  template <typename T>
  __device__ __forceinline__ explicit Team(const Decoding<T>& d)
      : image(blockIdx.x / d.groups),
        first(int(blockIdx.x % d.groups) * d.per_group),
        count(min(d.per_group, d.maps - first)),
        warp(threadIdx.x / kWarpSize),
        warps(blockDim.x / kWarpSize),
        lane(threadIdx.x % kWarpSize),
        map(lane % d.map_lanes),
        column(lane / d.map_lanes % d.column_lanes) {
    const int of_a_row = d.map_lanes * d.column_lanes, per_warp = kWarpSize / of_a_row;
    row = warp * per_warp + lane / of_a_row;
    rows = warps * per_warp;
    active = map < count;
  }
};

// --- numbers of a row ----------------------------------------------------------------------------

// The columns of a row that a thread works on: kPack neighbours that are moved at once, or, where
// that cannot be, four as far apart as there are column lanes.
template <typename Pixel, int kPack>
struct Piece {
  using T = std::conditional_t<std::is_same_v<Pixel, double>, double, float>;
  static constexpr int kOfAPack = kPack;
  static constexpr int kNumbers = kPack == 1 ? 4 : kPack, kPacks = kNumbers / kPack;
  static constexpr int kRows = 16 / kNumbers;  // that a thread reads before it uses them
  Pack<Pixel, kPack> pack[kPacks];

  // Column i of those from `base` on; they ascend.
  static __device__ __forceinline__ int column(const Decoding<T>& d, const Team& team, int base,
                                               int i) {
    return kPack == 1 ? base + i * d.column_lanes + team.column : base + team.column * kPack + i;
  }
  // Of all threads together.
  static __device__ __forceinline__ int columns(const Decoding<T>& d) {
    return d.column_lanes * kNumbers;
  }
  __device__ __forceinline__ void fill(T value) {
#pragma unroll
    for (int i = 0; i < kNumbers; ++i) set(i, value);
  }
  // `row` is the offset of the row's first number. Whole packs are inside or outside; those outside
  // stay as they are.
  __device__ __forceinline__ void read(const Decoding<T>& d, const Team& team, int64_t row,
                                       int base) {
#pragma unroll
    for (int p = 0; p < kPacks; ++p) {
      const int x = column(d, team, base, p * kPack);
      if (x < d.width) pack[p] = Pack<Pixel, kPack>::at(d.logits, row + x * d.logits.stride[3]);
    }
  }
  __device__ __forceinline__ void write(const Decoding<T>& d, const Image& to, const Team& team,
                                        int64_t row, int base) const {
#pragma unroll
    for (int p = 0; p < kPacks; ++p) {
      const int x = column(d, team, base, p * kPack);
      if (x < d.width) Pack<Pixel, kPack>::at(to, row + x * to.stride[3]) = pack[p];
    }
  }
  __device__ __forceinline__ T number(int i) const {
    return number_of(pack[i / kPack].pixel[i % kPack]);
  }
  __device__ __forceinline__ void set(int i, T value) {
    assign(pack[i / kPack].pixel[i % kPack], value);
  }
};

// --- reductions within a warp --------------------------------------------------------------------

// Over the lanes that differ in the bits from `from` up to `to`: what each gets is the same.
template <typename T>
__device__ __forceinline__ T lanes_sum(T value, int from, int to) {
  for (int lanes = from; lanes < to; lanes *= 2) value += __shfl_xor_sync(kFullWarp, value, lanes);
  return value;
}

template <typename T>
__device__ __forceinline__ T lanes_maximum(T value, int from, int to) {
  for (int lanes = from; lanes < to; lanes *= 2)
    value = maximum(__shfl_xor_sync(kFullWarp, value, lanes), value);
  return value;
}

__device__ __forceinline__ unsigned lanes_minimum(unsigned value, int from, int to) {
  for (int lanes = from; lanes < to; lanes *= 2)
    value = min(__shfl_xor_sync(kFullWarp, value, lanes), value);
  return value;
}

// exp(logit - maximum): the difference first, for logits that are large.
template <typename T>
__device__ __forceinline__ T exponential(T logit, T maximum) {
  return fast_exp2((logit - maximum) * T(kLog2E));
}

// What is kept of map k of the block, number i.
template <typename T, typename U>
__device__ __forceinline__ U* kept_of(const Decoding<T>& d, const Team& team, U* kept, int k) {
  return kept + team.image * d.kept_image + (team.first + k) * d.kept_map;
}

}  // namespace fastpose::soft_argmax
