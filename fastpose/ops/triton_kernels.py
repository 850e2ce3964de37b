"""What several operators' Triton kernels call."""

# Triton's language does not type-check: what a kernel is called with is not what it receives.
# pyright: reportAttributeAccessIssue=false

import triton
import triton.language as tl


@triton.jit
def inverse(value):
    """1 / value, correctly rounded."""
    if value.dtype == tl.float64:
        result = 1.0 / value
    else:
        result = tl.div_rn(value * 0 + 1, value)
    return result
