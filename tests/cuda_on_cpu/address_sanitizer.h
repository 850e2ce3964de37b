// What the address sanitizer must be told of fibers and of shared memory (`make sanitize`); without
// it all of this does nothing.
#pragma once

#include <ucontext.h>

#include <cstddef>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>

namespace cuda_on_cpu {

static void* scheduler_shadow;
static const void* scheduler_stack;
static size_t scheduler_stack_bytes;

// Before and after every change of stacks; `shadow` keeps the sanitizer's state of a fiber that
// waits, and is null at a fiber's start and end.
inline void leave_scheduler(const stack_t& fiber) {
  __sanitizer_start_switch_fiber(&scheduler_shadow, fiber.ss_sp, fiber.ss_size);
}
inline void enter_fiber(void* shadow) {
  __sanitizer_finish_switch_fiber(shadow, &scheduler_stack, &scheduler_stack_bytes);
}
inline void leave_fiber(void** shadow) {
  __sanitizer_start_switch_fiber(shadow, scheduler_stack, scheduler_stack_bytes);
}
inline void enter_scheduler() {
  __sanitizer_finish_switch_fiber(scheduler_shadow, nullptr, nullptr);
}

// Makes reading or writing `memory` an error, or none again.
inline void forbid(const void* memory, size_t bytes) { ASAN_POISON_MEMORY_REGION(memory, bytes); }
inline void allow(const void* memory, size_t bytes) { ASAN_UNPOISON_MEMORY_REGION(memory, bytes); }

}  // namespace cuda_on_cpu

#else

namespace cuda_on_cpu {

inline void leave_scheduler(const stack_t&) {}
inline void enter_fiber(void*) {}
inline void leave_fiber(void**) {}
inline void enter_scheduler() {}
inline void forbid(const void*, size_t) {}
inline void allow(const void*, size_t) {}

}  // namespace cuda_on_cpu

#endif
