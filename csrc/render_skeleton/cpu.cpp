// render_skeleton on the CPU: tiles of 16 x 8 pixels, each against the few limbs that can win
// there.
//
// Which limbs can win. Let s be the limb nearest to the tile's centre m. The distance D from a limb
// is convex, so for any other limb e and pixel u
//     D_e(u) >= D_e(m) + <grad D_e(m), u - m>,
// and that bound minus D_s(u) is concave: if it is positive in the tile's four corners it is in all
// of the tile, and e never wins. One vector of limbs is tested at a time.
#include "render_skeleton/render_skeleton.h"

#include "common/planes.h"
#include "common/simd.h"
#include "render_skeleton/math.h"

namespace fastpose::FASTPOSE_ISA {
namespace {

using namespace skeleton;  // NOLINT

constexpr int kTileWidth = 16;
constexpr int kTileRows = 8;
static_assert(kBandRows % kTileRows == 0 && kTileWidth % Floats::lanes == 0);

template <typename T>
struct Wide {
  using type = Plain<T>;
};
template <>
struct Wide<float> {
  using type = Floats;
};

// The limbs of one image, one array per field so that a vector holds several limbs.
template <typename T>
struct LimbTable {
  static constexpr int size = kMostLimbs + kTileWidth;
  alignas(64) T x[size], y[size], dx[size], dy[size], length[size], half_width[size];
  T slack;  // bound of the rounding errors of distances within the image

  void set(const Drawing& drawing, int64_t b) {
    const T* joints = static_cast<const T*>(drawing.points) + b * drawing.point_stride[0];
    const int32_t* offset = drawing.plan + drawing.channels + 1;
    const int32_t* index = offset + 2 * drawing.limbs + 1;
    T reach = 1;
    for (int e = 0; e < drawing.limbs; ++e) {
      T at[2][2];
      for (int end = 0; end < 2; ++end) {
        for (int axis = 0; axis < 2; ++axis) {
          at[end][axis] =
              mean_coordinate(joints + axis * drawing.point_stride[2], drawing.point_stride[1],
                              index, offset[2 * e + end], offset[2 * e + end + 1]);
          const T far = at[end][axis] < 0 ? -at[end][axis] : at[end][axis];
          if (far > reach) reach = far;
        }
      }
      const T width = drawing.widths ? T(drawing.widths[e]) : T(0);
      const Limb<T> limb = make_limb(at[0][0], at[0][1], at[1][0], at[1][1], width);
      x[e] = limb.x, y[e] = limb.y, dx[e] = limb.dx, dy[e] = limb.dy;
      length[e] = limb.length, half_width[e] = limb.half_width;
    }
    for (int e = drawing.limbs; e < drawing.limbs + kTileWidth; ++e) {
      x[e] = y[e] = dx[e] = dy[e] = length[e] = half_width[e] = 0;
    }
    slack = reach * (sizeof(T) == 4 ? T(1e-5) : T(1e-13));
  }

  // The first limb in [begin, end) that wins everywhere because it is NaN, or -1.
  int spoilt(int begin, int end) const {
    for (int e = begin; e < end; ++e) {
      if (x[e] != x[e] || y[e] != y[e]) return e;
    }
    return -1;
  }
};

// One limb against pixels, spread over a vector.
template <bool kWide, typename V>
struct Ruler {
  using T = typename V::scalar;
  V dx, dy, length, half_width, along_start, across_start;

  FASTPOSE_INLINE Ruler(const LimbTable<T>& limbs, int e, V pixel_x)
      : dx(limbs.dx[e]), dy(limbs.dy[e]), length(limbs.length[e]), half_width(limbs.half_width[e]) {
    const V x = pixel_x - V(limbs.x[e]), y = V(T(0) - limbs.y[e]);
    along_start = multiply_add(dx, x, dy * y);
    across_start = multiply_add(V(T(0) - limbs.dy[e]), x, dx * y);
  }

