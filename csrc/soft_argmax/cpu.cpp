// soft_argmax on the CPU: rows or channels of the maps in vectors, groups of rows at a time.
#include "soft_argmax/cpu_channels.h"
#include "soft_argmax/cpu_planes.h"

namespace fastpose::FASTPOSE_ISA {
namespace {

template <Element kElement>
void decode(const Maps& maps, const Grid& grid, const Results& results, double* scratch,
            int64_t first, int64_t last) {
  using T = typename Stored<kElement>::V::scalar;
  const FlushToZero flush;  // many a weight is tiny
  const int64_t per_map = kept_per_map(maps), per_task = maps.channels_last ? maps.maps : 1;
  const auto each = [&](const auto& run) {
    for (int64_t task = first; task < last; ++task) {
      const int64_t map = task * per_task;
      run(task, static_cast<T*>(results.points) + 2 * map,
          static_cast<T*>(results.confidence) + map, static_cast<T*>(results.kept) + map * per_map);
    }
  };
  if (maps.channels_last) {
    Channels<kElement> image(maps, grid, scratch);
    each([&](int64_t b, T* points, T* confidence, T* kept) {
      maps.joint ? image.forward_joint(b, points, confidence, kept)
                 : image.forward_marginal(b, points, confidence, kept);
    });
  } else {
    Planes<kElement> planes(maps, grid, scratch);
    each([&](int64_t map, T* point, T* confidence, T* kept) {
      const int64_t b = map / maps.maps, k = map % maps.maps;
      maps.joint ? planes.forward_joint(b, k, point, confidence, kept)
                 : planes.forward_marginal(b, k, point, confidence, kept);
    });
  }
}

template <Element kElement>
void differentiate(const Maps& maps, const Grid& grid, const Gradients& gradients, double* scratch,
                   int64_t first, int64_t last) {
  using T = typename Stored<kElement>::V::scalar;
  const FlushToZero flush;
  const int64_t per_map = kept_per_map(maps), size = int64_t{maps.height} * maps.width;
  const int64_t* step = gradients.point_stride;
  const T* points = static_cast<const T*>(gradients.points);
  const T* confidence = static_cast<const T*>(gradients.confidence);
  const T* kept = static_cast<const T*>(gradients.kept);
  auto* to = static_cast<typename Stored<kElement>::type*>(gradients.logits.data);
  if (maps.channels_last) {
    Channels<kElement> image(maps, grid, scratch);
    for (int64_t b = first; b < last; ++b) {
      const T* point = points ? points + b * step[0] : nullptr;
      const typename Channels<kElement>::Arriving grad{
          point, point ? point + step[2] : nullptr,
          confidence ? confidence + b * gradients.confidence_stride[0] : nullptr, step[1],
          gradients.confidence_stride[1]};
      const T* own = kept + b * maps.maps * per_map;
      auto* out = to + b * maps.maps * size;
      maps.joint ? image.backward_joint(b, own, grad, out)
                 : image.backward_marginal(own, grad, out);
    }
    return;
  }
  Planes<kElement> planes(maps, grid, scratch);
  for (int64_t map = first; map < last; ++map) {
    const int64_t b = map / maps.maps, k = map % maps.maps;
    const T* point = points ? points + b * step[0] + k * step[1] : nullptr;
    const T grad_x = point ? point[0] : T(0), grad_y = point ? point[step[2]] : T(0);
    const T grad_confidence =
        confidence
            ? confidence[b * gradients.confidence_stride[0] + k * gradients.confidence_stride[1]]
            : T(0);
    const T* own = kept + map * per_map;
    auto* out = to + map * size;
    maps.joint ? planes.backward_joint(b, k, own, grad_x, grad_y, grad_confidence, out)
               : planes.backward_marginal(own, grad_x, grad_y, grad_confidence, out);
  }
}

}  // namespace

void soft_argmax_forward(const Maps& maps, const Grid& grid, const Results& results,
                         double* scratch, int64_t first, int64_t last) {
  with_element(maps.logits.element, [&]<Element kElement>() {
    decode<kElement>(maps, grid, results, scratch, first, last);
  });
}

void soft_argmax_backward(const Maps& maps, const Grid& grid, const Gradients& gradients,
                          double* scratch, int64_t first, int64_t last) {
  with_element(gradients.logits.element, [&]<Element kElement>() {
    differentiate<kElement>(maps, grid, gradients, scratch, first, last);
  });
}

}  // namespace fastpose::FASTPOSE_ISA
