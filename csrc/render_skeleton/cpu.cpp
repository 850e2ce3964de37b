// render_skeleton on the CPU: tiles of 16 x 8 pixels, each against the few limbs that can win
// there.
#include "render_skeleton/render_skeleton.h"

#include "common/planes.h"
#include "common/simd.h"
#include "render_skeleton/cull.h"
#include "render_skeleton/limbs.h"
#include "render_skeleton/math.h"

namespace fastpose::FASTPOSE_ISA {
namespace {

using namespace skeleton;  // NOLINT

// Calls visit(column, row, list, count) for every tile of a band, with the limbs of [begin, end)
// that can win there.
template <bool kWide, typename T, typename Visit>
FASTPOSE_INLINE void for_tiles(const Drawing& drawing, const Grid& grid, int band,
                               const LimbTable<T>& limbs, int begin, int end, const Visit& visit) {
  const int top = band * kBandRows;
  TileLists<T> lists;
  for (int left = 0; left < drawing.width; left += kBlockWidth) {
    const Block<T> block(drawing, grid, left, top);
    lists.template find<kWide>(limbs, begin, end, block);
    for (int tile = 0; tile < kBlockTiles; ++tile) {
      const int column = left + tile % kBlockColumns * kTileWidth;
      const int row = top + tile / kBlockColumns * kTileRows;
      if (column < drawing.width && row < drawing.height) {
        visit(column, row, lists.list[tile], lists.count[tile]);
      }
    }
  }
}

// --- forward -------------------------------------------------------------------------------------

template <bool kWide, typename V>
FASTPOSE_INLINE void smallest_squares(const LimbTable<typename V::scalar>& limbs, const Entry* list,
                                      int count, V pixel_x, int row, V (&best)[kTileRows]) {
  for (int r = 0; r < kTileRows; ++r) best[r] = V(typename V::scalar(INFINITY));
  for (int i = 0; i < count; ++i) {
    for_squares<kWide>(limbs, list[i], pixel_x, row,
                       [&](int r, V squared) { best[r] = minimum_positive(squared, best[r]); });
  }
}

template <bool kWide, int kProfile, typename T>
void draw(const Drawing& drawing, const Grid& grid, const Image& output, int64_t first,
          int64_t last) {
  const FlushToZero flush;
  using V = typename Wide<T>::type;
  constexpr T kLog2E = T(1.4426950408889634074);
  const V scale(T(-drawing.sharpness) * kLog2E), eps(T(drawing.eps));
  const T* x = static_cast<const T*>(grid.x);
  LimbTable<T> limbs;
  int64_t image = -1;
  for (int64_t task = first; task < last; ++task) {
    const int64_t b = task / bands(drawing);
    if (b != image) limbs.set(drawing, image = b);
    const int band = static_cast<int>(task % bands(drawing));
    limbs.set_band(drawing, grid, band);
    for (int c = 0; c < drawing.channels; ++c) {
      const int begin = drawing.plan[c], end = drawing.plan[c + 1];
      const Plane<T> plane(output, b, c);
      const bool spoilt = limbs.spoilt(begin, end) >= 0;
      if (spoilt || begin == end) {
        const int rows = drawing.height - band * kBandRows;
        plane.fill(band * kBandRows, rows < kBandRows ? rows : kBandRows, 0, drawing.width,
                   spoilt ? T(NAN) : T(0));
        continue;
      }
      for_tiles<kWide>(
          drawing, grid, band, limbs, begin, end,
          [&](int column, int row, const Entry* list, int count) {
            const int edge = column + kTileWidth;
            for (; column < edge && column < drawing.width; column += V::lanes) {
              V best[kTileRows];
              smallest_squares<kWide>(limbs, list, count, V::load(x + column), row % kBandRows,
                                      best);
              for (int r = 0; r < kTileRows; ++r) {
                const V fall = kProfile == gaussian ? best[r] : square_root(best[r] + eps);
                best[r] = power_of_two(scale * fall);
              }
              plane.write(row, drawing.height - row, column, drawing.width - column, best);
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

// The sums of a band. Most limbs win no pixel there; the lanes of theirs, all 0, are not added up.
template <typename V>
struct BandSums {
  LimbSums<V> limb[kMostLimbs];
  bool won[kMostLimbs];

  FASTPOSE_INLINE void clear(int limbs) {
    const V zero(typename V::scalar(0));
    for (int e = 0; e < limbs; ++e) {
      limb[e] = {zero, zero, zero, zero};
      won[e] = false;
    }
  }
  // Tile by tile, so that few numbers are added to a large one and rounding errors stay small.
  FASTPOSE_INLINE void add(int e, const LimbSums<V>& tile) {
    LimbSums<V>& sums = limb[e];
    sums.start = sums.start + tile.start;
    sums.end = sums.end + tile.end;
    sums.across = sums.across + tile.across;
    sums.turn = sums.turn + tile.turn;
    won[e] = true;
  }
  FASTPOSE_INLINE void write(int e, double factor, double* to) const {
    const LimbSums<V>& sums = limb[e];
    const V of[4] = {sums.start, sums.end, sums.across, sums.turn};
    for (int i = 0; i < 4; ++i) to[i] = won[e] ? factor * sum(of[i]) : 0;
  }
};

template <bool kWide, int kProfile, typename V>
FASTPOSE_INLINE void sum_of_tile(const LimbTable<typename V::scalar>& limbs, const Entry* list,
                                 int count, V pixel_x, int row, const V (&grad)[kTileRows], V scale,
                                 V eps, BandSums<V>& sums) {
  using T = typename V::scalar;
  V best[kTileRows], winner[kTileRows];
  for_squares<kWide>(limbs, list[0], pixel_x, row, [&](int r, V squared) {
    best[r] = squared;
    winner[r] = V(T(0));
  });
  for (int i = 1; i < count; ++i) {
    for_squares<kWide>(limbs, list[i], pixel_x, row, [&](int r, V squared) {
      best[r] = choose_less(squared, best[r], winner[r], V(T(i)));
    });
  }
  for (int r = 0; r < kTileRows; ++r) {
    best[r] = pixel_weight<kProfile>(grad[r], best[r], scale, eps);
  }
  if (count == 1) {
    const auto weight = [&](int r) { return best[r]; };
    sums.add(list[0].limb(), sums_of<kWide>(limbs, list[0], pixel_x, row, weight));
    return;
  }
  for (int i = 0; i < count; ++i) {
    uint32_t wins = 0;  // the lists are not tight: one limb in four wins no pixel
    for (int r = 0; r < kTileRows; ++r) wins |= equal(winner[r], V(T(i)));
    if (!wins) continue;
    const auto weight = [&](int r) { return keep_equal(best[r], winner[r], V(T(i))); };
    sums.add(list[i].limb(), sums_of<kWide>(limbs, list[i], pixel_x, row, weight));
  }
}

template <bool kWide, int kProfile, typename T>
void gather(const Drawing& drawing, const Grid& grid, const Image& grad_output, double* results,
            int64_t first, int64_t last) {
  const FlushToZero flush;
  using V = typename Wide<T>::type;
  constexpr T kLog2E = T(1.4426950408889634074);
  const V scale(T(-drawing.sharpness) * kLog2E), eps(T(drawing.eps));
  const double factor = kProfile == gaussian ? 2 * drawing.sharpness : drawing.sharpness;
  const T* x = static_cast<const T*>(grid.x);
  LimbTable<T> limbs;
  BandSums<V> sums;
  int64_t image = -1;
  for (int64_t task = first; task < last; ++task) {
    const int64_t b = task / bands(drawing);
    if (b != image) limbs.set(drawing, image = b);
    const int band = static_cast<int>(task % bands(drawing));
    limbs.set_band(drawing, grid, band);
    sums.clear(drawing.limbs);
    for (int c = 0; c < drawing.channels; ++c) {
      const int begin = drawing.plan[c], end = drawing.plan[c + 1];
      if (begin == end) continue;
      const int spoilt = limbs.spoilt(begin, end);
      if (spoilt >= 0) {
        const V nan{T(NAN)};
        sums.add(spoilt, {nan, nan, nan, nan});
        continue;
      }
      const Plane<T> plane(grad_output, b, c);
      for_tiles<kWide>(drawing, grid, band, limbs, begin, end,
                       [&](int column, int row, const Entry* list, int count) {
                         const int edge = column + kTileWidth;
                         for (; column < edge && column < drawing.width; column += V::lanes) {
                           V grad[kTileRows];
                           plane.read(row, drawing.height - row, column, drawing.width - column,
                                      grad);
                           sum_of_tile<kWide, kProfile>(limbs, list, count, V::load(x + column),
                                                        row % kBandRows, grad, scale, eps, sums);
                         }
                       });
    }
    double* result = results + task * drawing.limbs * 4;
    for (int e = 0; e < drawing.limbs; ++e) sums.write(e, factor, result + 4 * e);
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
