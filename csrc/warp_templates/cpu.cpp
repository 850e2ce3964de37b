// warp_templates on the CPU: blocks of pixels, a lane each, over the part of every row of blocks
// whose sources can be anything but zeros.
#include "warp_templates/warp_templates.h"

#include "common/rows.h"
#include "warp_templates/blocks.h"
#include "warp_templates/prepared.h"

namespace fastpose::FASTPOSE_ISA {
namespace {

template <typename T>
struct Wide {
  using type = Plain<T>;
};
template <>
struct Wide<float> {
  using type = Floats;
};

template <typename T>
Map<double> map_of(const Warp& warp, int64_t b, int64_t k) {
  const T* row =
      static_cast<const T*>(warp.affine) + b * warp.affine_stride[0] + k * warp.affine_stride[1];
  const T* next = row + warp.affine_stride[2];
  const int64_t step = warp.affine_stride[3];
  return make_map<T, double>(row[0], row[step], row[2 * step], next[0], next[step], next[2 * step]);
}

template <typename V>
struct Seen {
  Texels<V> texels;
  V fx, fy;
};

// How the pixels of one map see its template.
template <typename T>
class View {
 public:
  using V = typename Wide<T>::type;
  using B = Block<V>;

  View(const Warp& warp, const Map<double>& map, const Prepared<T>& prepared)
      : map_(map),
        prepared_(prepared),
        width_(warp.width),
        edge_x_(warp.columns),
        edge_y_(warp.rows),
        lane_x_(B::spread(T(map.xx), T(map.xy))),
        lane_y_(B::spread(T(map.yx), T(map.yy))) {
    const V least_x(least(lane_x_)), least_y(least(lane_y_)), zero(T(0));
    to_corner_x_ = least(lane_x_), to_corner_y_ = least(lane_y_);
    lane_x_ = lane_x_ - least_x, lane_y_ = lane_y_ - least_y;
    constexpr T kMost = T(kPatch - 2) - T(1) / 64;
    near_ = least(zero - lane_x_) >= -kMost && least(zero - lane_y_) >= -kMost;
  }

  // The columns of blocks in rows y .. y + B::rows - 1 that may see more than zeros, in whole
  // blocks; `source` returns the view of one of them.
  template <typename Visit>
  FASTPOSE_INLINE void row_of_blocks(int y, const Visit& visit) const {
    // Sources of the pixels (0, y) and (0, y + B::rows - 1).
    const double x = map_.xy * (y - map_.ty) - map_.xx * map_.tx;
    const double y_ = map_.yy * (y - map_.ty) - map_.yx * map_.tx;
    const double end_x = x + (B::rows - 1) * map_.xy, end_y = y_ + (B::rows - 1) * map_.yy;
    Span span{0, width_};
    span = clipped(span, minimum(x, end_x), maximum(x, end_x), map_.xx, prepared_.left - 1.0,
                   double(prepared_.right));
    span = clipped(span, minimum(y_, end_y), maximum(y_, end_y), map_.yx, prepared_.top - 1.0,
                   double(prepared_.bottom));
    int first = span.first / B::columns * B::columns;
    int last = (span.last + B::columns - 1) / B::columns * B::columns;
    const double corner_x = x + to_corner_x_, corner_y = y_ + to_corner_y_;
    if (near_) {
      while (first < last && is_zero(corner_x, corner_y, first)) first += B::columns;
      while (first < last && is_zero(corner_x, corner_y, last - B::columns)) last -= B::columns;
      visit(first, last, [&](int column) { return see<true>(corner_x, corner_y, column); });
    } else {
      visit(first, last, [&](int column) { return see<false>(corner_x, corner_y, column); });
    }
  }

 private:
  // A coordinate's whole part within reach of the template, and the rest.
  struct Place {
    int whole;
    double rest;
  };
  static FASTPOSE_INLINE Place place_of(double at, int edge) {
    const double within = at > -kMargin ? (at < edge ? at : edge) : -kMargin;
    const int truncated = static_cast<int>(within);
    const int whole = truncated - (within < truncated);
    return {whole, within - whole};
  }

