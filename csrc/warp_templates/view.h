// How one map sees its template, block by block; for cpu.cpp, in its namespace.
#pragma once

#include "warp_templates/blocks.h"
#include "warp_templates/prepared.h"

namespace fastpose::FASTPOSE_ISA {
namespace {

template <typename T>
Map<double> map_of(const Warp& warp, int64_t b, int64_t k) {
  const T* row =
      static_cast<const T*>(warp.affine) + b * warp.affine_stride[0] + k * warp.affine_stride[1];
  const T* next = row + warp.affine_stride[2];
  const int64_t step = warp.affine_stride[3];
  return make_map<T, double>(row[0], row[step], row[2 * step], next[0], next[step], next[2 * step]);
}

// Where the lanes of a block see the template: the texel at its corner, and from there the whole
// part of each source and the rest.
template <typename V>
struct Seen {
  typename V::scalar* corner;
  typename Block<V>::Whole x, y;
  V fx, fy;
};

// Where the blocks of one row see the template: the texel at a block's corner, which is where the
// least of its sources are, and how far the corner lies from that texel.
template <typename T>
struct Corners {
  int32_t *x, *y;
  T *rest_x, *rest_y;

  Corners(const Warp& warp, T* memory) {
    const int64_t size = corners_size(warp) / 4;
    rest_x = memory, rest_y = memory + size;
    x = reinterpret_cast<int32_t*>(memory + 2 * size);
    y = reinterpret_cast<int32_t*>(memory + 3 * size);
  }
};

// How the pixels of one map see its template, or the sums of its gradient.
template <typename T, typename Template = Prepared<T>>
class View {
 public:
  using V = typename Wide<T>::type;
  using B = Block<V>;

  const Map<double> map;

  View(const Warp& warp, const Map<double>& map, const Template& texels, const Corners<T>& corners)
      : map(map),
        texels_(texels),
        corners_(corners),
        width_(warp.width),
        edge_x_(warp.columns),
        edge_y_(warp.rows),
        lane_x_(B::spread(T(map.xx), T(map.xy))),
        lane_y_(B::spread(T(map.yx), T(map.yy))) {
    to_corner_x_ = least(lane_x_), to_corner_y_ = least(lane_y_);
    lane_x_ = lane_x_ - V(T(to_corner_x_)), lane_y_ = lane_y_ - V(T(to_corner_y_));
    constexpr T kMost = T(kPatch - 2) - T(1) / 64;
    const T most = greatest(lane_y_);
    rows_ = !(greatest(lane_x_) <= kMost && most <= kMost) ? 0 : most <= kMost - 2 ? 6 : kPatch;
  }

  // The pixel of rows first .. last - 1 that sees about the middle of the template: sums about it
  // stay small, and keep their digits.
  struct Pixel {
    int x, y;
  };
  Pixel centre(int first, int last) const {
    const double x = 0.5 * (texels_.left + texels_.right - 1);
    const double y = 0.5 * (texels_.top + texels_.bottom - 1);
    const double determinant = map.xx * map.yy - map.xy * map.yx;
    return {nearest((map.yy * x - map.xy * y) / determinant + map.tx, 0, width_ - 1),
            nearest((map.xx * y - map.yx * x) / determinant + map.ty, first, last - 1)};
  }

  // Calls visit(first, last, blocks) with the columns of the blocks in rows y .. y + B::rows - 1
  // that may see more than zeros; `blocks` are Blocks.
  template <typename Visit>
  FASTPOSE_INLINE void row_of_blocks(int y, const Visit& visit) const {
    // Sources of the pixels (0, y) and (0, y + B::rows - 1).
    const double x = map.xy * (y - map.ty) - map.xx * map.tx;
    const double y_ = map.yy * (y - map.ty) - map.yx * map.tx;
    const double end_x = x + (B::rows - 1) * map.xy, end_y = y_ + (B::rows - 1) * map.yy;
    Span span{0, width_};
    span = clipped(span, minimum(x, end_x), maximum(x, end_x), map.xx, texels_.left - 1.0,
                   double(texels_.right));
    span = clipped(span, minimum(y_, end_y), maximum(y_, end_y), map.yx, texels_.top - 1.0,
                   double(texels_.bottom));
    const int first = span.first / B::columns;
    const int count = (span.last + B::columns - 1) / B::columns - first;
    const double corner_x = x + to_corner_x_, corner_y = y_ + to_corner_y_;
    rows_ == 6        ? visit_blocks<6>(corner_x, corner_y, first, count, visit)
    : rows_ == kPatch ? visit_blocks<kPatch>(corner_x, corner_y, first, count, visit)
                      : visit_blocks<0>(corner_x, corner_y, first, count, visit);
  }

 private:
  static int nearest(double at, int least, int most) {
    return at > least ? (at < most ? static_cast<int>(at) : most) : least;
  }

  template <int kRows, typename Visit>
  FASTPOSE_INLINE void visit_blocks(double corner_x, double corner_y, int first, int count,
                                    const Visit& visit) const {
    constexpr bool kNear = kRows > 0;
    const double step_x = map.xx * B::columns, step_y = map.yx * B::columns, least = -kMargin;
    B::template split<kNear>(corner_x, step_x, first, count, least, edge_x_, corners_.x,
                             corners_.rest_x);
    B::template split<kNear>(corner_y, step_y, first, count, least, edge_y_, corners_.y,
                             corners_.rest_y);
    int from = 0, to = count > 0 ? count : 0;
    while (kNear && from < to && is_zero(from)) ++from;
    while (kNear && from < to && is_zero(to - 1)) --to;
    visit((first + from) * B::columns, (first + to) * B::columns, Blocks<kRows>{*this, first});
  }

  FASTPOSE_INLINE bool is_zero(int block) const {
    return texels_.is_zero(corners_.x[block], corners_.y[block]);
  }

  // The blocks of a row, by the column of their first pixel.
  template <int kRows>
  struct Blocks {
    const View& view;
    int first;

    FASTPOSE_INLINE Seen<V> at(int column) const {
      const int block = int(unsigned(column) / B::columns) - first;
      const int x = view.corners_.x[block], y = view.corners_.y[block];
      V from_x = view.lane_x_ + V(view.corners_.rest_x[block]);
      V from_y = view.lane_y_ + V(view.corners_.rest_y[block]);
      if (kRows == 0) {  // what is off the template sees what is just beside it
        from_x = minimum(maximum(from_x, V(T(-2 - x))), V(T(view.edge_x_ - x)));
        from_y = minimum(maximum(from_y, V(T(-2 - y))), V(T(view.edge_y_ - y)));
      }
      Seen<V> seen;
      seen.corner = view.texels_.at(x, y);
      seen.x = B::whole(from_x, seen.fx), seen.y = B::whole(from_y, seen.fy);
      return seen;
    }
    FASTPOSE_INLINE Texels<V> texels(const Seen<V>& seen) const {
      const int pitch = view.texels_.pitch();
      if constexpr (kRows == 0) {
        return B::fetch(seen.corner, pitch, seen.x, seen.y);
      } else {
        return B::template fetch_near<kRows>(seen.corner, pitch, seen.x, seen.y);
      }
    }
  };

  const Template& texels_;
  const Corners<T>& corners_;
  int width_, edge_x_, edge_y_;
  V lane_x_, lane_y_;                 // from a block's corner to its lanes' sources: >= 0
  double to_corner_x_, to_corner_y_;  // from its first pixel's source to its corner
  int rows_;  // no block sees more than kPatch columns and so many rows of texels; 0: they may
};

}  // namespace
}  // namespace fastpose::FASTPOSE_ISA
