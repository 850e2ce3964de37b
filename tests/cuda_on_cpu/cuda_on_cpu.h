// Runs CUDA C++ kernels on the CPU, so that their very sources are tested where there is no GPU.
//
// A test tool, not a backend. The files cuda_runtime.h, cuda_fp16.h and cuda_bf16.h beside this one
// stand in for NVIDIA's; with this folder first on the include path a .cu file compiles as C++.
// Every CUDA thread is a fiber. Within a block the next fiber to run is drawn from a seeded random
// generator whenever one waits, and blocks run in a random order. No two lanes advance together
// unless a warp-wide operation makes them, which is stricter than any GPU: a missing barrier reads
// shared memory that another thread has not written yet, or has overwritten already. Shared memory
// holds NaN at the start of every block, and a write behind its end is reported.
//
// What there is: grids, blocks, dynamic shared memory named `shared_memory`, __syncthreads,
// __syncwarp, shuffles, votes and minima over full warps, launches through cudaLaunchKernelEx. What
// cannot be seen here: the accuracy of the GPU's approximate functions, races on global memory
// within one kernel, registers, speed.
#pragma once

#include <setjmp.h>
#include <sys/mman.h>
#include <ucontext.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <functional>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "address_sanitizer.h"

struct uint3 {
  unsigned x, y, z;
};
struct dim3 {
  unsigned x, y, z;
  constexpr dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
};

namespace cuda_on_cpu {
constexpr size_t kSharedBytes = 99 << 10;  // what a block may have on sm_120, the least of ours
constexpr size_t kCanaryBytes = 1 << 10;
}  // namespace cuda_on_cpu

// What a kernel sees.
static uint3 threadIdx, blockIdx;
static dim3 blockDim, gridDim;
alignas(128) unsigned char shared_memory[cuda_on_cpu::kSharedBytes + cuda_on_cpu::kCanaryBytes];

namespace cuda_on_cpu {

constexpr int kWarp = 32;
constexpr size_t kStackBytes = 64 << 10;

// One warp-wide operation in progress: what each lane brought, and what they take away.
struct Warp {
  uint64_t brought[kWarp], taken[kWarp];
  int arrived = 0;
  const char* operation = nullptr;
  int line = 0;
};

enum class State { ready, at_barrier, in_warp, done };

struct Fiber {
  State state;
  uint3 thread;
  int warp, lane, line;
  bool started;
  jmp_buf registers;
  ucontext_t entry;
  void* shadow;  // see address_sanitizer.h
};

// Everything of a run; one at a time, on one OS thread.
struct Machine {
  uint64_t random = 1;
  std::string removed_barrier;     // does nothing, to see that it matters
  std::set<std::string> barriers;  // all that were reached
  std::vector<Fiber> fibers;
  std::vector<Warp> warps;
  Fiber* current = nullptr;
  std::function<void()> body;
  jmp_buf scheduler;
  ucontext_t start;
  char* stacks = nullptr;
  std::string error;

