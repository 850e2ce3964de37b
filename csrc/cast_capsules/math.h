// cast_capsules per part, per row and per sample: what the CPU and CUDA kernels share.
//
// The formula and the order of every operation are those of
// fastpose/ops/cast_capsules/reference.py, in the same precisions. CMakeLists.txt forbids the
// compilers to fuse a multiplication with an addition, so that every owner draws the same bytes.
#pragma once

#include <math.h>

#include <cstdint>

#include "cast_capsules/cast_capsules.h"
#include "common/host_device.h"

namespace fastpose::capsules {

struct Double3 {
  double x, y, z;
};
FASTPOSE_HD Double3 load(const double* p) { return {p[0], p[1], p[2]}; }
FASTPOSE_HD Double3 column(const double* m, int i) { return {m[i], m[3 + i], m[6 + i]}; }
FASTPOSE_HD Double3 operator*(double s, Double3 a) { return {s * a.x, s * a.y, s * a.z}; }
FASTPOSE_HD Double3 operator+(Double3 a, Double3 b) { return {a.x + b.x, a.y + b.y, a.z + b.z}; }
FASTPOSE_HD double dot(Double3 a, Double3 b) { return a.x * b.x + a.y * b.y + a.z * b.z; }

FASTPOSE_HD double clip(double v, double low, double high) {
  return v > low ? v < high ? v : high : low;  // NaN is `low`
}

// What changes from column to column: value + x * step.
struct Line {
  float x, y, z, step_x, step_y, step_z;
};
FASTPOSE_HD Line make_line(Double3 a, Double3 g) {
  return {float(a.x), float(a.y), float(a.z), float(g.x), float(g.y), float(g.z)};
}

// a + x * (b + x * c)
struct Square {
  float a, b, c;
};
FASTPOSE_HD Square make_square(double a, double b, double c) {
  return {float(a), float(b), float(c)};
}
FASTPOSE_HD float value_at(const Square& square, float x) {
  return square.a + x * (square.b + x * square.c);
}

// One part in one frame.
struct Part {
  float length, d2, lean, radius0, both, square0, square1, near, shine_x, shine_y, shine_z, squeeze;
  int32_t texel;  // its first
};
FASTPOSE_HD Part make_part(const CapsuleRays& rays, int64_t t, int64_t p) {
  const int64_t at = t * rays.parts + p;
  const double r0 = rays.r0[p], r1 = rays.r1[p], taper = r0 - r1;
  const float length = float(rays.length[at]);
  return {length,
          length * length - float(taper * taper),
          float(r0 * taper),
          float(r0),
          float(r0 + r1),
          float(r0 * r0),
          float(r1 * r1),
          float(rays.near[at]),
          float(rays.shine[3 * at]),
          float(rays.shine[3 * at + 1]),
          float(rays.shine[3 * at + 2]),
          float(1 / rays.stretch[p]),
          int32_t(p * rays.texels_along * rays.texels_around)};
}

// --- where a part may be seen --------------------------------------------------------------------

// Its picture's outline in samples; rows `top` to before `bottom`.
struct Outline {
  double x, y, across, slope, radius;
  int64_t top, bottom;
};
FASTPOSE_HD Outline make_outline(const CapsuleRays& rays, int64_t t, int64_t p) {
  const int64_t at = t * rays.parts + p;
  const double* ends = rays.ends + 4 * at;
  const double* radii = rays.radius + 2 * at;
  const double y = ends[1], down = ends[3] - y, wide = double(rays.wide);
  const double r = radii[0] > radii[1] ? radii[0] : radii[1];
  const double high = ends[3] < y ? ends[3] : y, low = ends[3] > y ? ends[3] : y;
  return {ends[0],
          y,
          ends[2] - ends[0],
          fabs(down) < 1e-6 ? 1e-6 : down,
          r,
          int64_t(clip(ceil(high - r), 0, wide)),
          int64_t(clip(floor(low + r) + 1, 0, wide))};
}

// Columns `first` to before `last`.
struct Span {
  int64_t first, last;
};
FASTPOSE_HD Span span_of(const Outline& o, int64_t row, int64_t wide) {
  // The stretch of the axis whose spheres reach this row.
  const double line = double(row), most = double(wide);
  const double x0 = o.x + o.across * clip((line - o.radius - o.y) / o.slope, 0, 1);
  const double x1 = o.x + o.across * clip((line + o.radius - o.y) / o.slope, 0, 1);
  return {int64_t(clip(ceil((x0 < x1 ? x0 : x1) - o.radius), 0, most)),
          int64_t(clip(floor((x0 > x1 ? x0 : x1) + o.radius) + 1, 0, most))};
}

// --- rows ----------------------------------------------------------------------------------------

// The rays o + t d of a row from the span's first sample on, and the quadratics k2 t^2 + 2 k1 t +
// k0 that say where they meet the part: quadratics of the column, too.
struct Row {
  Line o, d;
  Square k2, k1, k0;
};
FASTPOSE_HD Row make_row(const CapsuleRays& rays, int64_t t, int64_t p, int64_t row,
                         int64_t first) {
  const int64_t at = t * rays.parts + p;
  const double* m = rays.to_part + 9 * at;
  const Double3 right = column(m, 0);
  const Double3 d = (rays.left + rays.step * double(first)) * right +
                    ((rays.top + rays.step * double(row)) * column(m, 1) + column(m, 2));
  const Double3 o = load(rays.start + 3 * at) + rays.near[at] * d;
  const Double3 gd = rays.step * right, go = rays.near[at] * gd;
  const double length = rays.length[at], r0 = rays.r0[p], square = length * length;
  const double taper = r0 - rays.r1[p], d2 = square - taper * taper;
  const double lean = length * taper * r0, constant = square * (r0 * r0);
  const auto form = [&](Double3 u, Double3 v) { return d2 * dot(u, v) - square * u.y * v.y; };
  return {
      make_line(o, go), make_line(d, gd), make_square(form(d, d), 2 * form(d, gd), form(gd, gd)),
      make_square(form(o, d) + lean * d.y, form(o, gd) + form(go, d) + lean * gd.y, form(go, gd)),
      make_square(form(o, o) + 2 * lean * o.y - constant, 2 * form(o, go) + 2 * lean * go.y,
                  form(go, go))};
}

// --- samples -------------------------------------------------------------------------------------

// What decides whether a sample meets the part: it does where h > 0.
struct Meeting {
  float k2, k1, h;
};
FASTPOSE_HD Meeting meet(const Row& row, float x) {
  const float k2 = value_at(row.k2, x), k1 = value_at(row.k1, x), k0 = value_at(row.k0, x);
  return {k2, k1, k1 * k1 - k0 * k2};
}

// Nearest t at which a ray meets the end sphere around (0, centre, 0), if that is before `best`.
FASTPOSE_HD float meet_end(float ox, float oy, float oz, float dx, float dy, float dz, float dd,
                           float centre, float square, float best) {
  const float py = oy - centre;
  const float b = ox * dx + py * dy + oz * dz;
  const float h = b * b - dd * (ox * ox + py * py + oz * oz - square);
  const float t = (-b - sqrtf(h > 0 ? h : 0)) / dd;
  return (h > 0) & (t < best) ? t : best;
}

// Camera z, cosine of the light, and coordinates in the part's texture, in texels.
struct Seen {
  float z, light, along, around;
};
FASTPOSE_HD Seen see(const Part& part, const Row& row, const Meeting& at, float x,
                     float texels_along, float quarter) {
  const float ox = row.o.x + row.o.step_x * x, oy = row.o.y + row.o.step_y * x;
  const float oz = row.o.z + row.o.step_z * x;
  const float dx = row.d.x + row.d.step_x * x, dy = row.d.y + row.d.step_y * x;
  const float dz = row.d.z + row.d.step_z * x;
  const float side = (-sqrtf(at.h > 0 ? at.h : 0) - at.k1) / (at.k2 == 0 ? 1.0f : at.k2);
  const float y = part.length * (oy + side * dy) - part.lean;
  const bool body = (y > 0) & (y < part.d2);
  const float dd = dx * dx + dy * dy + dz * dz;
  float ends = meet_end(ox, oy, oz, dx, dy, dz, dd, 0.0f, part.square0, INFINITY);
  ends = meet_end(ox, oy, oz, dx, dy, dz, dd, part.length, part.square1, ends);
  const float t = body ? side : ends;
  const float hx = ox + t * dx, hy = oy + t * dy, hz = oz + t * dz;
  // Along the normal before the stretch: away from the axis, leaned by the taper; on the caps
  // away from the sphere's centre.
  const float end_of = hy < 0.5f * part.length ? 0.0f : 1.0f;
  const float share = body ? y / part.d2 : end_of;
  const float ny = hy - share * part.length, nz = hz * part.squeeze;
  const float cosine = hx * part.shine_x + ny * part.shine_y + nz * part.shine_z;
  // The angle around the axis by the diamond rule: 0 front, 1 at +x, 2 back, 3 at -x.
  const float turn = hx / (fabsf(hx) + fabsf(hz) + 1e-9f);
  return {part.near + t, cosine / sqrtf(hx * hx + ny * ny + nz * nz + 1e-12f),
          (hy + part.radius0) / (part.length + part.both) * texels_along,
          floorf((hz >= 0 ? turn : 2 - turn) * quarter)};
}

FASTPOSE_HD float quarter_of(const CapsuleRays& rays) {
  return float(double(rays.texels_around) / 4);
}

// The texel of coordinates in a part's texture. Shapes beyond all measure may give any number
// there, or none.
FASTPOSE_HD int32_t texel_of(const CapsuleRays& rays, int32_t first, float along, float around) {
  const auto most = float(rays.texels_along - 1), turn = float(rays.texels_around);
  const auto texels_around = int32_t(rays.texels_around);
  const auto v = int32_t(along > 0 ? along < most ? along : most : 0);
  int32_t u = fabsf(around) < turn ? int32_t(around) : 0;
  u = u < 0 ? u + texels_around : u;
  return first + v * texels_around + u;
}

}  // namespace fastpose::capsules
