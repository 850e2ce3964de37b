// Rays at tapered capsules on the CPU: row by row, blocks of samples that the compiler turns into
// vectors.
#include "cast_capsules/cast_capsules.h"
#include "cast_capsules/math.h"

namespace fastpose::FASTPOSE_ISA {
namespace {

using namespace capsules;  // NOLINT

constexpr int kBlock = 128;  // samples worked on together

struct Block {
  float k2[kBlock], k1[kBlock], h[kBlock], z[kBlock], light[kBlock], along[kBlock], around[kBlock];
};

// Samples x0 .. x0 + count of a row's span; the first lies at `place`.
void cast_block(const CapsuleRays& rays, const Part& part, const Row& row, int x0, int count,
                int64_t place, Block& block) {
  for (int j = 0; j < count; ++j) {
    const Meeting at = meet(row, static_cast<float>(x0 + j));
    block.k2[j] = at.k2, block.k1[j] = at.k1, block.h[j] = at.h;
  }
  int begin = 0, end = count;
  while (begin < end && !(block.h[begin] > 0)) ++begin;
  while (end > begin && !(block.h[end - 1] > 0)) --end;
  if (begin == end) return;

  const auto texels_along = static_cast<float>(rays.texels_along);
  const float quarter = quarter_of(rays);
  for (int j = begin; j < end; ++j) {
    const Meeting at{block.k2[j], block.k1[j], block.h[j]};
    const Seen seen = see(part, row, at, static_cast<float>(x0 + j), texels_along, quarter);
    block.z[j] = seen.z, block.light[j] = seen.light;
    block.along[j] = seen.along, block.around[j] = seen.around;
  }
  for (int j = begin; j < end; ++j) {
    const int64_t at = place + j;
    if (!(block.h[j] > 0) || !(block.z[j] < rays.depth[at])) continue;
    rays.depth[at] = block.z[j];
    rays.light[at] = block.light[j];
    rays.texel[at] = texel_of(rays, part.texel, block.along[j], block.around[j]);
  }
}

void cast_part(const CapsuleRays& rays, int64_t t, int64_t p, Block& block) {
  const Outline outline = make_outline(rays, t, p);
  const Part part = make_part(rays, t, p);
  for (int64_t line = outline.top; line < outline.bottom; ++line) {
    const Span span = span_of(outline, line, rays.wide);
    if (span.first >= span.last) continue;
    const Row row = make_row(rays, t, p, line, span.first);
    const int64_t place = (t * rays.wide + line) * rays.wide + span.first;
    for (int64_t from = 0; from < span.last - span.first; from += kBlock) {
      const int64_t rest = span.last - span.first - from;
      cast_block(rays, part, row, static_cast<int>(from),
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