  uint64_t draw() {  // xorshift64*
    random ^= random >> 12;
    random ^= random << 25;
    random ^= random >> 27;
    return random * 0x2545f4914f6cdd1dull;
  }
};

static Machine machine;  // not inline: the linker would share it among libraries

// Gives the processor back to the scheduler; returns when this fiber is drawn again.
[[gnu::noinline]] inline void yield() {
  Fiber* self = machine.current;
  if (_setjmp(self->registers) == 0) {
    leave_fiber(&self->shadow);
    _longjmp(machine.scheduler, 1);
  }
  enter_fiber(self->shadow);
}

[[noreturn]] inline void fail(const std::string& message) {
  machine.error = message;
  leave_fiber(nullptr);
  _longjmp(machine.scheduler, 2);
}

// Whether to pass a barrier as if it were not there. Barriers are named "file:line".
inline bool is_removed(const char* file, int line) {
  const char* name = std::strrchr(file, '/');
  const std::string barrier = (name ? name + 1 : file) + (":" + std::to_string(line));
  machine.barriers.insert(barrier);
  return barrier == machine.removed_barrier;
}

inline void block_barrier(const char* file, int line) {
  if (is_removed(file, line)) return;
  machine.current->line = line;
  machine.current->state = State::at_barrier;
  yield();
}

// All 32 lanes meet here; each then sees what every lane brought.
inline const uint64_t* warp_meeting(const char* operation, unsigned mask, uint64_t value,
                                    int line) {
  Fiber& self = *machine.current;
  Warp& warp = machine.warps[self.warp];
  if (mask != 0xffffffffu) fail(std::string(operation) + ": only full warps are supported");
  if (warp.arrived == 0) {
    warp.operation = operation;
    warp.line = line;
  } else if (std::strcmp(warp.operation, operation) != 0 || warp.line != line) {
    fail("lanes of a warp diverged: " + std::string(warp.operation) + " in line " +
         std::to_string(warp.line) + ", " + operation + " in line " + std::to_string(line));
  }
  warp.brought[self.lane] = value;
  self.line = line;
  if (++warp.arrived < kWarp) {
    self.state = State::in_warp;
  } else {
    std::copy(warp.brought, warp.brought + kWarp, warp.taken);
    warp.arrived = 0;
    for (Fiber& fiber : machine.fibers)
      if (fiber.warp == self.warp) fiber.state = State::ready;
  }
  yield();
  return warp.taken;
}

inline void warp_barrier(const char* file, int line) {
  if (!is_removed(file, line)) warp_meeting("__syncwarp", 0xffffffffu, 0, line);
}

template <typename T>
uint64_t to_bits(T value) {
  static_assert(sizeof(T) <= 8);
  uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof(T));
  return bits;
}

template <typename T>
T from_bits(uint64_t bits) {
  T value;
  std::memcpy(&value, &bits, sizeof(T));
  return value;
}

template <typename T>
T shuffle(unsigned mask, T value, int source, int line) {
  return from_bits<T>(warp_meeting("__shfl_sync", mask, to_bits(value), line)[source & 31]);
}

template <typename T>
T shuffle_xor(unsigned mask, T value, int lanes, int line) {
  const int lane = machine.current->lane;
  return from_bits<T>(
      warp_meeting("__shfl_xor_sync", mask, to_bits(value), line)[(lane ^ lanes) & 31]);
}

inline unsigned ballot(unsigned mask, bool vote, int line) {
  const uint64_t* votes = warp_meeting("__ballot_sync", mask, vote, line);
  unsigned result = 0;
  for (int lane = 0; lane < kWarp; ++lane) result |= unsigned(votes[lane]) << lane;
  return result;
}

inline unsigned reduce_min(unsigned mask, unsigned value, int line) {
  const uint64_t* values = warp_meeting("__reduce_min_sync", mask, value, line);
  return unsigned(*std::min_element(values, values + kWarp));
}

// The first function on every fiber's stack.
inline void run_fiber() {
  enter_fiber(nullptr);
  machine.body();
  machine.current->state = State::done;
  leave_fiber(nullptr);
  _longjmp(machine.scheduler, 1);
}

// Why no fiber can run although some have not finished.
inline std::string stuck() {
  std::string places;
  int waiting = 0;
  for (const Fiber& fiber : machine.fibers) {
    if (fiber.state == State::done) continue;
    const std::string place = "line " + std::to_string(fiber.line);
    if (places.find(place) == std::string::npos) places += (places.empty() ? "" : ", ") + place;
    ++waiting;
  }
  return std::to_string(waiting) + " of " + std::to_string(machine.fibers.size()) +
         " threads of a block wait for ever in " + places;
}

inline void release_barrier() {
  const int line = machine.fibers[0].line;
  for (const Fiber& fiber : machine.fibers)
    if (fiber.state != State::at_barrier || fiber.line != line) throw std::runtime_error(stuck());
  for (Fiber& fiber : machine.fibers) fiber.state = State::ready;
}

// Lets a fiber run until it waits or ends; 2 if it failed.
[[gnu::noinline]] inline int resume(Fiber* fiber) {
  machine.current = fiber;
  threadIdx = fiber->thread;
  const int reason = _setjmp(machine.scheduler);
  if (reason != 0) {
    enter_scheduler();
    return reason;
  }
  leave_scheduler(fiber->entry.uc_stack);
  if (fiber->started) _longjmp(fiber->registers, 1);
  fiber->started = true;
  setcontext(&fiber->entry);
  return 2;
}

