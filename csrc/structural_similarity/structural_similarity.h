// Arguments of the structural_similarity kernels: plain pointers, sizes and strides; nothing of
// torch.
#pragma once

#include <cstdint>

#include "common/dispatch.h"
#include "common/image.h"

namespace fastpose::similarity {

// Two batches of images of one type and size.
struct Comparison {
  Image x, y;
  int64_t batch, channels;
  int32_t height, width;
  int window;    // enum Window of math.h
  double scale;  // 1 / data range
  double norm;   // of variances: 1, or N / (N - 1) for a window of N pixels
};

// L times the gradient of the sum of S over all windows, by the images; `data` is null for one that
// is not wanted.
struct Slopes {
  Image x, y;

  bool wanted() const { return x.data != nullptr || y.data != nullptr; }
};

// Whether the numbers of both lie in the same order without gaps, image behind image.
inline bool lie_flat(const Image& a, const Image& b, const int64_t (&size)[4]) {
  const auto [batch, channels, height, width] = size;
  const int64_t rows[4] = {channels * height * width, height * width, width, 1};
  const int64_t pixels[4] = {channels * height * width, 1, width * channels, channels};
  bool by_rows = true, by_pixels = true;
  for (int i = 0; i < 4; ++i) {
    if (size[i] == 1) continue;
    by_rows = by_rows && a.stride[i] == rows[i] && b.stride[i] == rows[i];
    by_pixels = by_pixels && a.stride[i] == pixels[i] && b.stride[i] == pixels[i];
  }
  return by_rows || by_pixels;
}

// --- CPU -----------------------------------------------------------------------------------------

// Work is cut into tiles of planes, whatever the number of threads, so that sums are always formed
// in the same order: task i is tile i % tiles of plane i / tiles, tiles go by rows.
constexpr int kTileRows = 64;
constexpr int kTileColumns = 128;
inline int64_t tiles_across(const Comparison& pair) {
  return (pair.width + kTileColumns - 1) / kTileColumns;
}
inline int64_t tiles(const Comparison& pair) {
  return tiles_across(pair) * ((pair.height + kTileRows - 1) / kTileRows);
}

}  // namespace fastpose::similarity

namespace fastpose {

// Writes sums (tasks,): of S over the windows whose first pixels lie in the tile. Slopes are
// written where they are wanted.
FASTPOSE_DECLARE_CPU(void, structural_similarity_forward, const similarity::Comparison& pair,
                     const similarity::Slopes& slopes, double* sums, int64_t first, int64_t last)

// grad = slope * share[b] for the planes [first, last) of images of that height and width.
FASTPOSE_DECLARE_CPU(void, structural_similarity_backward, const Image& slope, const Image& grad,
                     const double* share, int64_t channels, int32_t height, int32_t width,
                     int64_t first, int64_t last)

}  // namespace fastpose
