// Backward kernel of soft_argmax: one launch. The gradient of a map is an outer sum of its sides,
// in the joint form times the weights, for which the logits are read once more.
#pragma once

#include "soft_argmax/team.cuh"

namespace fastpose::soft_argmax {

template <typename T>
struct Arriving {
  const T* points;      // or null for zeros
  const T* confidence;  // or null for zeros
  int64_t point_stride[3], confidence_stride[2];
  const T* kept;
  Image to;  // the gradient of the logits
};

// Of one map: the comment of math.h has the names of what they stand for.
template <typename T>
struct Slopes {
  T x, y;           // the point
  T g, h;           // its gradient
  T pull;           // c p, in the marginal form c p / 2
  T most, peak;     // joint: the largest logit, and its weight
  int column, row;  // the first of the largest: logits, or weights of either side
};

// What of a side its gradient depends on as a whole.
template <typename T>
struct SideSums {
  T centre, peak;
  int first;
};

template <typename T>
__device__ __forceinline__ Slopes<T> arriving_at(const Team& team, const Arriving<T>& in) {
  Slopes<T> slopes = {};
  const int64_t k = team.first + team.map;
  if (!team.active) return slopes;
  if (in.points) {
    const T* point = in.points + team.image * in.point_stride[0] + k * in.point_stride[1];
    slopes.g = point[0];
    slopes.h = point[in.point_stride[2]];
  }
  if (in.confidence)
    slopes.pull = in.confidence[team.image * in.confidence_stride[0] + k * in.confidence_stride[1]];
  return slopes;
}

// A warp for each side of the block's maps.
template <typename T>
__device__ __forceinline__ void sum_sides(const Decoding<T>& d, const Team& team,
                                          const Arriving<T>& in, SideSums<T>* sums) {
  for (int side = team.warp; side < 2 * team.count; side += team.warps) {
    const int begin = side % 2 == 0 ? 0 : d.width, size = side % 2 == 0 ? d.width : d.height;
    const T* const weights = kept_of(d, team, in.kept, side / 2) + begin * d.kept_step;
    T centre = 0, peak = 0;
    unsigned first = 0;
    for (int i = team.lane; i < size; i += kWarpSize) {
      const T weight = weights[i * d.kept_step];
      centre = multiply_add(weight, side % 2 == 0 ? d.x(i) : d.y(i), centre);
      if (weight > peak) {
        peak = weight;
        first = i;
      }
    }
    centre = warp_sum(centre);
    if (in.confidence) {
      const T most = lanes_maximum(peak, 1, kWarpSize);
      first = lanes_minimum(peak == most ? first : ~0u, 1, kWarpSize);
      peak = most;
    }
    if (team.lane == 0) sums[side] = {centre, peak, int(first)};
  }
  __syncthreads();
}

template <typename Pixel, int kPack, bool kJoint, typename T = typename Piece<Pixel, kPack>::T>
__global__ void __launch_bounds__(most_warps(kPack) * kWarpSize, least_blocks<T>(kPack))
    soft_argmax_backward_kernel(const __grid_constant__ Decoding<T> d,
                                const __grid_constant__ Arriving<T> in) {
  using Numbers = Piece<Pixel, kPack>;
  constexpr int kNumbers = Numbers::kNumbers, kRows = kJoint ? Numbers::kRows : kPack > 1 ? 2 : 1;
  const Team team(d);
  Slopes<T> slopes = arriving_at(team, in);
  const T* const kept = kept_of(d, team, in.kept, team.active ? team.map : 0);
  if constexpr (kJoint) {
    slopes.x = kept[kX];
    slopes.y = kept[kY];
    slopes.most = kept[kMaximum];
    slopes.peak = kept[kPeak];
    slopes.pull *= slopes.peak;
    slopes.column = int(kept[kColumn]);
    slopes.row = int(kept[kRow]);
  } else {
    SideSums<T>* const sums = reinterpret_cast<SideSums<T>*>(shared_memory);
    sum_sides(d, team, in, sums);
    if (team.active) {
      const SideSums<T> x = sums[2 * team.map], y = sums[2 * team.map + 1];
      slopes.x = x.centre;
      slopes.y = y.centre;
      slopes.pull *= square_root(x.peak * y.peak) / 2;
      slopes.column = x.first;
      slopes.row = y.first;
    }
  }
  if (!team.active) return;

  // One column's share of the gradient, and one row's.
  const T per_row = T(1) / T(d.height), per_column = T(1) / T(d.width);
  const auto across = [&](int x) {
    if constexpr (kJoint) return slopes.peak * (slopes.g * (d.x(x) - slopes.x));
    const T own =
        side_slope(kept[x * d.kept_step], d.x(x), slopes.x, slopes.g, slopes.pull) * per_row;
    return x == slopes.column ? own + slopes.pull * per_row : own;
  };
  const auto down = [&](int y) {
    if constexpr (kJoint) return slopes.peak * (slopes.h * (d.y(y) - slopes.y) - slopes.pull);
    const T own =
        side_slope(kept[(d.width + y) * d.kept_step], d.y(y), slopes.y, slopes.h, slopes.pull) *
        per_column;
    return y == slopes.row ? own + slopes.pull * per_column : own;
  };
  const int64_t k = team.first + team.map;
  const int64_t start = team.image * d.logits.stride[0] + k * d.logits.stride[1];
  const int64_t start_to = team.image * in.to.stride[0] + k * in.to.stride[1];
  for (int base = 0; base < d.width; base += Numbers::columns(d)) {
    T column[kNumbers];
#pragma unroll
    for (int i = 0; i < kNumbers; ++i) {
      const int x = Numbers::column(d, team, base, i);
      column[i] = x < d.width ? across(x) : T(0);
    }
    for (int first = team.row; first < d.height; first += team.rows * kRows) {
      Numbers piece[kRows];
      if constexpr (kJoint) {
#pragma unroll
        for (int j = 0; j < kRows; ++j) {
          const int y = first + j * team.rows;
          piece[j].fill(0);
          if (y < d.height) piece[j].read(d, team, start + y * d.logits.stride[2], base);
        }
      }
#pragma unroll
      for (int j = 0; j < kRows; ++j) {
        const int y = first + j * team.rows;
        if (y >= d.height) break;
        const T row = down(y);
#pragma unroll
        for (int i = 0; i < kNumbers; ++i) {
          T slope = column[i] + row;
          if constexpr (kJoint) {
            slope *= exponential(piece[j].number(i), slopes.most);
            if (y == slopes.row && Numbers::column(d, team, base, i) == slopes.column)
              slope += slopes.pull;
          }
          piece[j].set(i, slope);
        }
        piece[j].write(d, in.to, team, start_to + y * in.to.stride[2], base);
      }
    }
  }
}

}  // namespace fastpose::soft_argmax
