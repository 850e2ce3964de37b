// The C entry point, for ctypes: numpy arrays in and out, no tensor.
#include "cast_capsules/cast_capsules.h"

namespace fastpose {
namespace {

void cast(const CapsuleRays& rays) { FASTPOSE_CPU(cast_capsules)(rays); }

}  // namespace
}  // namespace fastpose

extern "C" {

__attribute__((visibility("default"))) void fastpose_cast_capsules(
    const fastpose::CapsuleRays* rays) {
  fastpose::cast(*rays);
}
}