inline void run_block(size_t shared) {
  allow(shared_memory, sizeof(shared_memory));
  std::memset(shared_memory, 0xff, shared);
  std::memset(shared_memory + shared, 0xa5, kCanaryBytes);
  forbid(shared_memory + shared, sizeof(shared_memory) - shared);
  std::vector<Fiber*> ready;
  while (true) {
    ready.clear();
    bool finished = true;
    for (Fiber& fiber : machine.fibers) {
      if (fiber.state == State::ready) ready.push_back(&fiber);
      finished = finished && fiber.state == State::done;
    }
    if (finished) break;
    if (ready.empty()) {
      release_barrier();
      continue;
    }
    // A draw among those that were ready; what becomes ready meanwhile waits for the next round.
    for (size_t left = ready.size(); left > 0; --left) {
      std::swap(ready[machine.draw() % left], ready[left - 1]);
      if (resume(ready[left - 1]) == 2) throw std::runtime_error(machine.error);
    }
  }
  allow(shared_memory, sizeof(shared_memory));
  for (size_t i = shared; i < shared + kCanaryBytes; ++i)
    if (shared_memory[i] != 0xa5) throw std::runtime_error("a write behind the shared memory");
}

inline void make_fibers(int threads) {
  constexpr int kMostThreads = 1024;
  if (threads <= 0 || threads > kMostThreads || threads % kWarp != 0)
    throw std::runtime_error("a block must have 32, 64, ... 1024 threads");
  if (machine.stacks == nullptr)
    machine.stacks =
        static_cast<char*>(mmap(nullptr, kMostThreads * kStackBytes, PROT_READ | PROT_WRITE,
                                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
  machine.fibers.resize(threads);
  machine.warps.assign(threads / kWarp, Warp());
  for (int i = 0; i < threads; ++i) {
    Fiber& fiber = machine.fibers[i];
    fiber.state = State::ready;
    fiber.started = false;
    fiber.warp = i / kWarp;
    fiber.lane = i % kWarp;
    fiber.line = 0;
    fiber.thread = {unsigned(i) % blockDim.x, i / blockDim.x % blockDim.y,
                    i / (blockDim.x * blockDim.y)};
    getcontext(&fiber.entry);
    fiber.entry.uc_stack.ss_sp = machine.stacks + i * kStackBytes;
    fiber.entry.uc_stack.ss_size = kStackBytes;
    fiber.entry.uc_link = nullptr;
    makecontext(&fiber.entry, run_fiber, 0);
  }
}

// Runs `body` once per thread of the grid. Throws std::runtime_error for a launch or a program that
// no GPU would run.
inline void run_grid(dim3 grid, dim3 block, size_t shared, std::function<void()> body) {
  if (grid.x == 0 || grid.y == 0 || grid.z == 0 || grid.x > 0x7fffffffu || grid.y > 65535 ||
      grid.z > 65535)
    throw std::runtime_error("the grid is empty or too large");
  if (shared > kSharedBytes) throw std::runtime_error("too much shared memory");
  machine.body = std::move(body);
  gridDim = grid;
  blockDim = block;
  std::vector<uint64_t> order(uint64_t(grid.x) * grid.y * grid.z);
  for (uint64_t i = 0; i < order.size(); ++i) order[i] = i;
  for (size_t left = order.size(); left > 1; --left)
    std::swap(order[machine.draw() % left], order[left - 1]);
  for (const uint64_t i : order) {
    blockIdx = {unsigned(i % grid.x), unsigned(i / grid.x % grid.y), unsigned(i / grid.x / grid.y)};
    make_fibers(int(block.x * block.y * block.z));
    run_block(shared);
  }
}

}  // namespace cuda_on_cpu

// What the compiler's check of alignment calls (build.py links no library of its own for it).
extern "C" [[gnu::used, gnu::visibility("hidden")]] inline void __ubsan_handle_type_mismatch_v1(
    void*, uintptr_t) {
  cuda_on_cpu::fail("a misaligned access");
}
