// Arguments of the render_gaussians kernels: plain pointers, sizes and strides; nothing of torch.
#pragma once

#include <cstdint>

#include "common/dispatch.h"
#include "common/image.h"

namespace fastpose::gaussians {

// What is drawn: maps (batch, maps, height, width). All pointers are to float or double, as
// `is_double` says; strides are in elements and may be 0.
struct Drawing {
  const void* mean;  // (batch, maps, 2); of a template its stride over the batch is 0
  int64_t mean_stride[3];
  const void* covariance;  // (batch, maps, 2, 2), likewise; null: `variance` times the identity
  int64_t covariance_stride[4];
  const void* affine;  // (batch, maps, 2, 3), if `is_moved`
  int64_t affine_stride[4];
  bool is_double, is_moved;
  int64_t batch, maps;
  int32_t height, width;
  double variance, jitter;
};

// Where gradients go, without gaps and in the type of the mean; null: nobody wants it. Those of a
// template (with an affine map) have no batch dimension.
struct Gradients {
  void* mean;
  void* covariance;
  void* affine;
};

// --- CPU -----------------------------------------------------------------------------------------

constexpr int kSums = 5;  // members of math.h's Sums

// Work is cut into bands of rows of `group` maps of one image, whatever the number of threads, and
// sums are formed band by band, so that they are the same for every cut. Task i is band i % bands
// of group i / bands; groups do not reach across images.
constexpr int kBandRows = 128;
constexpr int kBandRowsTogether = 64;  // of some maps together, where there are no sums to form
constexpr int kMostTogether = 32;

struct Tasks {
  int group;       // maps that are drawn together: 1, or more where they are neighbours in memory
  int64_t groups;  // of an image
  int band_rows;
  int64_t bands;

  Tasks(const Drawing& drawing, const Image& image, bool has_sums)
      : group(image.stride[1] == 1 && image.stride[3] > 1
                  ? int(drawing.maps < kMostTogether ? drawing.maps : kMostTogether)
                  : 1),
        groups(group > 0 ? (drawing.maps + group - 1) / group : 0),
        band_rows(has_sums || group == 1 ? kBandRows : kBandRowsTogether),
        bands((drawing.height + band_rows - 1) / band_rows) {}
};

}  // namespace fastpose::gaussians

namespace fastpose {

// Draws the tasks [first, last) into `output`.
FASTPOSE_DECLARE_CPU(void, render_gaussians_forward, const gaussians::Drawing& drawing,
                     const gaussians::Tasks& tasks, const Image& output, int64_t first,
                     int64_t last)

// Writes the Sums of math.h, (batch, maps, bands, kSums), of the tasks [first, last). Those of a a,
// a b and b b need not be right unless `needs_shape`: a mean's gradient does without.
FASTPOSE_DECLARE_CPU(void, render_gaussians_backward, const gaussians::Drawing& drawing,
                     const gaussians::Tasks& tasks, const Image& grad_output, double* sums,
                     int64_t first, int64_t last, bool needs_shape)

}  // namespace fastpose
