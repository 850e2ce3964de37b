// Forward kernel of soft_argmax: one launch, a block for each map or few neighbours of them.
#pragma once

#include "soft_argmax/team.cuh"

namespace fastpose::soft_argmax {

template <typename T>
struct Decoded {
  T *points, *confidence, *kept;
};

// The logits and then the weights of the sides: of map k column i at [k * map + i * step], its rows
// behind the columns. In shared memory, or where sides are long in the memory that keeps them.
template <typename T>
struct Sides {
  T* at;
  int64_t map, step;
};

constexpr int kMostShared = 4096;  // numbers of sides in shared memory
constexpr unsigned kNowhere = ~0u;

// Numbers of shared memory that the marginal form needs besides the sides.
__host__ __device__ constexpr int partial_numbers(int warps, int map_lanes, int column_lanes,
                                                  int numbers) {
  return warps * map_lanes * column_lanes * numbers + 2 * kMostMaps;
}

// Means over the rows and over the columns, into `sides`. Scaled before they are added up, so that
// no sum overflows. `partial` holds [warp][number][lane of a row].
template <typename Pixel, int kPack, typename T>
__device__ __forceinline__ void add_up(const Decoding<T>& d, const Team& team, int64_t start,
                                       const Sides<T>& sides, T* partial) {
  using Numbers = Piece<Pixel, kPack>;
  constexpr int kNumbers = Numbers::kNumbers, kRows = Numbers::kRows;
  const T per_row = T(1) / T(d.height), per_column = T(1) / T(d.width);
  const int of_a_row = d.map_lanes * d.column_lanes;
  for (int base = 0; base < d.width; base += Numbers::columns(d)) {
    T column[kNumbers] = {};
    for (int first = 0; first < d.height; first += team.rows * kRows) {
      Numbers piece[kRows];
#pragma unroll
      for (int j = 0; j < kRows; ++j) {
        const int y = first + j * team.rows + team.row;
        piece[j].fill(0);
        if (team.active && y < d.height)
          piece[j].read(d, team, start + y * d.logits.stride[2], base);
      }
#pragma unroll
      for (int j = 0; j < kRows; ++j) {
        const int y = first + j * team.rows + team.row;
        T row = 0;
#pragma unroll
        for (int i = 0; i < kNumbers; ++i) {
          const T logit = piece[j].number(i);
          column[i] = multiply_add(logit, per_row, column[i]);
          row = multiply_add(logit, per_column, row);
        }
        row = lanes_sum(row, d.map_lanes, of_a_row);
        if (team.column == 0 && team.active && y < d.height) {
          T& sum = sides.at[team.map * sides.map + (d.width + y) * sides.step];
          sum = base == 0 ? row : sum + row;
        }
      }
    }
#pragma unroll
    for (int i = 0; i < kNumbers; ++i) {
      const T sum = lanes_sum(column[i], of_a_row, kWarpSize);
      if (team.lane < of_a_row) partial[(team.warp * kNumbers + i) * of_a_row + team.lane] = sum;
    }
    __syncthreads();
    for (int n = threadIdx.x; n < kNumbers * of_a_row; n += blockDim.x) {
      Team other = team;
      other.map = n % d.map_lanes;
      other.column = n % of_a_row / d.map_lanes;
      const int x = Numbers::column(d, other, base, n / of_a_row);
      if (other.map >= team.count || x >= d.width) continue;
      T sum = partial[n];
      for (int warp = 1; warp < team.warps; ++warp) sum += partial[warp * kNumbers * of_a_row + n];
      sides.at[other.map * sides.map + x * sides.step] = sum;
    }
    __syncthreads();
  }
}

// Softmax of each side, a warp for each; `peaks` takes the largest weights.
template <typename T>
__device__ __forceinline__ void weigh(const Decoding<T>& d, const Team& team, const Sides<T>& sides,
                                      const Decoded<T>& out, T* peaks) {
  for (int side = team.warp; side < 2 * team.count; side += team.warps) {
    const int k = side / 2, begin = side % 2 == 0 ? 0 : d.width;
    const int size = side % 2 == 0 ? d.width : d.height;
    T* const own = sides.at + k * sides.map + begin * sides.step;
    T* const kept = kept_of(d, team, out.kept, k) + begin * d.kept_step;
    T most = lowest<T>();
    for (int i = team.lane; i < size; i += kWarpSize) most = maximum(own[i * sides.step], most);
    most = lanes_maximum(most, 1, kWarpSize);
    T total = 0, moment = 0;
    for (int i = team.lane; i < size; i += kWarpSize) {
      const T weight = exponential(own[i * sides.step], most);
      own[i * sides.step] = weight;
      total += weight;
      moment = multiply_add(weight, side % 2 == 0 ? d.x(i) : d.y(i), moment);
    }
    const T scale = inverse_sum(warp_sum(total));
    moment = warp_sum(moment);
    for (int i = team.lane; i < size; i += kWarpSize)
      kept[i * d.kept_step] = own[i * sides.step] * scale;
    if (team.lane == 0) {
      peaks[side] = scale;
      out.points[(team.image * d.maps + team.first + k) * 2 + side % 2] = moment * scale;
    }
  }
  __syncthreads();
  for (int k = threadIdx.x; k < team.count; k += blockDim.x)
    out.confidence[team.image * d.maps + team.first + k] =
        square_root(peaks[2 * k] * peaks[2 * k + 1]);
}

// Sums of exponentials relative to `most`, the largest logit that whoever made them has seen.
template <typename T>
struct Sums {
  T most = lowest<T>(), total = 0, x = 0, y = 0;
  unsigned place = kNowhere;  // of the first of the largest logits, row by row

