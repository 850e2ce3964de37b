// Rays at tapered capsules on the CPU: row by row, blocks of samples that the compiler turns into
// vectors. CMakeLists.txt forbids it to fuse a multiplication with an addition here.
#include "cast_capsules/cast_capsules.h"

#include <math.h>

#include "common/simd.h"

namespace fastpose::FASTPOSE_ISA {
namespace {

constexpr int kBlock = 128;  // samples worked on together

struct Double3 {
  double x, y, z;
};
FASTPOSE_INLINE Double3 load(const double* p) { return {p[0], p[1], p[2]}; }
FASTPOSE_INLINE Double3 column(const double* m, int i) { return {m[i], m[3 + i], m[6 + i]}; }
FASTPOSE_INLINE Double3 operator*(double s, Double3 a) { return {s * a.x, s * a.y, s * a.z}; }
FASTPOSE_INLINE Double3 operator+(Double3 a, Double3 b) {
  return {a.x + b.x, a.y + b.y, a.z + b.z};
}
FASTPOSE_INLINE double dot(Double3 a, Double3 b) { return a.x * b.x + a.y * b.y + a.z * b.z; }

// What changes from column to column: value + x * step.
struct Line {
  float x, y, z, step_x, step_y, step_z;
  Line(Double3 a, Double3 g)
      : x(static_cast<float>(a.x)),
        y(static_cast<float>(a.y)),
        z(static_cast<float>(a.z)),
        step_x(static_cast<float>(g.x)),
        step_y(static_cast<float>(g.y)),
        step_z(static_cast<float>(g.z)) {}
};

// a + x * (b + x * c)
struct Square {
  float a, b, c;
  Square(double a, double b, double c)
      : a(static_cast<float>(a)), b(static_cast<float>(b)), c(static_cast<float>(c)) {}
  FASTPOSE_INLINE float at(float x) const { return a + x * (b + x * c); }
};

// One part in one frame.
struct Part {
  double length, r0, r1;
  float long_, d2, lean, radius0, radius1, both, near, shine_x, shine_y, shine_z, squeeze;
  int32_t texel;  // its first

  Part(const CapsuleRays& rays, int64_t t, int64_t p) {
    const int64_t at = t * rays.parts + p;
    length = rays.length[at], r0 = rays.r0[p], r1 = rays.r1[p];
    const double taper = r0 - r1;
    long_ = static_cast<float>(length);
    d2 = long_ * long_ - static_cast<float>(taper * taper);
    lean = static_cast<float>(r0 * taper);
    radius0 = static_cast<float>(r0), radius1 = static_cast<float>(r1);
    both = static_cast<float>(r0 + r1);
    near = static_cast<float>(rays.near[at]);
    shine_x = static_cast<float>(rays.shine[3 * at]);
    shine_y = static_cast<float>(rays.shine[3 * at + 1]);
    shine_z = static_cast<float>(rays.shine[3 * at + 2]);
    squeeze = static_cast<float>(1 / rays.stretch[p]);
    texel = static_cast<int32_t>(p * rays.texels_along * rays.texels_around);
  }
};

// The quadratics k2 t^2 + 2 k1 t + k0 of a row's rays o + t d, which are quadratics of the column.
struct Row {
  Line o, d;
  Square k2, k1, k0;