  FASTPOSE_INLINE bool is_zero(double corner_x, double corner_y, int column) const {
    return prepared_.is_zero(place_of(corner_x + map_.xx * column, edge_x_).whole,
                             place_of(corner_y + map_.yx * column, edge_y_).whole);
  }

  template <bool kNear>
  FASTPOSE_INLINE Seen<V> see(double corner_x, double corner_y, int column) const {
    const double x = corner_x + map_.xx * column, y = corner_y + map_.yx * column;
    const Place at_x = place_of(x, edge_x_), at_y = place_of(y, edge_y_);
    const T* corner = prepared_.at(at_x.whole, at_y.whole);
    V from_x, from_y;
    if constexpr (kNear) {
      from_x = lane_x_ + V(T(at_x.rest)), from_y = lane_y_ + V(T(at_y.rest));
    } else {  // what is off the template sees zeros just beside it
      from_x = reachable(lane_x_ + V(T(x - at_x.whole)), at_x.whole, edge_x_);
      from_y = reachable(lane_y_ + V(T(y - at_y.whole)), at_y.whole, edge_y_);
    }
    Seen<V> seen;
    const auto whole_x = B::whole(from_x, seen.fx), whole_y = B::whole(from_y, seen.fy);
    seen.texels = kNear ? B::fetch_near(corner, prepared_.pitch(), whole_x, whole_y)
                        : B::fetch(corner, prepared_.pitch(), whole_x, whole_y);
    return seen;
  }
  static FASTPOSE_INLINE V reachable(V from, int whole, int edge) {
    return minimum(maximum(from, V(T(-2 - whole))), V(T(edge - whole)));
  }

