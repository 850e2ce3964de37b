// Arguments of the warp_templates kernels: plain pointers, sizes and strides; nothing of torch.
#pragma once

#include <cstdint>

#include "common/dispatch.h"
#include "common/image.h"

namespace fastpose::warp {

// Templates (count, rows, columns) and affine maps (batch, count, 2, 3), both float or both double.
// Map (b, k) moves template k into channel k of image b, (height, width).
struct Warp {
  const void* templates;
  int64_t template_stride[3];  // elements
  const void* affine;
  int64_t affine_stride[4];
  bool is_double;
  int64_t batch;
  int32_t count, rows, columns, height, width;
};

// --- CPU -----------------------------------------------------------------------------------------

// A task is one template in some images, and in those a band of rows. How the work is cut depends
// on neither the number of threads nor the batch, because sums are formed per band. Neighbouring
// tasks have different templates: some have much more to draw than others.
constexpr int kTaskImages = 4;
constexpr int kBandRows = 128;

inline int32_t bands(const Warp& warp) { return (warp.height + kBandRows - 1) / kBandRows; }
inline int64_t tasks(const Warp& warp) {
  return (warp.batch + kTaskImages - 1) / kTaskImages * bands(warp) * warp.count;
}

// Texels of zeros that a prepared template has on every side, see prepared.h.
constexpr int kMargin = 8;
constexpr int kLines = 4;     // rows of pixels that are worked on together
constexpr int kLineEnd = 16;  // elements that a line has behind its last pixel

// Elements of scratch memory, of the templates' type, that a thread needs: a prepared template with
// two numbers for each row (or the sums of its gradient), four numbers for each block of pixels in
// a row, and kLines lines of pixels.
inline int64_t corners_size(const Warp& warp) { return 4 * (int64_t{warp.width} + kLineEnd); }
inline int64_t scratch_size(const Warp& warp) {
  const int64_t rows = warp.rows + 2 * kMargin, columns = warp.columns + 2 * kMargin;
  return rows * (columns + 2) + corners_size(warp) + kLines * (int64_t{warp.width} + kLineEnd);
}

// The same for the gradient of the templates: four numbers for each texel.
inline int64_t cells_size(const Warp& warp) {
  const int64_t rows = warp.rows + 2 * kMargin, columns = warp.columns + 2 * kMargin;
  return 4 * rows * columns + corners_size(warp) + kLines * (int64_t{warp.width} + kLineEnd);
}

}  // namespace fastpose::warp

namespace fastpose {

// Draws the tasks [first, last) into `output`.
FASTPOSE_DECLARE_CPU(void, warp_templates_forward, const warp::Warp& warp, const Image& output,
                     void* scratch, int64_t first, int64_t last)

// Writes the MapSums of math.h, (batch, count, bands, 6), of the tasks [first, last).
FASTPOSE_DECLARE_CPU(void, warp_templates_backward_affine, const warp::Warp& warp,
                     const Image& grad_output, void* scratch, double* sums, int64_t first,
                     int64_t last)

// Writes the gradient of the templates [first, last), (count, rows, columns) without gaps and of
// their type.
FASTPOSE_DECLARE_CPU(void, warp_templates_backward_templates, const warp::Warp& warp,
                     const Image& grad_output, void* scratch, void* grad_templates, int64_t first,
                     int64_t last)

}  // namespace fastpose
