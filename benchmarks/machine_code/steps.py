"""What the kernels do most of the time, found in their machine code, and for how many pixels."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from benchmarks.machine_code.read import Kernel, Stretch

LIMB_AND_PIXEL = "limb and pixel"
PIXEL = "pixel"
ASKED = "texel and pixel"
_FLOATING = re.compile(r"\b[FD](FMA|ADD|MUL|MNMX|SETP)\b")


class Step(NamedTuple):
    """A stretch of code that a lane goes through again and again.

    Attributes:
        code: its instructions.
        items: how many of `what` a lane is done with after it.
        what: a pixel, or a limb's part of one, or a pixel's share of a texel's gradient.
    """

    code: Stretch
    items: int
    what: str

    @property
    def instructions(self) -> float:
        """For one item."""
        return len(self.code) / self.items

    def count(self, pattern: str) -> int:
        """Instructions that match."""
        return sum(re.search(pattern, text) is not None for text in self.code)


def search_loop(kernel: Kernel) -> Stretch:
    """The loop with the most arithmetic among those in which lanes exchange nothing: it tries one
    limb on a lane's pixels."""
    quiet = [b for b in kernel.loops() if not re.search(r"SHFL|LDG|STG|CALL", "\n".join(b))]
    return max(quiet, key=lambda body: sum(_FLOATING.search(t) is not None for t in body))


def sum_loop(kernel: Kernel) -> Stretch:
    """The longest loop in which lanes exchange numbers: it sums up for one limb that has won."""
    return max((b for b in kernel.loops() if "SHFL" in "\n".join(b)), key=len)


def longest_loop(kernel: Kernel) -> Stretch:
    return max(kernel.loops(), key=len)


def straight_loop(kernel: Kernel) -> Stretch:
    """The loop of Gaussians along the image's axes: the longest of those with few exponentials."""
    exponentials = [
        (sum("MUFU.EX2" in text for text in loop), loop) for loop in kernel.shortest_passes()
    ]
    few = 8 * min(count for count, _ in exponentials)
    return max((loop for count, loop in exponentials if count <= few), key=len)


def texels_of_four_pixels(kernel: Kernel) -> Stretch:
    """Where all are there: from where the pixels are to their last texel."""
    return max(kernel.pieces(), key=lambda piece: piece.loads)


def tile_of_texels(kernel: Kernel) -> Stretch:
    """The loop over tiles of warped templates, once, where all texels are there."""
    loop = longest_loop(kernel)
    most = texels_of_four_pixels(kernel).loads
    pieces = [p for p in kernel.pieces() if p.loads == most and loop.first <= p.first <= loop.last]
    return kernel.way_through(pieces, loop.first, loop.last)


# By name: where to look, how many items a lane is done with after it, and what they are.
_KNOWN: dict[str, tuple[Callable[[Kernel], Stretch], int, str]] = {
    r"render_skeleton_(for|back)ward_kernel<": (search_loop, 8, LIMB_AND_PIXEL),
    r"render_skeleton_forward_strided_kernel<": (search_loop, 4, LIMB_AND_PIXEL),
    r"render_gaussians_forward_kernel<float>": (longest_loop, 4, PIXEL),
    r"render_gaussians_forward_kernel<__": (longest_loop, 8, PIXEL),
    r"render_gaussians_forward_strided_kernel<": (longest_loop, 1, PIXEL),
    r"render_gaussians_backward_kernel<float, float": (longest_loop, 16, PIXEL),
    r"render_gaussians_backward_kernel<float, __": (longest_loop, 32, PIXEL),
    r"render_gaussians_backward_kernel<\w+, void, 4>": (longest_loop, 4, PIXEL),
    r"render_gaussians_backward_kernel<\w+, void, 8>": (longest_loop, 8, PIXEL),
    r"warp_templates_(for|back)ward_kernel<": (texels_of_four_pixels, 4, PIXEL),
    r"warp_templates_forward_strided_kernel<": (texels_of_four_pixels, 4, PIXEL),
    r"warp_templates_backward_templates_kernel<": (longest_loop, 4, ASKED),
    r"soft_argmax_(for|back)ward_kernel<\w+, \d, true,": (longest_loop, 16, PIXEL),
    r"soft_argmax_backward_kernel<(float, 4|__\w+, 8), false,": (longest_loop, 16, PIXEL),
    r"soft_argmax_backward_kernel<(float|double), 1, false,": (longest_loop, 8, PIXEL),
    r"soft_argmax_backward_kernel<__\w+, 1, false,": (longest_loop, 4, PIXEL),
}


def step_of(kernel: Kernel) -> Step | None:
    """The innermost work of a kernel; None of one that only puts together what others have left, or
    whose pixels go through loops within loops."""
    for pattern, (find, items, what) in _KNOWN.items():
        if re.match(pattern, kernel.name):
            return Step(find(kernel), items, what)
    return None
