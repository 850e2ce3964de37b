// warp_templates on the CPU: blocks of pixels, a lane each, over the part of every row of blocks
// whose sources can be anything but zeros.
#include "warp_templates/warp_templates.h"

#include "common/rows.h"
#include "warp_templates/view.h"

namespace fastpose::FASTPOSE_ISA {
namespace {

// Calls visit(view, lines, b, k, band) for the maps of all tasks; `lines` is memory for kLines rows
// of pixels.
template <typename T, typename Visit>
FASTPOSE_INLINE void for_maps(const Warp& warp, void* scratch, int64_t first, int64_t last,
                              const Visit& visit) {
  Prepared<T> prepared(warp, scratch);
  const Corners<T> corners(warp, prepared.behind());
  T* lines = prepared.behind() + corners_size(warp);
  int64_t ready = -1;
  for (int64_t task = first; task < last; ++task) {
    const int64_t k = task % warp.count, part = task / warp.count;
    const int64_t image = part / bands(warp) * kTaskImages;
    const int band = static_cast<int>(part % bands(warp));
    if (k != ready) prepared.read(warp, ready = k);
    for (int64_t b = image; b < image + kTaskImages && b < warp.batch; ++b) {
      visit(View<T>(warp, map_of<T>(warp, b, k), prepared, corners), lines, b, k, band);
    }
  }
}

// The rows of a band.
struct Band {
  int first, last;
};
inline Band band_of(const Warp& warp, int number) {
  const int first = number * kBandRows, rest = warp.height - first;
  return {first, rest < kBandRows ? warp.height : first + kBandRows};
}

// One row of blocks of an image.
template <typename T>
struct BlockRow {
  using B = typename View<T>::B;
  const Plane<T>& plane;
  int y, rows;     // how many of its rows of pixels there are
  int from, to;    // columns of its blocks
  int start, end;  // those of them that are there
  bool direct;     // all are there and can be used where they are
  T* pixels;       // in the image, or in the lines that stand for it
  int64_t pitch;

  BlockRow(const Warp& warp, const Plane<T>& plane, const Band& band, T* lines, int y, int from,
           int to)
      : plane(plane),
        y(y),
        rows(band.last - y < B::rows ? band.last - y : B::rows),
        from(from),
        to(to),
        start(from < warp.width ? from : warp.width),
        end(to < warp.width ? to : warp.width),
        direct(plane.direct() && rows == B::rows && to == end),
        pixels(direct ? reinterpret_cast<T*>(plane.at(y, 0)) : lines),
        pitch(direct ? plane.row_step() / int64_t{sizeof(T)} : warp.width + kLineEnd) {}

