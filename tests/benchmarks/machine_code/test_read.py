"""What is found in a listing: loops, ways through them, and what lies around."""

from __future__ import annotations

import pytest

from benchmarks.machine_code.read import Kernel
from benchmarks.machine_code.steps import longest_loop, straight_loop

# Two nested loops; the inner one may leave out an exponential. A rare case stands behind the end.
LISTING = """
    MOV R1, c[0x0][0x28]
    @P0 EXIT
    LDG.E R2, desc[UR4][R2.64]
outer: FADD R3, R3, R2
    @P1 BRA rare
inner: FMUL R4, R4, R4
    MUFU.EX2 R5, R4
    @!P2 BRA past
    FADD R6, R6, 1
    MUFU.EX2 R7, R6
past: FADD R8, R8, R7
    @P3 BRA inner
    IADD3 R9, R9, 0x1, RZ
    @P4 BRA outer
    STG.E.128 desc[UR4][R2.64], R4
    EXIT
rare: FADD R3, R3, 2
    BRA inner
    BRA here
here: NOP
"""


@pytest.fixture
def kernel() -> Kernel:
    lines = [line.split(": ") for line in LISTING.strip().splitlines()]
    address_of = {line[0]: 16 * n for n, line in enumerate(lines) if len(line) == 2}
    code = []
    for n, line in enumerate(lines):
        text = line[-1].strip()
        for label, address in address_of.items():
            text = text.replace(f"BRA {label}", f"BRA {address:#x}")
        code.append((16 * n, text))
    return Kernel("example_kernel<float>", "sm_90", code=code)


def test_the_innermost_loop(kernel: Kernel) -> None:
    loop = longest_loop(kernel)
    assert (loop.first, loop.last) == (5, 11)
    assert loop == [text for _, text in kernel.code[5:12]]


def test_a_pass_jumps_over_what_it_may(kernel: Kernel) -> None:
    (short,) = [p for p in kernel.shortest_passes() if p.first == 5]
    assert len(short) == 5 and sum("MUFU.EX2" in text for text in short) == 1
    assert straight_loop(kernel) == short


def test_what_lies_around_a_loop(kernel: Kernel) -> None:
    loop = longest_loop(kernel)
    assert kernel.around(loop) == 5 + 4  # three and two before it; behind it as many and the end
    assert kernel.turn_around(loop) == 2 + 2


def test_pieces_end_at_jumps_and_where_they_lead(kernel: Kernel) -> None:
    pieces = kernel.pieces()
    assert [text for piece in pieces for text in piece] == [text for _, text in kernel.code]
    assert {5, 10} <= {piece.first for piece in pieces}
    assert {1, 4, 7, 11} <= {piece.last for piece in pieces}
    assert sum(piece.loads for piece in pieces) == 1


def test_a_way_through_pieces(kernel: Kernel) -> None:
    rare = next(piece for piece in kernel.pieces() if "MUFU.EX2 R7, R6" in piece)
    way = kernel.way_through([rare], 5, 11)
    assert len(way) == 7, "what could be jumped over is on the way"
