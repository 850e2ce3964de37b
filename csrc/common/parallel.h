// torch's own thread pool, so that torch.set_num_threads holds and no second pool competes.
#pragma once

#include <torch/csrc/stable/ops.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <memory>

#include "common/check.h"

namespace fastpose {

// Calls body(first, last) over parts of [begin, end) of at least `grain` items each. The split
// depends on the number of threads, so `body` must give the same bytes however the range is cut.
// `body` must not throw: an exception cannot cross torch's C interface.
template <typename Body>
inline void parallel_for(int64_t begin, int64_t end, int64_t grain, const Body& body) {
  if (begin < end) torch::stable::parallel_for(begin, end, grain, body);
}

// The same with memory of `bytes` > 0 for each part: calls body(memory, first, last). Raises
// RuntimeError, once all threads are done, where there is not that much memory.
template <typename Body>
inline void parallel_for(int64_t begin, int64_t end, int64_t grain, int64_t bytes,
                         const Body& body) {
  std::atomic<bool> is_short = false;
  parallel_for(begin, end, grain, [&](int64_t first, int64_t last) {
    const std::unique_ptr<void, decltype(&std::free)> memory(std::malloc(bytes), &std::free);
    memory ? body(memory.get(), first, last) : is_short.store(true);
  });
  FASTPOSE_CHECK(!is_short, "not enough memory: ", bytes, " bytes for each thread");
}

}  // namespace fastpose
