// Rays at tapered capsules on the GPU. A block draws up to 128 samples of one row, one a thread;
// its threads first work out, one part each, which parts' spans reach into the block and what their
// rays in this row have in common. Every sample has one owner, which tries the parts in order.
#pragma once

#include "cast_capsules/math.h"
#include "common/launch.cuh"

namespace fastpose::capsules {

constexpr int kThreads = 128;
constexpr int kPartsAtOnce = 32;

// A part of which something may lie in the block's samples.
struct Candidate {
  Part part;
  Row row;
  int64_t first;
  int32_t begin, end;  // of the block's columns; empty where the part is not there
};

__device__ __forceinline__ Candidate candidate_of(const CapsuleRays& rays, int64_t t, int64_t p,
                                                  int64_t row, int64_t left) {
  Candidate found;
  found.begin = found.end = 0;
  const Outline outline = make_outline(rays, t, p);
  if (row < outline.top || row >= outline.bottom) return found;
  const Span span = span_of(outline, row, rays.wide);
  const int64_t begin = max(span.first, left), end = min(span.last, left + kThreads);
  if (begin >= end) return found;
  found.begin = int32_t(begin - left), found.end = int32_t(end - left);
  found.part = make_part(rays, t, p);
  found.row = make_row(rays, t, p, row, span.first);
  found.first = span.first;
  return found;
}

__global__ void __launch_bounds__(kThreads)
    cast_capsules_kernel(const __grid_constant__ CapsuleRays rays) {
  auto* candidates = reinterpret_cast<Candidate*>(shared_memory);  // of kPartsAtOnce
  const int64_t line = blockIdx.x, t = line / rays.wide, row = line - t * rays.wide;
  const int64_t left = int64_t{blockIdx.y} * kThreads, column = left + threadIdx.x;
  const float texels_along = float(rays.texels_along), quarter = quarter_of(rays);
  float depth = INFINITY, light = 0;
  int32_t texel = 0;
  for (int64_t from = 0; from < rays.parts; from += kPartsAtOnce) {
    const int count = int(min(rays.parts - from, int64_t{kPartsAtOnce}));
    if (int(threadIdx.x) < count) {
      candidates[threadIdx.x] = candidate_of(rays, t, from + threadIdx.x, row, left);
    }
    __syncthreads();
    for (int i = 0; i < count; ++i) {
      const Candidate& candidate = candidates[i];
      if (int(threadIdx.x) < candidate.begin || int(threadIdx.x) >= candidate.end) continue;
      const float x = float(column - candidate.first);
      const Meeting at = meet(candidate.row, x);
      if (!(at.h > 0)) continue;
      const Seen seen = see(candidate.part, candidate.row, at, x, texels_along, quarter);
      if (!(seen.z < depth)) continue;
      depth = seen.z, light = seen.light;
      texel = texel_of(rays, candidate.part.texel, seen.along, seen.around);
    }
    __syncthreads();
  }
  if (column >= rays.wide) return;
  const int64_t at = line * rays.wide + column;
  rays.depth[at] = depth;
  rays.light[at] = light;
  rays.texel[at] = texel;
}

}  // namespace fastpose::capsules
