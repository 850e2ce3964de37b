"""The machine code of the CUDA kernels keeps to its budgets, where there is nvcc and no GPU needed.

What is read is the library that was built. `python -m benchmarks.machine_code` prints the figures.
"""

from __future__ import annotations

import re

import pytest

from benchmarks.machine_code.read import (
    LIBRARY,
    Kernel,
    architectures,
    find_cuobjdump,
    kernels,
    newest_source,
)
from benchmarks.machine_code.steps import Step, search_loop, step_of, texels_of_four_pixels
from fastpose import _native

ARCHS = {"sm_80", "sm_90", "sm_120"}
# Registers per thread that the launch bounds of csrc/<operator> allow.
REGISTERS = {
    "render_skeleton_forward_kernel<": 64,
    "render_skeleton_forward_strided_kernel<float": 64,
    "render_skeleton_forward_strided_kernel<double": 128,
    "render_skeleton_backward_kernel<float": 80,
    "render_skeleton_backward_kernel<double": 168,
    "render_skeleton_backward_finish_kernel<": 64,
    r"soft_argmax_(for|back)ward_kernel<\w+, [48],": 80,
    r"soft_argmax_(for|back)ward_kernel<(float|__\w+), 1,": 64,
    "soft_argmax_(for|back)ward_kernel<double,": 128,
    "warp_templates_forward_kernel<": 64,
    "warp_templates_forward_strided_kernel<float": 64,
    "warp_templates_forward_strided_kernel<double": 128,
    "warp_templates_backward_kernel<float, (float|__)": 96,
    "warp_templates_backward_kernel<float, void": 128,
    "warp_templates_backward_kernel<double": 255,
    "warp_templates_backward_finish_kernel<": 64,
    "warp_templates_backward_templates_kernel<float, (float|__)": 96,
    "warp_templates_backward_templates_kernel<float, void": 128,
    "warp_templates_backward_templates_kernel<double": 255,
    "render_gaussians_forward_kernel<": 64,
    "render_gaussians_forward_strided_kernel<": 64,
    "render_gaussians_backward_kernel<float, (float|void), 4>": 64,
    "render_gaussians_backward_kernel<float, \\w+, 8>": 128,
    "render_gaussians_backward_kernel<double": 128,
    "render_gaussians_backward_channels_kernel<float": 128,
    "render_gaussians_backward_channels_kernel<double": 255,
    "render_gaussians_backward_finish_kernel<": 64,
    "render_gaussians_backward_templates_kernel<": 128,
    "pose_losses_sum_kernel<": 64,
    "pose_losses_backward_kernel<": 40,
    "pose_losses_divergence_kernel<": 64,
    "pose_losses_divergence_backward_kernel<": 32,
    "structural_similarity_forward_kernel<float": 128,
    "structural_similarity_forward_kernel<double": 255,
    "structural_similarity_finish_kernel<": 64,
    "structural_similarity_backward_kernel<": 32,
    "structural_similarity_backward_strided_kernel<": 64,
    "feature_distance_forward_kernel<": 64,
    "feature_distance_backward_kernel<": 64,
    "feature_distance_(finish|weights)_kernel<": 32,
    "cast_capsules_kernel": 128,
}
# Instructions that one limb may cost one pixel in float32, in the loop that tries limbs.
INSTRUCTIONS = {
    r"forward_kernel<\w+, Line>": 9,
    r"forward_kernel<\w+, Bar>": 12,
    r"forward_strided_kernel<float, Line>": 10.5,
    r"forward_strided_kernel<float, Bar>": 13.5,
    r"backward_kernel<float, \w+, Line>": 11,
    r"backward_kernel<float, \w+, Bar>": 14,
}
# How the kernels with packed pixels move them: 16 bytes for each store and load, or 4 pixels.
MOVES = {
    r"render_skeleton_forward_kernel<": r"STG\.E\.128",
    r"render_skeleton_backward_kernel<float, float, \w+>": r"LDG\.E\.128",
    r"render_skeleton_backward_kernel<float, (__half|__nv_bfloat16), \w+>": r"LDG\.E\.64",
    r"soft_argmax_forward_kernel<\w+, [48],": r"LDG\.E\.128",
    r"soft_argmax_backward_kernel<\w+, [48],": r"STG\.E\.128",
    r"soft_argmax_backward_kernel<\w+, [48], true": r"LDG\.E\.128",
    r"warp_templates_forward_kernel<\w+>": r"STG\.E\.128",
    r"render_gaussians_forward_kernel<": r"STG\.E\.128",
    r"render_gaussians_backward_kernel<float, (float|__half|__nv_bfloat16)": r"LDG\.E\.128",
    r"pose_losses_sum_kernel<": r"LDG\.E\.128",
    r"pose_losses_backward_kernel<": r"STG\.E\.128",
    r"structural_similarity_forward_kernel<float, .*, float>": r"LDG\.E\.128",
    r"structural_similarity_forward_kernel<float, .*, __\w+>": r"LDG\.E\.64",
    r"structural_similarity_backward_kernel<": r"STG\.E\.128",
    r"feature_distance_(for|back)ward_kernel<": r"(LD|ST)G\.E\.128",
}
# Instructions that a pixel may cost in the loop of Gaussians at an angle, with an exponential each.
PER_PIXEL = {
    r"render_gaussians_forward_kernel<float>": 9.5,
    r"render_gaussians_forward_kernel<__": 7.5,
    r"render_gaussians_backward_kernel<float, float": 13,
    r"render_gaussians_backward_kernel<float, __": 12,
}


