// Checks on the C++ side: only what memory safety needs. The Python front has already raised a
// ValueError or TypeError with the argument's name for everything a user can get wrong.
#pragma once

#include <torch/headeronly/util/Exception.h>

// Raises RuntimeError with the streamed message when `condition` does not hold.
#define FASTPOSE_CHECK(condition, ...) STD_TORCH_CHECK(condition, "fastpose: ", __VA_ARGS__)
