// What the CUDA kernels of render_skeleton are given, and how they read and write it.
#pragma once

#include "common/fast_math.cuh"
#include "common/launch.cuh"
#include "common/pixels.cuh"
#include "render_skeleton/math.h"
#include "render_skeleton/render_skeleton.h"
#include "render_skeleton/search.cuh"

namespace fastpose::skeleton {

constexpr int kWarps = 4;
constexpr int kThreads = kWarps * kWarpSize;

// A Drawing in the type of the points, with what every pixel needs worked out.
template <typename T>
struct Scene {
  const T* points;
  int64_t point_stride[3];
  const int32_t* plan;
  const float* widths;
  int limbs, channels, joints, height, width;
  T step_x, step_y, start_x, start_y;  // pixel centres
  bool is_gaussian;
  T rate;   // I = exp2(rate * distance), or of its square
  T slope;  // -2 dI/d(squared) = slope * I / distance, or slope * I
  T eps;

  explicit Scene(const Drawing& from)
      : points(static_cast<const T*>(from.points)),
        point_stride{from.point_stride[0], from.point_stride[1], from.point_stride[2]},
        plan(from.plan),
        widths(from.widths),
        limbs(from.limbs),
        channels(from.channels),
        joints(static_cast<int>(from.joints)),
        height(from.height),
        width(from.width),
        step_x(T(pixel_step(from.width))),
        step_y(T(pixel_step(from.height))),
        start_x(T(pixel_start(from.width))),
        start_y(T(pixel_start(from.height))),
        is_gaussian(from.profile == gaussian),
        rate(T(-from.sharpness * 1.4426950408889634)),  // log2(e)
        slope(T(from.profile == gaussian ? 2 * from.sharpness : from.sharpness)),
        eps(T(from.eps)) {}

  // From squared distances to intensities.
  template <int kCount>
  __device__ __forceinline__ void intensities(T (&value)[kCount]) const {
    if (!is_gaussian) {
#pragma unroll
      for (int i = 0; i < kCount; ++i) value[i] = fast_sqrt(value[i] + eps);
    }
#pragma unroll
    for (int i = 0; i < kCount; ++i) value[i] = fast_exp2(rate * value[i]);
  }

  // Multiplies each weight by -2 dI/d(squared).
  template <int kCount>
  __device__ __forceinline__ void slopes(const T (&squared)[kCount], T (&weight)[kCount]) const {
    if (is_gaussian) {
#pragma unroll
      for (int i = 0; i < kCount; ++i) weight[i] *= slope * fast_exp2(rate * squared[i]);
    } else {
#pragma unroll
      for (int i = 0; i < kCount; ++i) {
        const T inverse = fast_rsqrt(squared[i] + eps);
        weight[i] *= slope * fast_exp2(rate * ((squared[i] + eps) * inverse)) * inverse;
      }
    }
  }
};

// --- limbs ---------------------------------------------------------------------------------------

template <typename T>
struct Ends {
  T ax, ay, bx, by;
};

// Both ends of limb `e` in image `b`: means of joints.
template <typename T>
__device__ __forceinline__ Ends<T> ends_of(const Scene<T>& scene, int64_t b, int e) {
  const int32_t* offset = scene.plan + scene.channels + 1 + 2 * e;
  const int32_t* index = scene.plan + scene.channels + 2 + 2 * scene.limbs;
  const T* points = scene.points + b * scene.point_stride[0];
  T mean[4];
#pragma unroll
  for (int end = 0; end < 2; ++end) {
    T x = 0, y = 0;
#pragma unroll 1
    for (int i = offset[end]; i < offset[end + 1]; ++i) {
      const T* joint = points + index[i] * scene.point_stride[1];
      x += joint[0];
      y += joint[scene.point_stride[2]];
    }
    const T count = T(offset[end + 1] - offset[end]);
    mean[2 * end] = x / count;
    mean[2 * end + 1] = y / count;
  }
  return {mean[0], mean[1], mean[2], mean[3]};
}

template <typename T>
__device__ __forceinline__ Limb<T> limb_of(const Scene<T>& scene, const Ends<T>& ends, int e) {
  return make_limb(ends.ax, ends.ay, ends.bx, ends.by,
                   scene.widths == nullptr ? T(0) : T(scene.widths[e]));
}

// Fills the block's shared memory with the limbs of image `b`; a barrier must follow.
template <typename Shape, typename T>
__device__ __forceinline__ void stage(Shape* shapes, const Scene<T>& scene, int64_t b) {
#pragma unroll 1
  for (int e = threadIdx.x; e < scene.limbs; e += kThreads) {
    const Ends<T> ends = ends_of(scene, b, e);
    shapes[e] = Shape::of(limb_of(scene, ends, e), ends.bx, ends.by);
  }
}

// The part of the limbs that draws a channel.
struct Range {
  int first, last;
};

template <typename T>
__device__ __forceinline__ Range limbs_of(const Scene<T>& scene, int channel) {
  if (scene.channels == 1) return {0, scene.limbs};
  return {scene.plan[channel], scene.plan[channel + 1]};
}

// --- tiles ---------------------------------------------------------------------------------------

// Block (b, r, s) draws, in image b, rows of tiles 4 r to 4 r + 3 (one per warp), and in each the
// tiles s, s + gridDim.z, ...
template <typename T, int kRows, int kColumns>
struct Tile {
  using Place = Lane<kRows, kColumns>;
  Place lane;
  int left, top;  // the tile's first pixel; the same in every lane

  __device__ __forceinline__ Tile()
      : lane(threadIdx.x % kWarpSize),
        left(blockIdx.z * kTileWidth),
        top((blockIdx.y * kWarps + threadIdx.x / kWarpSize) * Place::kTileHeight) {}

  __device__ __forceinline__ bool inside(const Scene<T>& scene) const {
    return top < scene.height && left < scene.width;
  }
  __device__ __forceinline__ void next() { left += gridDim.z * kTileWidth; }

  // The lane's pixels.
  __device__ __forceinline__ int x() const { return left + lane.x; }
  __device__ __forceinline__ int y(int row) const { return top + lane.y + row * Place::kRowStep; }

  __device__ __forceinline__ Pixels<T, kRows, kColumns> pixels(const Scene<T>& scene) const {
    constexpr T kMiddleX = T(kTileWidth - 1) / 2, kMiddleY = T(Place::kTileHeight - 1) / 2;
    Pixels<T, kRows, kColumns> at;
#pragma unroll
    for (int i = 0; i < kColumns; ++i)
      at.x[i] = multiply_add(T(x() + i), scene.step_x, scene.start_x);
#pragma unroll
    for (int j = 0; j < kRows; ++j) at.y[j] = multiply_add(T(y(j)), scene.step_y, scene.start_y);
    at.centre_x = multiply_add(T(left) + kMiddleX, scene.step_x, scene.start_x);
    at.centre_y = multiply_add(T(top) + kMiddleY, scene.step_y, scene.start_y);
    at.half_x = kMiddleX * scene.step_x;
    at.half_y = kMiddleY * scene.step_y;
    return at;
  }
};

}  // namespace fastpose::skeleton