  FASTPOSE_INLINE Nearest<V> at(V pixel_y) const {
    return nearest_point<kWide>(multiply_add(dy, pixel_y, along_start),
                                multiply_add(dx, pixel_y, across_start), length, half_width);
  }
};

template <typename T>
struct Box {
  T x, y, half_x, half_y;
};

// Fills `list` with the limbs of [begin, end) that may be the nearest somewhere in the box, in
// order.
template <bool kWide, typename T>
int find_candidates(const LimbTable<T>& limbs, int begin, int end, const Box<T>& box,
                    int16_t* list) {
  using V = typename Wide<T>::type;
  if (end - begin <= 1) {
    list[0] = static_cast<int16_t>(begin);
    return end - begin;
  }
  alignas(64) T distance[kMostLimbs + kTileWidth], slope_x[kMostLimbs + kTileWidth],
      slope_y[kMostLimbs + kTileWidth];
  const T far = T(1e30);
  V least_so_far(far);
  for (int e = begin; e < end; e += V::lanes) {
    const V dx = V::load(limbs.dx + e), dy = V::load(limbs.dy + e);
    const V x = V(box.x) - V::load(limbs.x + e), y = V(box.y) - V::load(limbs.y + e);
    const Nearest<V> near =
        nearest_point<kWide>(multiply_add(dx, x, dy * y), multiply_add(dx, y, V(T(0)) - dy * x),
                             V::load(limbs.length + e), V::load(limbs.half_width + e));
    const V squared = squared_distance(near);
    const V inverse = inverse_root(squared + V(T(1e-20)));
    const V here = first_lanes(squared * inverse, end - e, V(far));
    const V scaled_along = near.past_along * inverse, scaled_across = near.past_across * inverse;
    least_so_far = minimum(least_so_far, here);
    here.store(distance + e - begin);
    (multiply_add(scaled_along, dx, V(T(0)) - scaled_across * dy) * V(box.half_x))
        .store(slope_x + e - begin);
    (multiply_add(scaled_along, dy, scaled_across * dx) * V(box.half_y)).store(slope_y + e - begin);
  }
  const T nearest = least(least_so_far);
  int s = begin;
  for (int e = begin; e < end; e += V::lanes) {
    const uint32_t others = less(V(nearest), V::load(distance + e - begin));
    const uint32_t found = ~others & ((1u << V::lanes) - 1);
    if (found) {
      s = e + __builtin_ctz(found);
      break;
    }
  }
  // What any other limb must come under in the corners (+,+), (+,-), (-,+), (-,-).
  T limit[4];
  {
    alignas(64) T corner_x[16] = {}, corner_y[16] = {}, result[16];
    for (int k = 0; k < 4; ++k) {
      corner_x[k] = k < 2 ? box.x + box.half_x : box.x - box.half_x;
      corner_y[k] = k % 2 == 0 ? box.y + box.half_y : box.y - box.half_y;
    }
    for (int k = 0; k < 4; k += V::lanes) {
      const Ruler<kWide, V> ruler(limbs, s, V::load(corner_x + k));
      const V squared = squared_distance(ruler.at(V::load(corner_y + k)));
      (square_root(squared + V(T(1e-20))) + V(limbs.slack)).store(result + k);
    }
    for (int k = 0; k < 4; ++k) limit[k] = result[k];
  }
  int count = 0;
  for (int e = begin; e < end; e += V::lanes) {
    const V d = V::load(distance + e - begin);
    const V p = V::load(slope_x + e - begin), q = V::load(slope_y + e - begin);
    const V sum = p + q, difference = p - q;
    const uint32_t beaten = less(V(limit[0]), d + sum) & less(V(limit[1]), d + difference) &
                            less(V(limit[2]), d - difference) & less(V(limit[3]), d - sum);
    uint32_t left = ~beaten & ((1u << V::lanes) - 1);
    if (end - e < V::lanes) left &= (1u << (end - e)) - 1;
    for (; left; left &= left - 1) {
      list[count++] = static_cast<int16_t>(e + __builtin_ctz(left));
    }
  }
  return count;
}

// Where a tile lies: its pixels, cut at the image's edge, and their rectangle.
template <typename T>
struct Tile {
  int column, row, columns, rows;
  Box<T> box;