  static Row make(const Part& part, Double3 o, Double3 d, Double3 go, Double3 gd) {
    const double square = part.length * part.length, taper = part.r0 - part.r1;
    const double d2 = square - taper * taper;
    const double lean = part.length * taper * part.r0, constant = square * (part.r0 * part.r0);
    const auto form = [&](Double3 u, Double3 v) { return d2 * dot(u, v) - square * u.y * v.y; };
    return {Line(o, go), Line(d, gd), Square(form(d, d), 2 * form(d, gd), form(gd, gd)),
            Square(form(o, d) + lean * d.y, form(o, gd) + form(go, d) + lean * gd.y, form(go, gd)),
            Square(form(o, o) + 2 * lean * o.y - constant, 2 * form(o, go) + 2 * lean * go.y,
                   form(go, go))};
  }
};

FASTPOSE_INLINE double clip(double v, double low, double high) {
  return v > low ? v < high ? v : high : low;  // NaN is `low`
}

// Nearest t at which a ray meets the end sphere around (0, centre, 0), if that is before `best`.
FASTPOSE_INLINE float cap(float ox, float oy, float oz, float dx, float dy, float dz, float dd,
                          float centre, float radius, float best) {
  const float py = oy - centre;
  const float b = ox * dx + py * dy + oz * dz;
  const float h = b * b - dd * (ox * ox + py * py + oz * oz - radius);
  const float t = (-b - sqrtf(h > 0 ? h : 0)) / dd;
  return (h > 0) & (t < best) ? t : best;
}

struct Block {
  float k2[kBlock], k1[kBlock], h[kBlock], z[kBlock], light[kBlock], along[kBlock], around[kBlock];
};

// Samples first .. first + count of a row, of which x0 is the column's offset of the first.
void cast_block(const CapsuleRays& rays, const Part& part, const Row& row, int x0, int count,
                int64_t place, Block& block) {
  for (int j = 0; j < count; ++j) {
    const float x = static_cast<float>(x0 + j);
    const float k2 = row.k2.at(x), k1 = row.k1.at(x), k0 = row.k0.at(x);
    block.k2[j] = k2, block.k1[j] = k1, block.h[j] = k1 * k1 - k0 * k2;
  }
  int begin = 0, end = count;
  while (begin < end && !(block.h[begin] > 0)) ++begin;
  while (end > begin && !(block.h[end - 1] > 0)) --end;
  if (begin == end) return;

  const float square0 = static_cast<float>(part.r0 * part.r0);
  const float square1 = static_cast<float>(part.r1 * part.r1);
  const float texels_along = static_cast<float>(rays.texels_along);
  const float quarter = static_cast<float>(static_cast<double>(rays.texels_around) / 4);
  for (int j = begin; j < end; ++j) {
    const float x = static_cast<float>(x0 + j);
    const float ox = row.o.x + row.o.step_x * x, oy = row.o.y + row.o.step_y * x;
    const float oz = row.o.z + row.o.step_z * x;
    const float dx = row.d.x + row.d.step_x * x, dy = row.d.y + row.d.step_y * x;
    const float dz = row.d.z + row.d.step_z * x;
    const float h = block.h[j], k2 = block.k2[j];
    const float side = (-sqrtf(h > 0 ? h : 0) - block.k1[j]) / (k2 == 0 ? 1.0f : k2);
    const float y = part.long_ * (oy + side * dy) - part.lean;
    const bool body = (y > 0) & (y < part.d2);
    const float dd = dx * dx + dy * dy + dz * dz;
    float ends = cap(ox, oy, oz, dx, dy, dz, dd, 0.0f, square0, INFINITY);
    ends = cap(ox, oy, oz, dx, dy, dz, dd, part.long_, square1, ends);
    const float t = body ? side : ends;
    block.z[j] = part.near + t;
    const float hx = ox + t * dx, hy = oy + t * dy, hz = oz + t * dz;
    // Along the normal before the stretch: away from the axis, leaned by the taper; on the caps
    // away from the sphere's centre.
    const float end_of = hy < 0.5f * part.long_ ? 0.0f : 1.0f;
    const float share = body ? y / part.d2 : end_of;
    const float ny = hy - share * part.long_, nz = hz * part.squeeze;
    const float cosine = hx * part.shine_x + ny * part.shine_y + nz * part.shine_z;
    block.light[j] = cosine / sqrtf(hx * hx + ny * ny + nz * nz + 1e-12f);
    block.along[j] = (hy + part.radius0) / (part.long_ + part.both) * texels_along;
    // The angle around the axis by the diamond rule: 0 front, 1 at +x, 2 back, 3 at -x.
    const float turn = hx / (fabsf(hx) + fabsf(hz) + 1e-9f);
    block.around[j] = floorf((hz >= 0 ? turn : 2 - turn) * quarter);
  }
  const auto most = static_cast<float>(rays.texels_along - 1);
  const auto turn = static_cast<float>(rays.texels_around);
  const auto texels_around = static_cast<int32_t>(rays.texels_around);
  for (int j = begin; j < end; ++j) {
    const int64_t at = place + j;
    if (!(block.h[j] > 0) || !(block.z[j] < rays.depth[at])) continue;
    rays.depth[at] = block.z[j];
    rays.light[at] = block.light[j];
    // Shapes beyond all measure may give any number here, or none.
    const float along = block.along[j], around = block.around[j];
    const auto v = static_cast<int32_t>(along > 0 ? along < most ? along : most : 0);
    int32_t u = fabsf(around) < turn ? static_cast<int32_t>(around) : 0;
    u = u < 0 ? u + texels_around : u;
    rays.texel[at] = part.texel + v * texels_around + u;
  }
}

void cast_part(const CapsuleRays& rays, int64_t t, int64_t p, Block& block) {
  const int64_t at = t * rays.parts + p;
  const double wide = static_cast<double>(rays.wide);
  const double* ends = rays.ends + 4 * at;
  const double x = ends[0], y = ends[1], across = ends[2] - x, down = ends[3] - y;
  const double* radii = rays.radius + 2 * at;
  const double r = radii[0] > radii[1] ? radii[0] : radii[1];
  const double high = ends[3] < y ? ends[3] : y, low = ends[3] > y ? ends[3] : y;
  const auto top = static_cast<int64_t>(clip(ceil(high - r), 0, wide));
  const auto bottom = static_cast<int64_t>(clip(floor(low + r) + 1, 0, wide));
  const double slope = fabs(down) < 1e-6 ? 1e-6 : down;
  const Part part(rays, t, p);
  const double* m = rays.to_part + 9 * at;
  const Double3 right = column(m, 0), below = column(m, 1), ahead = column(m, 2);
  const Double3 start = load(rays.start + 3 * at), gd = rays.step * right;
  const Double3 go = rays.near[at] * gd;
  for (int64_t row = top; row < bottom; ++row) {
    // The stretch of the axis whose spheres reach this row.
    const double line = static_cast<double>(row);
    const double x0 = x + across * clip((line - r - y) / slope, 0, 1);
    const double x1 = x + across * clip((line + r - y) / slope, 0, 1);
    const double first_x = clip(ceil((x0 < x1 ? x0 : x1) - r), 0, wide);
    const auto first = static_cast<int64_t>(first_x);
    const auto last = static_cast<int64_t>(clip(floor((x0 > x1 ? x0 : x1) + r) + 1, 0, wide));
    if (first >= last) continue;
    const Double3 d =
        (rays.left + rays.step * first_x) * right + ((rays.top + rays.step * line) * below + ahead);
    const Double3 o = start + rays.near[at] * d;
    const Row made = Row::make(part, o, d, go, gd);
    const int64_t place = (t * rays.wide + row) * rays.wide + first;
    for (int64_t from = 0; from < last - first; from += kBlock) {
      const int64_t rest = last - first - from;
      cast_block(rays, part, made, static_cast<int>(from),
                 static_cast<int>(rest < kBlock ? rest : kBlock), place + from, block);
    }
  }
}

}  // namespace

void cast_capsules(const CapsuleRays& rays) {
  Block block;
  for (int64_t t = 0; t < rays.frames; ++t) {
    for (int64_t p = 0; p < rays.parts; ++p) cast_part(rays, t, p, block);
  }
}

}  // namespace fastpose::FASTPOSE_ISA
