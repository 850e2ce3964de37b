// The CUDA kernels of render_skeleton as a library of plain functions, for ctypes.
#include "render_skeleton/cuda.cu"

using fastpose::Image;
using fastpose::skeleton::Drawing;

namespace {

cuda_on_cpu::Machine& machine = cuda_on_cpu::machine;
std::string message;

// Runs `body`; null, or why it failed.
template <typename Body>
const char* guarded(const Body& body) {
  try {
    if (body() == cudaSuccess) return nullptr;
    message = "the launcher refused";
  } catch (const std::exception& error) {
    message = error.what();
  }
  return message.c_str();
}

}  // namespace

extern "C" {

void schedule(uint64_t seed, const char* removed_barrier) {
  machine.random = seed * 2 + 1;
  machine.removed_barrier = removed_barrier;
}

// Names of the barriers that were reached since the library was loaded, one per line.
const char* barriers() {
  message.clear();
  for (const std::string& barrier : machine.barriers) message += barrier + "\n";
  return message.c_str();
}

const char* forward(const Drawing* drawing, const Image* out) {
  return guarded([&] { return fastpose::skeleton::cuda_forward(*drawing, *out, nullptr); });
}

int64_t scratch_bytes(const Drawing* drawing) {
  return fastpose::skeleton::cuda_backward_scratch(*drawing);
}

const char* backward(const Drawing* drawing, const Image* grad_output, void* scratch,
                     void* grad_points) {
  return guarded([&] {
    return fastpose::skeleton::cuda_backward(*drawing, *grad_output, scratch, grad_points, nullptr);
  });
}
}