  Map<double> map_;
  const Prepared<T>& prepared_;
  int width_, edge_x_, edge_y_;
  V lane_x_, lane_y_;                 // from a block's corner to its lanes' sources: >= 0
  double to_corner_x_, to_corner_y_;  // from its first pixel's source to its corner
  bool near_;                         // no block sees more than kPatch x kPatch texels
};

// Calls visit(prepared, b, k, band) for the maps of all tasks.
template <typename T, typename Visit>
FASTPOSE_INLINE void for_maps(const Warp& warp, void* scratch, int64_t first, int64_t last,
                              const Visit& visit) {
  Prepared<T> prepared(warp, scratch);
  int64_t ready = -1;
  for (int64_t task = first; task < last; ++task) {
    const int64_t k = task % warp.count, part = task / warp.count;
    const int64_t image = part / bands(warp) * kTaskImages;
    const int band = static_cast<int>(part % bands(warp));
    if (k != ready) prepared.read(warp, ready = k);
    for (int64_t b = image; b < image + kTaskImages && b < warp.batch; ++b) {
      visit(prepared, b, k, band);
    }
  }
}

// The rows of a band.
struct Band {
  int first, last;
  Band(const Warp& warp, int band)
      : first(band * kBandRows),
        last(warp.height - first < kBandRows ? warp.height : first + kBandRows) {}
};

// --- forward -------------------------------------------------------------------------------------

template <typename T>
void draw(const Warp& warp, const Image& output, void* scratch, int64_t first, int64_t last) {
  using B = typename View<T>::B;
  const int64_t pitch = warp.width + kLineEnd;
  for_maps<T>(warp, scratch, first, last, [&](auto& prepared, int64_t b, int64_t k, int number) {
    const Plane<T> plane(output, b, k);
    const Band band(warp, number);
    const Map<double> map = map_of<T>(warp, b, k);
    if (is_spoilt(map)) {
      plane.fill(band.first, band.last - band.first, 0, warp.width, T(NAN));
      return;
    }
    T* lines = prepared.behind();
    const View<T> view(warp, map, prepared);
    for (int y = band.first; y < band.last; y += B::rows) {
      const int rows = band.last - y < B::rows ? band.last - y : B::rows;
      view.row_of_blocks(y, [&](int from, int to, const auto& see) {
        const int end = to < warp.width ? to : warp.width;
        plane.fill(y, rows, 0, from, T(0));
        for (int x = from; x < to; x += B::columns) {
          const auto seen = see(x);
          B::store(value_of(seen.texels, seen.fx, seen.fy), lines + x, pitch);
        }
        for (int r = 0; r < rows; ++r) {
          write_row(plane, y + r, from, end - from, lines + r * pitch + from);
        }
        plane.fill(y, rows, end, warp.width - end, T(0));
      });
    }
  });
}

// --- gradient of the maps ------------------------------------------------------------------------

// Of the blocks' first pixels: sums of q and of q times their place from (centre_x, centre_y).
template <typename V>
struct LaneSums {
  V x, y, xx, xy, yx, yy;
};

// From lanes to the map, relative to t.
template <typename T, typename V = typename Wide<T>::type>
MapSums total(const LaneSums<V>& lanes, const Map<double>& map, int centre_x, int centre_y) {
  using B = Block<V>;
  alignas(64) T part[6][V::lanes];
  const V sums[6] = {lanes.x, lanes.y, lanes.xx, lanes.xy, lanes.yx, lanes.yy};
  for (int i = 0; i < 6; ++i) sums[i].store(part[i]);
  MapSums result{};
  for (int lane = 0; lane < V::lanes; ++lane) {
    const double x = centre_x - map.tx + lane % B::columns;
    const double y = centre_y - map.ty + lane / B::columns;
    result.x += part[0][lane], result.y += part[1][lane];
    result.xx += part[2][lane] + x * part[0][lane];
    result.xy += part[3][lane] + y * part[0][lane];
    result.yx += part[4][lane] + x * part[1][lane];
    result.yy += part[5][lane] + y * part[1][lane];
  }
  return result;
}

template <typename T>
void gather(const Warp& warp, const Image& grad_output, void* scratch, MapSums* results,
            int64_t first, int64_t last) {
  using V = typename View<T>::V;
  using B = Block<V>;
  const int64_t pitch = warp.width + kLineEnd;
  for_maps<T>(warp, scratch, first, last, [&](auto& prepared, int64_t b, int64_t k, int number) {
    const Plane<T> plane(grad_output, b, k);
    const Band band(warp, number);
    const Map<double> map = map_of<T>(warp, b, k);
    MapSums& result = results[(b * warp.count + k) * bands(warp) + number];
    if (is_spoilt(map)) {
      result = {NAN, NAN, NAN, NAN, NAN, NAN};
      return;
    }
    T* lines = prepared.behind();
    const View<T> view(warp, map, prepared);
    const V zero(T(0));
    LaneSums<V> sums{zero, zero, zero, zero, zero, zero};
    const int centre_x = warp.width / 2, centre_y = (band.first + band.last) / 2;
    for (int y = band.first; y < band.last; y += B::rows) {
      const int rows = band.last - y < B::rows ? band.last - y : B::rows;
      view.row_of_blocks(y, [&](int from, int to, const auto& see) {
        const int end = to < warp.width ? to : warp.width;
        for (int r = 0; r < B::rows; ++r) {
          T* line = lines + r * pitch;
          if (r < rows) read_row(plane, y + r, from, end - from, line + from);
          const int filled = r < rows ? end : from;
          memset(line + filled, 0, (to - filled) * sizeof(T));
        }
        LaneSums<V> own{zero, zero, zero, zero, zero, zero};
        for (int x = from; x < to; x += B::columns) {
          const auto seen = see(x);
          const Slope<V> slope = slope_of(seen.texels, seen.fx, seen.fy);
          const V gradient = B::load(lines + x, pitch), place(T(x - centre_x));
          const V qx = B::times(gradient, slope.x), qy = B::times(gradient, slope.y);
          own.x = own.x + qx;
          own.y = own.y + qy;
          own.xx = multiply_add(place, qx, own.xx);
          own.yx = multiply_add(place, qy, own.yx);
        }
        const V place(T(y - centre_y));
        sums.x = sums.x + own.x;
        sums.y = sums.y + own.y;
        sums.xx = sums.xx + own.xx;
        sums.yx = sums.yx + own.yx;
        sums.xy = multiply_add(place, own.x, sums.xy);
        sums.yy = multiply_add(place, own.y, sums.yy);
      });
    }
    result = total<T>(sums, map, centre_x, centre_y);
  });
}

// --- gradient of the templates -------------------------------------------------------------------

// Hands the gradient of one pixel to the four texels from `corner`.
FASTPOSE_INLINE void share(double* corner, int64_t pitch, double fx, double fy, double gradient) {
  const double weight[4] = {(1 - fx) * (1 - fy), fx * (1 - fy), (1 - fx) * fy, fx * fy};
  double* const texel[4] = {corner, corner + 1, corner + pitch, corner + pitch + 1};
  const bool finite = gradient - gradient == 0;
  for (int i = 0; i < 4; ++i) {
    if (finite || weight[i] != 0) *texel[i] += gradient * weight[i];
  }
}

// Adds what one map gives to the sums of its template, with kAround more on every side.
template <typename T>
void scatter(const Warp& warp, const Map<double>& map, const Plane<T>& plane, T* line,
             double* sums) {
  const int64_t pitch = warp.columns + 2 * kAround;
  const auto floor_of = [](double at, int edge) {
    const double within = at > -kAround ? (at < edge ? at : edge) : -kAround;
    return static_cast<int>(within) - (within < static_cast<int>(within));
  };
  for (int row = 0; row < warp.height; ++row) {
    const double start_x = map.xy * (row - map.ty) - map.xx * map.tx;
    const double start_y = map.yy * (row - map.ty) - map.yx * map.tx;
    Span span{0, warp.width};
    span = clipped(span, start_x, start_x, map.xx, -1.0, double(warp.columns));
    span = clipped(span, start_y, start_y, map.yx, -1.0, double(warp.rows));
    read_row(plane, row, span.first, span.last - span.first, line + span.first);
    for (int column = span.first; column < span.last; ++column) {
      const double x = start_x + map.xx * column, y = start_y + map.yx * column;
      const int left = floor_of(x, warp.columns), top = floor_of(y, warp.rows);
      share(sums + (top + kAround) * pitch + left + kAround, pitch, x - left, y - top,
            line[column]);
    }
  }
}

template <typename T>
void scatter_all(const Warp& warp, const Image& grad_output, double* scratch, T* grad_templates,
                 int64_t first, int64_t last) {
  const int64_t pitch = warp.columns + 2 * kAround, size = (warp.rows + 2 * kAround) * pitch;
  T* line = reinterpret_cast<T*>(scratch + size);
  for (int64_t k = first; k < last; ++k) {
    memset(scratch, 0, size * sizeof(double));
    bool spoilt = false;
    for (int64_t b = 0; b < warp.batch && !spoilt; ++b) {
      const Map<double> map = map_of<T>(warp, b, k);
      spoilt = is_spoilt(map);
      if (!spoilt) scatter(warp, map, Plane<T>(grad_output, b, k), line, scratch);
    }
    T* to = grad_templates + k * warp.rows * warp.columns;
    for (int row = 0; row < warp.rows; ++row) {
      const double* from = scratch + (row + kAround) * pitch + kAround;
      for (int i = 0; i < warp.columns; ++i) *to++ = spoilt ? T(NAN) : T(from[i]);
    }
  }
}

}  // namespace

void warp_templates_forward(const Warp& warp, const Image& output, void* scratch, int64_t first,
                            int64_t last) {
  warp.is_double ? draw<double>(warp, output, scratch, first, last)
                 : draw<float>(warp, output, scratch, first, last);
}

void warp_templates_backward_affine(const Warp& warp, const Image& grad_output, void* scratch,
                                    MapSums* sums, int64_t first, int64_t last) {
  warp.is_double ? gather<double>(warp, grad_output, scratch, sums, first, last)
                 : gather<float>(warp, grad_output, scratch, sums, first, last);
}

void warp_templates_backward_templates(const Warp& warp, const Image& grad_output, double* scratch,
                                       void* grad_templates, int64_t first, int64_t last) {
  warp.is_double
      ? scatter_all(warp, grad_output, scratch, static_cast<double*>(grad_templates), first, last)
      : scatter_all(warp, grad_output, scratch, static_cast<float*>(grad_templates), first, last);
}

}  // namespace fastpose::FASTPOSE_ISA
