// Arguments of the soft_argmax kernels: plain pointers, sizes and strides; nothing of torch.
#pragma once

#include <cstdint>

#include "common/dispatch.h"
#include "common/image.h"

namespace fastpose::soft_argmax {

// What forward keeps of a map for backward. Marginal: the weights of its columns, then of its rows,
// (batch, maps, width + height); with channels_last (batch, width + height, maps). Joint: these
// numbers, (batch, maps, kNumbers).
enum Number : int { kMaximum, kPeak, kX, kY, kColumn, kRow, kNumbers };

// Maps of logits and how they are decoded. All sizes are at least 1.
struct Maps {
  Image logits;  // (batch, maps, height, width); data is null where backward does without
  int64_t batch, maps;
  int32_t height, width;
  bool joint;
  bool channels_last;  // the maps' numbers lie side by side, and those of their gradient
  double extent;       // the grid spans [-extent, extent]
};

// Arrays without gaps; float, or double for logits of float64.
struct Results {
  void* points;      // (batch, maps, 2)
  void* confidence;  // (batch, maps)
  void* kept;        // see Number
};

// What arrives for backward, in the type of the results, and what it writes.
struct Gradients {
  const void* points;  // (batch, maps, 2), or null for zeros
  int64_t point_stride[3];
  const void* confidence;  // (batch, maps), or null for zeros
  int64_t confidence_stride[2];
  const void* kept;
  Image logits;  // contiguous, or channels-last as `Maps::channels_last` says
};

// How many of the numbers that are kept belong to one map.
inline int64_t kept_per_map(const Maps& maps) {
  return maps.joint ? int64_t{kNumbers} : int64_t{maps.width} + maps.height;
}

// --- CPU -----------------------------------------------------------------------------------------

// A task is a map, or with channels_last an image: no sum crosses tasks, so that the number of
// threads does not matter.
inline int64_t tasks(const Maps& maps) {
  return maps.channels_last ? maps.batch : maps.batch * maps.maps;
}

// Coordinates of columns and rows, of the results' type, with 16 more entries after the last.
struct Grid {
  const void* x;
  const void* y;
};

constexpr int kGroup = 8;  // rows that are added up before they join the sums of the whole map

// Whether rows can be read as they lie. A side of 1 may have any stride.
inline bool is_dense(const Maps& maps) {
  const int64_t* stride = maps.logits.stride;
  if (!maps.channels_last) return stride[3] == 1 || maps.width == 1;
  return stride[1] == 1 && (stride[3] == maps.maps || maps.width == 1);
}

constexpr int kLeastPattern = 8;  // vectors of a pattern, see cpu_channels.h

// Of an array in scratch memory: room for a vector that starts at its last number.
inline int64_t scratch_room(int64_t numbers) { return (numbers + 31) / 16 * 16; }

// Numbers of scratch memory that a thread needs: what the kernels take, at most.
inline int64_t scratch_numbers(const Maps& maps) {
  constexpr int64_t kMostLanes = 16, kArrays = 8, kAlignment = 8;
  const int64_t width = maps.width, height = maps.height;
  const bool copied = maps.logits.data && !is_dense(maps);
  if (!maps.channels_last) {
    return kAlignment + 2 * scratch_room(width) + scratch_room(height) +
           (copied ? kGroup * width : 0);
  }
  const int64_t pattern = kMostLanes * (maps.maps + 2 * kLeastPattern);  // at most
  return kAlignment + 2 * scratch_room(width * maps.maps) + scratch_room(height * maps.maps) +
         kArrays * scratch_room(maps.maps) + 3 * scratch_room(pattern) +
         (copied ? kGroup * width * maps.maps : 0);
}

}  // namespace fastpose::soft_argmax

namespace fastpose {

// Decodes the tasks [first, last).
FASTPOSE_DECLARE_CPU(void, soft_argmax_forward, const soft_argmax::Maps& maps,
                     const soft_argmax::Grid& grid, const soft_argmax::Results& results,
                     double* scratch, int64_t first, int64_t last)

// Writes the gradient of the logits of the tasks [first, last).
FASTPOSE_DECLARE_CPU(void, soft_argmax_backward, const soft_argmax::Maps& maps,
                     const soft_argmax::Grid& grid, const soft_argmax::Gradients& gradients,
                     double* scratch, int64_t first, int64_t last)

}  // namespace fastpose