@pytest.fixture(scope="session")
def cuobjdump() -> str:
    """The disassembler; skips where there is nothing to disassemble."""
    found = find_cuobjdump()
    if found is None:
        pytest.skip("no cuobjdump: install the CUDA toolkit or Triton")
    if not LIBRARY.is_file():
        pytest.skip(f"no {LIBRARY.name}: 'make build' makes it where nvcc is")
    if LIBRARY.stat().st_mtime < newest_source():
        pytest.skip(f"{LIBRARY.name} is older than its sources: run 'make build'")
    return found


@pytest.fixture(scope="session")
def hopper(cuobjdump: str) -> list[Kernel]:
    """All kernels of the library for the H100 and H200."""
    return kernels(LIBRARY, cuobjdump, "sm_90")


def matching(found: list[Kernel], pattern: str) -> list[Kernel]:
    """Kernels whose name fits; there must be some."""
    fitting = [kernel for kernel in found if re.search(pattern, kernel.name)]
    assert fitting, f"no kernel is called {pattern}"
    return fitting


def test_there_is_machine_code_for_every_architecture(cuobjdump: str) -> None:
    asked = {f"sm_{arch}" for arch in _native.build_info()["cuda_archs"].split()}
    if not asked >= ARCHS:
        pytest.skip("built for other architectures (FASTPOSE_CUDA_ARCHS)")
    names = architectures(LIBRARY, cuobjdump)
    assert names["sm_90"] and names["sm_80"] == names["sm_90"] == names["sm_120"]


def test_no_spills_and_no_local_memory(hopper: list[Kernel]) -> None:
    assert [k.name for k in hopper if k.stack or k.local or k.count(r"\b(LDL|STL)\b")] == []


def test_registers(hopper: list[Kernel]) -> None:
    counted = set()
    for prefix, most in REGISTERS.items():
        for kernel in matching(hopper, "^" + prefix):
            assert kernel.registers <= most, kernel.name
            counted.add(kernel.name)
    assert counted == {k.name for k in hopper}, "a kernel without a budget"


def innermost(kernel: Kernel) -> Step:
    step = step_of(kernel)
    assert step is not None, f"nobody says where {kernel.name} does its work"
    return step


@pytest.mark.parametrize("pattern", INSTRUCTIONS)
def test_instructions_per_limb_and_pixel(hopper: list[Kernel], pattern: str) -> None:
    for kernel in matching(hopper, pattern):
        assert 5 < innermost(kernel).instructions <= INSTRUCTIONS[pattern], kernel.name


@pytest.mark.parametrize("pattern", PER_PIXEL)
def test_instructions_per_pixel(hopper: list[Kernel], pattern: str) -> None:
    for kernel in matching(hopper, pattern):
        step = innermost(kernel)
        assert step.instructions <= PER_PIXEL[pattern], kernel.name
        assert step.count(r"MUFU\.EX2") >= step.items, kernel.name


@pytest.mark.parametrize("pattern", MOVES)
def test_wide_loads_and_stores(hopper: list[Kernel], pattern: str) -> None:
    for kernel in matching(hopper, pattern):
        assert kernel.count(MOVES[pattern]), kernel.name


def test_the_loop_over_limbs_is_tight(hopper: list[Kernel]) -> None:
    """Limbs come from shared memory 16 bytes at a time; roots and exponentials stay outside."""
    for kernel in matching(hopper, r"ward_kernel<(float, )?\w+, (Line|Bar)>"):
        loop = "\n".join(search_loop(kernel))
        assert "LDS.128" in loop, kernel.name
        assert not re.search(r"MUFU|CALL|LDG|BAR|SHFL", loop), kernel.name


def test_clamping_costs_no_instruction(hopper: list[Kernel]) -> None:
    for kernel in matching(hopper, r"forward_kernel<\w+, Line>"):
        loop = "\n".join(search_loop(kernel))
        pixels = innermost(kernel).items
        assert loop.count("FFMA.SAT") == loop.count("FMNMX") == pixels, kernel.name


@pytest.mark.parametrize("pattern", [r"warp_templates_(for|back)ward(_strided)?_kernel<float"])
def test_the_texels_of_four_pixels_are_on_their_way_together(
    hopper: list[Kernel], pattern: str
) -> None:
    """Where all are there, nothing waits between their loads; at most 20 instructions each, from
    where the pixel is to its last texel."""
    for kernel in matching(hopper, pattern):
        piece = texels_of_four_pixels(kernel)
        assert sum("LDG.E.CONSTANT" in text for text in piece) == 16, kernel.name
        assert len(piece) <= 4 * 20, kernel.name


def test_memory_is_known_to_be_global(hopper: list[Kernel]) -> None:
    assert [k.name for k in hopper if k.count(r"\b(LD|ST)\.")] == []


def test_no_float_atomics(hopper: list[Kernel]) -> None:
    assert [k.name for k in hopper if k.count(r"\b(ATOM|ATOMS|ATOMG|RED)\b")] == []