  Tile(const Drawing& drawing, const T* x, const T* y, int column, int row)
      : column(column),
        row(row),
        columns(drawing.width - column < kTileWidth ? drawing.width - column : kTileWidth),
        rows(drawing.height - row < kTileRows ? drawing.height - row : kTileRows) {
    const T left = x[column], right = x[column + columns - 1];
    const T top = y[row], bottom = y[row + rows - 1];
    box = {(left + right) / 2, (top + bottom) / 2, (right - left) / 2, (bottom - top) / 2};
  }
};

// Calls visit(tile) for every tile of a band.
template <typename T, typename Visit>
FASTPOSE_INLINE void for_tiles(const Drawing& drawing, const Grid& grid, int band,
                               const Visit& visit) {
  const T* x = static_cast<const T*>(grid.x);
  const T* y = static_cast<const T*>(grid.y);
  const int top = band * kBandRows;
  const int bottom = top + kBandRows < drawing.height ? top + kBandRows : drawing.height;
  for (int row = top; row < bottom; row += kTileRows) {
    for (int column = 0; column < drawing.width; column += kTileWidth) {
      visit(Tile<T>(drawing, x, y, column, row));
    }
  }
}

// --- forward -------------------------------------------------------------------------------------

template <bool kWide, typename V>
FASTPOSE_INLINE void smallest_squares(const LimbTable<typename V::scalar>& limbs,
                                      const int16_t* list, int count, V pixel_x,
                                      const typename V::scalar* y, V (&best)[kTileRows]) {
  const Ruler<kWide, V> first(limbs, list[0], pixel_x);
  for (int r = 0; r < kTileRows; ++r) best[r] = squared_distance(first.at(V(y[r])));
  for (int i = 1; i < count; ++i) {
    const Ruler<kWide, V> ruler(limbs, list[i], pixel_x);
    for (int r = 0; r < kTileRows; ++r) {
      best[r] = minimum(squared_distance(ruler.at(V(y[r]))), best[r]);
    }
  }
}

template <bool kWide, int kProfile, typename T>
void draw(const Drawing& drawing, const Grid& grid, const Image& output, int64_t first,
          int64_t last) {
  using V = typename Wide<T>::type;
  constexpr T kLog2E = T(1.4426950408889634074);
  const V scale(T(-drawing.sharpness) * kLog2E), eps(T(drawing.eps));
  const T* x = static_cast<const T*>(grid.x);
  const T* y = static_cast<const T*>(grid.y);
  LimbTable<T> limbs;
  int64_t image = -1;
  for (int64_t task = first; task < last; ++task) {
    const int64_t b = task / bands(drawing);
    if (b != image) limbs.set(drawing, image = b);
    for (int c = 0; c < drawing.channels; ++c) {
      const int begin = drawing.plan[c], end = drawing.plan[c + 1];
      const bool spoilt = limbs.spoilt(begin, end) >= 0;
      const Plane<T> writer(output, b, c);
      for_tiles<T>(
          drawing, grid, static_cast<int>(task % bands(drawing)), [&](const Tile<T>& tile) {
            if (spoilt || begin == end) {
              writer.fill(tile.row, tile.rows, tile.column, tile.columns, spoilt ? T(NAN) : T(0));
              return;
            }
            int16_t list[kMostLimbs + kTileWidth];
            const int count = find_candidates<kWide>(limbs, begin, end, tile.box, list);
            for (int part = 0; part < tile.columns; part += V::lanes) {
              const int column = tile.column + part;
              V best[kTileRows];
              smallest_squares<kWide>(limbs, list, count, V::load(x + column), y + tile.row, best);
              for (int r = 0; r < kTileRows; ++r) {
                const V fall = kProfile == gaussian ? best[r] : square_root(best[r] + eps);
                best[r] = power_of_two(scale * fall);
              }
              writer.write(tile.row, tile.rows, column, tile.columns - part, best);
            }
          });
    }
  }
}

// --- backward ------------------------------------------------------------------------------------

// The weight of a pixel without the factor that all share: grad * I / distance, or grad * I.
template <int kProfile, typename V>
FASTPOSE_INLINE V pixel_weight(V grad, V squared, V scale, V eps) {
  if (kProfile == gaussian) return grad * power_of_two(scale * squared);
  const V inverse = inverse_root(squared + eps);
  return grad * inverse * power_of_two(scale * ((squared + eps) * inverse));
}

template <bool kWide, int kProfile, typename V>
FASTPOSE_INLINE void sum_of_tile(const LimbTable<typename V::scalar>& limbs, const int16_t* list,
                                 int count, V pixel_x, const typename V::scalar* y,
                                 const V (&grad)[kTileRows], V scale, V eps, LimbSums<V>* sums) {
  using T = typename V::scalar;
  if (count == 1) {
    const Ruler<kWide, V> ruler(limbs, list[0], pixel_x);
    LimbSums<V> total = sums[list[0]];
    for (int r = 0; r < kTileRows; ++r) {
      const Nearest<V> near = ruler.at(V(y[r]));
      const V k = pixel_weight<kProfile>(grad[r], squared_distance(near), scale, eps);
      accumulate<kWide>(total, near, k);
    }
    sums[list[0]] = total;
    return;
  }
  V best[kTileRows], winner[kTileRows];
  const Ruler<kWide, V> first(limbs, list[0], pixel_x);
  for (int r = 0; r < kTileRows; ++r) {
    best[r] = squared_distance(first.at(V(y[r])));
    winner[r] = V(T(0));
  }
  for (int i = 1; i < count; ++i) {
    const Ruler<kWide, V> ruler(limbs, list[i], pixel_x);
    for (int r = 0; r < kTileRows; ++r) {
      best[r] = choose_less(squared_distance(ruler.at(V(y[r]))), best[r], winner[r], V(T(i)));
    }
  }
  for (int r = 0; r < kTileRows; ++r) {
    best[r] = pixel_weight<kProfile>(grad[r], best[r], scale, eps);
  }
  for (int i = 0; i < count; ++i) {
    const Ruler<kWide, V> ruler(limbs, list[i], pixel_x);
    LimbSums<V> total = sums[list[i]];
    for (int r = 0; r < kTileRows; ++r) {
      accumulate<kWide>(total, ruler.at(V(y[r])), keep_equal(best[r], winner[r], V(T(i))));
    }
    sums[list[i]] = total;
  }
}

template <bool kWide, int kProfile, typename T>
void gather(const Drawing& drawing, const Grid& grid, const Image& grad_output, double* results,
            int64_t first, int64_t last) {
  using V = typename Wide<T>::type;
  constexpr T kLog2E = T(1.4426950408889634074);
  const V scale(T(-drawing.sharpness) * kLog2E), eps(T(drawing.eps));
  const double factor = kProfile == gaussian ? 2 * drawing.sharpness : drawing.sharpness;
  const T* x = static_cast<const T*>(grid.x);
  const T* y = static_cast<const T*>(grid.y);
  LimbTable<T> limbs;
  LimbSums<V> sums[kMostLimbs];
  int64_t image = -1;
  for (int64_t task = first; task < last; ++task) {
    const int64_t b = task / bands(drawing);
    if (b != image) limbs.set(drawing, image = b);
    const V zero(T(0));
    for (int e = 0; e < drawing.limbs; ++e) sums[e] = {zero, zero, zero, zero};
    for (int c = 0; c < drawing.channels; ++c) {
      const int begin = drawing.plan[c], end = drawing.plan[c + 1];
      if (begin == end) continue;
      const int spoilt = limbs.spoilt(begin, end);
      if (spoilt >= 0) {
        const V nan{T(NAN)};
        sums[spoilt] = {nan, nan, nan, nan};
        continue;
      }
      const Plane<T> reader(grad_output, b, c);
      for_tiles<T>(drawing, grid, static_cast<int>(task % bands(drawing)),
                   [&](const Tile<T>& tile) {
                     int16_t list[kMostLimbs + kTileWidth];
                     const int count = find_candidates<kWide>(limbs, begin, end, tile.box, list);
                     for (int part = 0; part < tile.columns; part += V::lanes) {
                       const int column = tile.column + part;
                       V grad[kTileRows];
                       reader.read(tile.row, tile.rows, column, tile.columns - part, grad);
                       sum_of_tile<kWide, kProfile>(limbs, list, count, V::load(x + column),
                                                    y + tile.row, grad, scale, eps, sums);
                     }
                   });
    }
    double* result = results + task * drawing.limbs * 4;
    for (int e = 0; e < drawing.limbs; ++e, result += 4) {
      result[0] = factor * sum(sums[e].start);
      result[1] = factor * sum(sums[e].end);
      result[2] = factor * sum(sums[e].across);
      result[3] = factor * sum(sums[e].turn);
    }
  }
}

// Calls use<kWide, kProfile, T>() for what `drawing` asks for.
template <typename Use>
FASTPOSE_INLINE void choose(const Drawing& drawing, const Use& use) {
  const auto by_type = [&]<bool kWide, int kProfile>() {
    drawing.is_double ? use.template operator()<kWide, kProfile, double>()
                      : use.template operator()<kWide, kProfile, float>();
  };
  const auto by_profile = [&]<bool kWide>() {
    drawing.profile == gaussian ? by_type.template operator()<kWide, gaussian>()
                                : by_type.template operator()<kWide, exponential>();
  };
  drawing.widths ? by_profile.template operator()<true>() : by_profile.template operator()<false>();
}

}  // namespace

void render_skeleton_forward(const Drawing& drawing, const Grid& grid, const Image& output,
                             int64_t first, int64_t last) {
  choose(drawing, [&]<bool kWide, int kProfile, typename T>() {
    draw<kWide, kProfile, T>(drawing, grid, output, first, last);
  });
}

void render_skeleton_backward(const Drawing& drawing, const Grid& grid, const Image& grad_output,
                              double* sums, int64_t first, int64_t last) {
  choose(drawing, [&]<bool kWide, int kProfile, typename T>() {
    gather<kWide, kProfile, T>(drawing, grid, grad_output, sums, first, last);
  });
}

}  // namespace fastpose::FASTPOSE_ISA
