// torch's own thread pool, so that torch.set_num_threads holds and no second pool competes.
#pragma once

#include <torch/csrc/stable/ops.h>

#include <cstdint>

namespace fastpose {

// Calls body(first, last) over parts of [begin, end) of at least `grain` items each. The split
// depends on the number of threads, so `body` must give the same bytes however the range is cut.
// `body` must not throw: an exception cannot cross torch's C interface.
template <typename Body>
inline void parallel_for(int64_t begin, int64_t end, int64_t grain, const Body& body) {
  if (begin < end) torch::stable::parallel_for(begin, end, grain, body);
}

}  // namespace fastpose