  // Fills the lines; pixels that are not there are 0.
  void read() const {
    for (int r = 0; r < B::rows && !direct; ++r) {
      T* line = pixels + r * pitch;
      if (r < rows) read_row(plane, y + r, start, end - start, line + start);
      const int filled = r < rows ? end : from;
      memset(line + filled, 0, (to - filled) * sizeof(T));
    }
  }
  // Copies the lines into the image, with zeros on both sides.
  void write(int width) const {
    for (int r = 0; r < rows && !direct; ++r) {
      write_row(plane, y + r, start, end - start, pixels + r * pitch + start);
    }
    plane.fill(y, rows, 0, start, T(0));
    plane.fill(y, rows, end, width - end, T(0));
  }
  // Asks for the pixels of the next row of blocks, which the processor would not foresee, to be
  // read or overwritten: one line of its cache at a time, so that x, x + B::columns, ... ask for
  // all rows.
  FASTPOSE_INLINE void prefetch_below(int x) const {
    constexpr unsigned kLine = 64 / sizeof(T);
    const int row = unsigned(x) % kLine / B::columns;
    if (row < B::rows) __builtin_prefetch(plane.at(y + B::rows + row, unsigned(x) / kLine * kLine));
  }
};

// --- forward -------------------------------------------------------------------------------------

template <typename T>
void draw_map(const Warp& warp, const View<T>& view, const Plane<T>& plane, const Band& band,
              T* lines) {
  using B = typename View<T>::B;
  if (is_spoilt(view.map)) {
    plane.fill(band.first, band.last - band.first, 0, warp.width, T(NAN));
    return;
  }
  for (int y = band.first; y < band.last; y += B::rows) {
    view.row_of_blocks(y, [&](int from, int to, const auto& blocks) {
      const BlockRow<T> row(warp, plane, band, lines, y, from, to);
      for (int x = from; x < to; x += B::columns) {
        row.prefetch_below(x);
        const auto seen = blocks.at(x);
        B::store(value_of(blocks.texels(seen), seen.fx, seen.fy), row.pixels + x, row.pitch);
      }
      row.write(warp.width);
    });
  }
}

template <typename T>
void draw(const Warp& warp, const Image& output, void* scratch, int64_t first, int64_t last) {
  for_maps<T>(warp, scratch, first, last,
              [&](const View<T>& view, T* lines, int64_t b, int64_t k, int band) {
                draw_map(warp, view, Plane<T>(output, b, k), band_of(warp, band), lines);
              });
}

// --- gradient of the maps ------------------------------------------------------------------------

// Of the blocks' first pixels: sums of q and of q times their place from (centre_x, centre_y).
template <typename V>
struct LaneSums {
  V x, y, xx, xy, yx, yy;
};

// From lanes to the map.
template <typename T, typename V = typename Wide<T>::type>
MapSums<double> total(const LaneSums<V>& lanes, const Map<double>& map, int centre_x,
                      int centre_y) {
  using B = Block<V>;
  alignas(64) T part[kMapSums][V::lanes];
  const V sums[kMapSums] = {lanes.x, lanes.y, lanes.xx, lanes.xy, lanes.yx, lanes.yy};
  for (int i = 0; i < kMapSums; ++i) sums[i].store(part[i]);
  double x = 0, y = 0, xx = 0, xy = 0, yx = 0, yy = 0;  // about the centre
  for (int lane = 0; lane < V::lanes; ++lane) {
    const int column = lane % B::columns, row = lane / B::columns;
    x += part[0][lane], y += part[1][lane];
    xx += part[2][lane] + column * part[0][lane], xy += part[3][lane] + row * part[0][lane];
    yx += part[4][lane] + column * part[1][lane], yy += part[5][lane] + row * part[1][lane];
  }
  const double to_x = centre_x - map.tx, to_y = centre_y - map.ty;
  const double s_x = map.xx * to_x + map.xy * to_y, s_y = map.yx * to_x + map.yy * to_y;
  return {x,
          y,
          x * s_x + xx * map.xx + xy * map.xy,
          x * s_y + xx * map.yx + xy * map.yy,
          y * s_x + yx * map.xx + yy * map.xy,
          y * s_y + yx * map.yx + yy * map.yy};
}

template <typename T>
MapSums<double> sums_of_map(const Warp& warp, const View<T>& view, const Plane<T>& plane,
                            const Band& band, T* lines) {
  using V = typename View<T>::V;
  using B = Block<V>;
  if (is_spoilt(view.map)) return {NAN, NAN, NAN, NAN, NAN, NAN};
  const V zero(T(0));
  LaneSums<V> sums{zero, zero, zero, zero, zero, zero};
  const auto [centre_x, centre_y] = view.centre(band.first, band.last);
  for (int y = band.first; y < band.last; y += B::rows) {
    view.row_of_blocks(y, [&](int from, int to, const auto& blocks) {
      const BlockRow<T> row(warp, plane, band, lines, y, from, to);
      row.read();
      LaneSums<V> own{zero, zero, zero, zero, zero, zero};
      V place(T(from - centre_x));
      for (int x = from; x < to; x += B::columns) {
        row.prefetch_below(x);
        const auto seen = blocks.at(x);
        const Slope<V> slope = slope_of(blocks.texels(seen), seen.fx, seen.fy);
        const V gradient = B::load(row.pixels + x, row.pitch);
        const V qx = B::times(gradient, slope.x), qy = B::times(gradient, slope.y);
        own.x = own.x + qx;
        own.y = own.y + qy;
        own.xx = multiply_add(place, qx, own.xx);
        own.yx = multiply_add(place, qy, own.yx);
        place = place + V(T(B::columns));
      }
      const V below(T(y - centre_y));
      sums.x = sums.x + own.x;
      sums.y = sums.y + own.y;
      sums.xx = sums.xx + own.xx;
      sums.yx = sums.yx + own.yx;
      sums.xy = multiply_add(below, own.x, sums.xy);
      sums.yy = multiply_add(below, own.y, sums.yy);
    });
  }
  return total<T>(sums, view.map, centre_x, centre_y);
}

template <typename T>
void gather(const Warp& warp, const Image& grad_output, void* scratch, double* results,
            int64_t first, int64_t last) {
  for_maps<T>(warp, scratch, first, last,
              [&](const View<T>& view, T* lines, int64_t b, int64_t k, int band) {
                const MapSums<double> sums = sums_of_map(warp, view, Plane<T>(grad_output, b, k),
                                                         band_of(warp, band), lines);
                memcpy(results + ((b * warp.count + k) * bands(warp) + band) * kMapSums, &sums,
                       sizeof(sums));
              });
}

// --- gradient of the templates -------------------------------------------------------------------

template <typename T>
void scatter(const Warp& warp, const Image& grad_output, void* scratch, T* grad_templates,
             int64_t first, int64_t last) {
  using B = typename View<T>::B;
  using V = typename View<T>::V;
  const Cells<T> cells(warp, scratch);
  const Corners<T> corners(warp, cells.behind());
  T* lines = cells.behind() + corners_size(warp);
  const V one(T(1));
  const Band all{0, warp.height};
  for (int64_t k = first; k < last; ++k) {
    cells.clear();
    bool spoilt = false;
    for (int64_t b = 0; b < warp.batch && !spoilt; ++b) {
      const View<T, Cells<T>> view(warp, map_of<T>(warp, b, k), cells, corners);
      spoilt = is_spoilt(view.map);
      const Plane<T> plane(grad_output, b, k);
      for (int y = 0; y < warp.height && !spoilt; y += B::rows) {
        view.row_of_blocks(y, [&](int from, int to, const auto& blocks) {
          const BlockRow<T> row(warp, plane, all, lines, y, from, to);
          row.read();
          for (int x = from; x < to; x += B::columns) {
            row.prefetch_below(x);
            const Seen<V> seen = blocks.at(x);
            const V gradient = B::load(row.pixels + x, row.pitch);
            const V left = one - seen.fx, upper = one - seen.fy;
            B::add_to_cells(
                seen.corner, cells.pitch(), seen.x, seen.y,
                {B::times(gradient, left * upper), B::times(gradient, seen.fx * upper),
                 B::times(gradient, left * seen.fy), B::times(gradient, seen.fx * seen.fy)});
          }
        });
      }
    }
    T* to = grad_templates + k * warp.rows * warp.columns;
    for (int row = 0; row < warp.rows; ++row, to += warp.columns) {
      if (!spoilt) cells.total(to, row);
      for (int i = 0; i < warp.columns && spoilt; ++i) to[i] = T(NAN);
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
                                    double* sums, int64_t first, int64_t last) {
  warp.is_double ? gather<double>(warp, grad_output, scratch, sums, first, last)
                 : gather<float>(warp, grad_output, scratch, sums, first, last);
}

void warp_templates_backward_templates(const Warp& warp, const Image& grad_output, void* scratch,
                                       void* grad_templates, int64_t first, int64_t last) {
  warp.is_double
      ? scatter(warp, grad_output, scratch, static_cast<double*>(grad_templates), first, last)
      : scatter(warp, grad_output, scratch, static_cast<float*>(grad_templates), first, last);
}

}  // namespace fastpose::FASTPOSE_ISA
