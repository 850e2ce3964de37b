// What the CUDA kernels of render_gaussians are given, and how a warp is laid over a map.
#pragma once

#include "common/fast_math.cuh"
#include "common/launch.cuh"
#include "common/pixels.cuh"
#include "common/reduce.cuh"
#include "render_gaussians/math.h"
#include "render_gaussians/render_gaussians.h"

namespace fastpose::gaussians {

constexpr int kWarps = 8;
constexpr int kThreads = kWarps * kWarpSize;

// A Drawing, and where its pixels lie.
template <typename T>
struct Canvas {
  Drawing drawing;
  T start_x, step_x, start_y, step_y, jitter;

  explicit Canvas(const Drawing& from)
      : drawing(from),
        start_x(T(pixel_start(from.width))),
        step_x(T(pixel_step(from.width))),
        start_y(T(pixel_start(from.height))),
        step_y(T(pixel_step(from.height))),
        jitter(T(from.jitter)) {}

  __device__ __forceinline__ Gaussian<T> gaussian(int64_t b, int64_t k) const {
    return make_gaussian(part_of<T>(drawing, b, k), jitter);
  }
};

// 2^(-a^2)
template <typename T>
__device__ __forceinline__ T bell(T a) {
  return fast_exp2(-a * a);
}

// One Gaussian seen from pixels, see math.h: a of column x in a row is `at(x) - row.shift`.
template <typename T>
struct Row {
  T b, height, shift;  // height = 2^(-b^2)
};

template <typename T>
struct Curve {
  Gaussian<T> gaussian;
  T start_x, step_x, start_y, step_y;

  __device__ __forceinline__ Curve(const Canvas<T>& canvas, int64_t b, int64_t k)
      : gaussian(canvas.gaussian(b, k)),
        start_x(canvas.start_x),
        step_x(canvas.step_x),
        start_y(canvas.start_y),
        step_y(canvas.step_y) {}

  __device__ __forceinline__ bool is_separable() const { return gaussian.shear == 0; }

  __device__ __forceinline__ T at(int x) const {
    return gaussian.along * (multiply_add(T(x), step_x, start_x) - gaussian.x);
  }

  __device__ __forceinline__ Row<T> row(int y) const {
    const T dy = multiply_add(T(y), step_y, start_y) - gaussian.y;
    const T b = gaussian.across * dy;
    return {b, bell(b), gaussian.along * (gaussian.shear * dy)};
  }
};

// How the lanes of a warp lie on a map: 2^lanes_log2 neighbours along a row, kColumns pixels each,
// and as many rows as are left over.
struct Lanes {
  int log2;

  Lanes(int width, int columns) : log2(0) {
    while ((1 << log2) < kWarpSize && (columns << log2) < width) ++log2;
  }
  __host__ __device__ int along() const { return 1 << log2; }
  __host__ __device__ int rows() const { return kWarpSize >> log2; }
  __device__ __forceinline__ int x(int lane) const { return lane & (along() - 1); }
  __device__ __forceinline__ int y(int lane) const { return lane >> log2; }
};

}  // namespace fastpose::gaussians
