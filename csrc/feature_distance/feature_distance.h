// Arguments of the feature_distance kernels: plain pointers and sizes; nothing of torch.
#pragma once

#include <cstdint>

#include "common/dispatch.h"
#include "common/host_device.h"
#include "common/image.h"

namespace fastpose::features {

constexpr int kMostLayers = 32;

// The tensors of one layer, (batch, channels, height, width), without gaps and all in the same
// order: channels last, or pixels last.
struct Layer {
  const void* feature;
  const void* target;
  void* gradient;  // of `feature`; null if nobody wants it
  Element element;
  bool channels_last;
  int32_t channels, height, width;

  int64_t pixels() const { return int64_t{height} * width; }
};

// A whole call. "T" is what sums are formed in: double for double features, else float.
struct Distance {
  Layer layer[kMostLayers];
  int32_t layers;
  int64_t batch;
  const void* mask;  // (batch, mask_height, mask_width) T, or null
  int32_t mask_height, mask_width;
  void* running_mean;  // (layers,) T, or null
  bool* started;       // or null
  void* loss;          // one T
  void* scale;         // (layers,) T
  double momentum;
  int norm;  // enum Norm of math.h
  bool is_double, update, through_mean;

  int64_t numel(int l) const { return batch * layer[l].channels * layer[l].pixels(); }
};

// Whether a layer's slopes can be multiplied by their factor where they are formed. It depends on
// the sums if the running mean moves; and float16 could not hold small products, see reference.py.
FASTPOSE_HD bool is_known_ahead(const Distance& distance, int l) {
  return !distance.update && distance.layer[l].element != Element::float16;
}

// --- CPU -----------------------------------------------------------------------------------------

// Work is cut into tasks of so many neighbouring numbers of one layer, whatever the number of
// threads, so that sums are always formed in the same order.
constexpr int64_t kTask = 32768;
constexpr int64_t tasks(int64_t numel) { return (numel + kTask - 1) / kTask; }
constexpr int kPastTheEnd = 16;  // numbers behind a layer's weights that vectors may read

}  // namespace fastpose::features

namespace fastpose {

// Averages the mask of images [first, last) down to the size of `layer`: (batch, pixels) T. `rows`
// is memory for that, (batch, mask_width) T.
FASTPOSE_DECLARE_CPU(void, feature_distance_weights, const features::Distance& distance,
                     const features::Layer& layer, void* weights, void* rows, int64_t first,
                     int64_t last)

// Sums the distances in tasks [first, last) of a layer, one sum for each task, and writes its
// gradient, if wanted, times `factor`. `weights` are those of feature_distance_weights; null:
// all 1.
FASTPOSE_DECLARE_CPU(void, feature_distance_forward, const features::Layer& layer, int64_t numel,
                     int norm, const void* weights, double factor, double* sums, int64_t first,
                     int64_t last)

// Multiplies tasks [first, last) of a gradient by `factor`.
FASTPOSE_DECLARE_CPU(void, feature_distance_backward, void* gradient, Element element,
                     int64_t numel, double factor, int64_t first, int64_t last)

}  // namespace fastpose
