// What the library of every operator's kernels has: `<operator>.cpp` includes its cuda.cu, then
// this.
#pragma once

#include "cuda_runtime.h"

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
}