  __device__ __forceinline__ void scale(T change) {
    total *= change;
    x *= change;
    y *= change;
  }
};

// What a thread sees of its map.
template <typename Pixel, int kPack, typename T>
__device__ __forceinline__ Sums<T> gather(const Decoding<T>& d, const Team& team, int64_t start) {
  using Numbers = Piece<Pixel, kPack>;
  constexpr int kNumbers = Numbers::kNumbers, kRows = Numbers::kRows;
  Sums<T> sums;
  for (int base = 0; base < d.width; base += Numbers::columns(d)) {
    T column[kNumbers] = {};
    for (int first = 0; first < d.height; first += team.rows * kRows) {
      Numbers piece[kRows];
#pragma unroll
      for (int j = 0; j < kRows; ++j) {
        const int y = first + j * team.rows + team.row;
        piece[j].fill(T(-INFINITY));
        if (team.active && y < d.height)
          piece[j].read(d, team, start + y * d.logits.stride[2], base);
      }
      T here = lowest<T>();
#pragma unroll
      for (int j = 0; j < kRows; ++j)
#pragma unroll
        for (int i = 0; i < kNumbers; ++i) here = maximum(piece[j].number(i), here);
      if (here >= sums.most) {
        unsigned place = kNowhere;
#pragma unroll
        for (int j = kRows - 1; j >= 0; --j)
#pragma unroll
          for (int i = kNumbers - 1; i >= 0; --i)
            if (piece[j].number(i) == here)
              place = unsigned(first + j * team.rows + team.row) * d.width +
                      Numbers::column(d, team, base, i);
        sums.place = here > sums.most ? place : min(place, sums.place);
        const T change = exponential(sums.most, here);
        sums.scale(change);
#pragma unroll
        for (int i = 0; i < kNumbers; ++i) column[i] *= change;
        sums.most = here;
      }
#pragma unroll
      for (int j = 0; j < kRows; ++j) {
        T row = 0;
#pragma unroll
        for (int i = 0; i < kNumbers; ++i) {
          const T weight = exponential(piece[j].number(i), sums.most);
          column[i] += weight;
          row += weight;
        }
        sums.y = multiply_add(row, d.y(first + j * team.rows + team.row), sums.y);
      }
    }
#pragma unroll
    for (int i = 0; i < kNumbers; ++i) {
      sums.total += column[i];
      sums.x = multiply_add(column[i], d.x(Numbers::column(d, team, base, i)), sums.x);
    }
  }
  return sums;
}

// The sums of all threads, map by map; `parts` and `largest` hold [warp][map lane].
template <typename T>
__device__ __forceinline__ void combine(const Decoding<T>& d, const Team& team, Sums<T> own,
                                        const Decoded<T>& out, Sums<T>* parts, T* largest) {
  const T of_warp = lanes_maximum(own.most, d.map_lanes, kWarpSize);
  if (team.lane < d.map_lanes) largest[team.warp * d.map_lanes + team.lane] = of_warp;
  __syncthreads();
  T most = largest[team.map];
  for (int warp = 1; warp < team.warps; ++warp)
    most = maximum(largest[warp * d.map_lanes + team.map], most);
  own.scale(exponential(own.most, most));
  own.total = lanes_sum(own.total, d.map_lanes, kWarpSize);
  own.x = lanes_sum(own.x, d.map_lanes, kWarpSize);
  own.y = lanes_sum(own.y, d.map_lanes, kWarpSize);
  own.place = lanes_minimum(own.most == most ? own.place : kNowhere, d.map_lanes, kWarpSize);
  own.most = most;
  if (team.lane < d.map_lanes) parts[team.warp * d.map_lanes + team.lane] = own;
  __syncthreads();
  for (int k = threadIdx.x; k < team.count; k += blockDim.x) {
    Sums<T> sums = parts[k];
    for (int warp = 1; warp < team.warps; ++warp) {
      const Sums<T>& part = parts[warp * d.map_lanes + k];
      sums.total += part.total;
      sums.x += part.x;
      sums.y += part.y;
      sums.place = min(sums.place, part.place);
    }
    const T scale = inverse_sum(sums.total);
    const int64_t map = team.image * d.maps + team.first + k;
    const unsigned place = sums.place == kNowhere ? 0 : sums.place;  // no finite number: NaN
    T* const kept = kept_of(d, team, out.kept, k);
    kept[kMaximum] = sums.most;
    out.confidence[map] = kept[kPeak] = scale;
    out.points[map * 2] = kept[kX] = sums.x * scale;
    out.points[map * 2 + 1] = kept[kY] = sums.y * scale;
    kept[kColumn] = T(place % unsigned(d.width));
    kept[kRow] = T(place / unsigned(d.width));
  }
}

// `kInShared`: whether the marginal form's sides are in shared memory.
template <typename Pixel, int kPack, bool kJoint, bool kInShared,
          typename T = typename Piece<Pixel, kPack>::T>
__global__ void __launch_bounds__(most_warps(kPack) * kWarpSize, least_blocks<T>(kPack))
    soft_argmax_forward_kernel(const __grid_constant__ Decoding<T> d,
                               const __grid_constant__ Decoded<T> out) {
  const Team team(d);
  const int64_t start =
      team.image * d.logits.stride[0] + (team.first + team.map) * d.logits.stride[1];
  if constexpr (kJoint) {
    Sums<T>* const parts = reinterpret_cast<Sums<T>*>(shared_memory);
    T* const largest = reinterpret_cast<T*>(parts + team.warps * d.map_lanes);
    combine(d, team, gather<Pixel, kPack>(d, team, start), out, parts, largest);
  } else {
    T* const partial = reinterpret_cast<T*>(shared_memory);
    const int numbers =
        partial_numbers(team.warps, d.map_lanes, d.column_lanes, Piece<Pixel, kPack>::kNumbers);
    T* const peaks = partial + numbers - 2 * kMostMaps;
    Sides<T> sides{partial + numbers, d.width + d.height, 1};
    if constexpr (!kInShared) sides = {kept_of(d, team, out.kept, 0), d.kept_map, d.kept_step};
    add_up<Pixel, kPack>(d, team, start, sides, partial);
    weigh(d, team, sides, out, peaks);
  }
}

}  // namespace fastpose::soft_argmax
