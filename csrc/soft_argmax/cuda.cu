// Launches of soft_argmax on a GPU.
#include "soft_argmax/cuda.cuh"

#include "soft_argmax/backward.cuh"
#include "soft_argmax/forward.cuh"

namespace fastpose::soft_argmax {
namespace {

int power_of_2_from(int64_t least) {
  int power = 1;
  while (power < least) power *= 2;
  return power;
}

// Calls run.operator()<Pixel, kPack>() for numbers of that type, packed or one at a time.
template <typename Run>
cudaError_t with_pixels(Element element, bool packed, const Run& run) {
  switch (element) {
    case Element::float32:
      return packed ? run.template operator()<float, 4>() : run.template operator()<float, 1>();
    case Element::bfloat16:
      return packed ? run.template operator()<__nv_bfloat16, 8>()
                    : run.template operator()<__nv_bfloat16, 1>();
    case Element::float16:
      return packed ? run.template operator()<__half, 8>() : run.template operator()<__half, 1>();
    default:
      return run.template operator()<double, 1>();
  }
}

bool packs(const Image& image, int width) {
  return fastpose::packs(image, width, 16 / element_size(image.element));
}

template <typename T>
struct Launch {
  Decoding<T> decoding;
  dim3 grid, block;
  int warps;
};

// `interleaved` if neighbouring maps are neighbours in memory. The order of sums depends on the
// sizes of an image only, not on the batch.
template <typename Numbers, typename T = typename Numbers::T>
Launch<T> launch_of(const Maps& maps, bool interleaved) {
  Launch<T> launch;
  Decoding<T>& d = launch.decoding;
  d.logits = maps.logits;
  d.maps = int32_t(maps.maps);
  d.height = maps.height;
  d.width = maps.width;
  d.groups = int32_t(interleaved ? groups_of(maps.maps, kMostMaps) : maps.maps);
  d.per_group = int32_t(groups_of(maps.maps, d.groups));
  d.groups = int32_t(groups_of(maps.maps, d.per_group));
  d.map_lanes = power_of_2_from(d.per_group);
  const int most_columns = kWarpSize / d.map_lanes;
  const int columns = power_of_2_from(groups_of(maps.width, Numbers::kNumbers));
  d.column_lanes = columns < most_columns ? columns : most_columns;
  d.half_x = T(pixel_step(maps.width) / 2 * maps.extent);
  d.half_y = T(pixel_step(maps.height) / 2 * maps.extent);
  const int64_t per_map = kept_per_map(maps);
  const bool turned = maps.channels_last && !maps.joint;
  d.kept_image = maps.maps * per_map;
  d.kept_map = turned ? 1 : per_map;
  d.kept_step = turned ? maps.maps : 1;
  const int64_t rows = kWarpSize / (d.map_lanes * d.column_lanes) * Numbers::kRows;
  const int64_t warps = groups_of(maps.height, rows), most = most_warps(Numbers::kOfAPack);
  launch.warps = int(warps < most ? warps : most);
  launch.grid = dim3(unsigned(maps.batch * d.groups));
  launch.block = dim3(unsigned(launch.warps * kWarpSize));
  return launch;
}

template <typename Pixel, int kPack, bool kJoint>
cudaError_t decode(const Maps& maps, const Results& results, cudaStream_t stream) {
  using Numbers = Piece<Pixel, kPack>;
  using T = typename Numbers::T;
  const Launch<T> run = launch_of<Numbers>(maps, maps.channels_last && kPack == 1);
  const Decoding<T>& d = run.decoding;
  const Decoded<T> out{static_cast<T*>(results.points), static_cast<T*>(results.confidence),
                       static_cast<T*>(results.kept)};
  if constexpr (kJoint) {
    const size_t shared = run.warps * d.map_lanes * (sizeof(Sums<T>) + sizeof(T));
    return launch(soft_argmax_forward_kernel<Pixel, kPack, true, false, T>, run.grid, run.block,
                  shared, stream, d, out);
  } else {
    const int64_t sides = int64_t{d.per_group} * (maps.width + maps.height);
    const bool in_shared = sides <= kMostShared;
    const auto kernel = in_shared ? soft_argmax_forward_kernel<Pixel, kPack, false, true, T>
                                  : soft_argmax_forward_kernel<Pixel, kPack, false, false, T>;
    const int partial = partial_numbers(run.warps, d.map_lanes, d.column_lanes, Numbers::kNumbers);
    const size_t shared = (partial + (in_shared ? sides : 0)) * sizeof(T);
    return launch(kernel, run.grid, run.block, shared, stream, d, out);
  }
}

template <typename Pixel, int kPack, bool kJoint>
cudaError_t differentiate(const Maps& maps, const Gradients& gradients, cudaStream_t stream) {
  using Numbers = Piece<Pixel, kPack>;
  using T = typename Numbers::T;
  const Launch<T> run = launch_of<Numbers>(maps, maps.channels_last && kPack == 1);
  const Arriving<T> in{
      static_cast<const T*>(gradients.points),
      static_cast<const T*>(gradients.confidence),
      {gradients.point_stride[0], gradients.point_stride[1], gradients.point_stride[2]},
      {gradients.confidence_stride[0], gradients.confidence_stride[1]},
      static_cast<const T*>(gradients.kept),
      gradients.logits};
  const size_t shared = kJoint ? 0 : 2 * kMostMaps * sizeof(SideSums<T>);
  return launch(soft_argmax_backward_kernel<Pixel, kPack, kJoint, T>, run.grid, run.block, shared,
                stream, run.decoding, in);
}

}  // namespace

cudaError_t cuda_forward(const Maps& maps, const Results& results, cudaStream_t stream) {
  if (maps.batch == 0 || maps.maps == 0) return cudaSuccess;
  const bool packed = packs(maps.logits, maps.width);
  return with_pixels(maps.logits.element, packed, [&]<typename Pixel, int kPack>() {
    return maps.joint ? decode<Pixel, kPack, true>(maps, results, stream)
                      : decode<Pixel, kPack, false>(maps, results, stream);
  });
}

cudaError_t cuda_backward(const Maps& maps, const Gradients& gradients, cudaStream_t stream) {
  if (maps.batch == 0 || maps.maps == 0) return cudaSuccess;
  const bool packed =
      packs(gradients.logits, maps.width) && (!maps.joint || packs(maps.logits, maps.width));
  return with_pixels(gradients.logits.element, packed, [&]<typename Pixel, int kPack>() {
    return maps.joint ? differentiate<Pixel, kPack, true>(maps, gradients, stream)
                      : differentiate<Pixel, kPack, false>(maps, gradients, stream);
  });
}

}  // namespace fastpose::soft_argmax
