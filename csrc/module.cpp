// The pybind11 module fastpose._C: facts about this build. It includes no torch header and links
// no torch library; the operators live in libfastpose_cpu.so and libfastpose_cuda.so.
#include <pybind11/pybind11.h>

#include <string>

namespace py = pybind11;

namespace {

std::string compiler() {
#if defined(__clang__)
  return std::string("clang ") + __clang_version__;
#elif defined(__GNUC__)
  return std::string("gcc ") + __VERSION__;
#else
  return "unknown";
#endif
}

py::dict build_info() {
  py::dict info;
  info["version"] = FASTPOSE_VERSION;
  info["git_hash"] = FASTPOSE_GIT_HASH;  // empty in a build in place: it would go stale
  info["compiler"] = compiler();
  info["cuda_version"] = FASTPOSE_CUDA_VERSION;  // empty without CUDA
  info["cuda_archs"] = FASTPOSE_CUDA_ARCH_LIST;  // for example "80 90 120 120+PTX"
  info["torch_built_with"] = FASTPOSE_TORCH_BUILT_WITH;
  info["torch_target"] = FASTPOSE_TORCH_TARGET;  // the oldest torch that loads the libraries
  return info;
}

}  // namespace

PYBIND11_MODULE(_C, module) {
  module.doc() = "Build facts of fastpose's native libraries.";
  module.def("build_info", &build_info, "A new dict of strings; keys as in csrc/module.cpp.");
}
