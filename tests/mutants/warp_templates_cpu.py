"""Mutants of warp_templates: kernels on the CPU."""

from __future__ import annotations

from tests.mutants.mutant import Mutant, cpu_suite, sanitized_suite

MATH = "csrc/warp_templates/math.h"
CPU_CPP = "csrc/warp_templates/cpu.cpp"
PREPARED = "csrc/warp_templates/prepared.h"
BLOCKS = "csrc/warp_templates/blocks.h"
REGISTER = "csrc/warp_templates/register.cpp"
VIEW = "csrc/warp_templates/view.h"
CPU = cpu_suite("warp_templates")
SCALAR = cpu_suite("warp_templates", "scalar")
AVX512 = cpu_suite("warp_templates", "avx512")
SANITIZED = sanitized_suite("warp_templates")

MUTANTS = (
    Mutant(
        "warp-slope-to-the-left",
        "sign flip: the slope between the rows on the left side of a pixel",
        MATH,
        "left = t.t01 - t.t00,",
        "left = t.t00 - t.t01,",
        CPU,
    ),
    Mutant(
        "warp-matrix-not-transposed",
        "wrong index: the inverse takes the place of its transpose in the gradient of t",
        MATH,
        "-(map.xx * sums.x + map.yx * sums.y)",
        "-(map.xx * sums.x + map.xy * sums.y)",
        CPU,
    ),
    Mutant(
        "warp-singular-is-drawn",
        "missing NaN rule: a singular matrix is drawn with what its division gave",
        MATH,
        "if (!regular) map.xx = Wide(NAN);",
        "(void)regular;",
        CPU,
    ),
    Mutant(
        "warp-span-too-short",
        "off by one: the first pixels that see the template's edge are left out",
        MATH,
        "minimum(one, other) - 1,",
        "minimum(one, other) + 1,",
        CPU,
    ),
    Mutant(
        "warp-last-block-dropped",
        "uninitialised tail: the last block of a row is not drawn where it is not whole",
        VIEW,
        "(span.last + B::columns - 1) / B::columns - first;",
        "span.last / B::columns - first;",
        CPU,
    ),
    Mutant(
        "warp-half-texel-before-the-edge",
        "off by one: pixels that see half of the first texel are taken for zeros",
        VIEW,
        "texels_.left - 1.0,",
        "double(texels_.left),",
        CPU,
    ),
    Mutant(
        "warp-row-over-the-edge",
        "missing tail: up to 3 pixels behind the end of a row are written with its last block",
        CPU_CPP,
        "direct(plane.direct() && rows == B::rows && to == end),",
        "direct(plane.direct() && rows == B::rows),",
        CPU,
    ),
    Mutant(
        "warp-lines-over-the-edge",
        "off by one block: lines are copied into the image past the end of its rows",
        CPU_CPP,
        "end(to < warp.width ? to : warp.width),",
        "end(to),",
        SANITIZED,
    ),
    Mutant(
        "warp-y-moment-of-the-wrong-sum",
        "wrong index: one moment is moved to the lane's place by the other sum",
        CPU_CPP,
        "xy += part[3][lane] + row * part[0][lane];",
        "xy += part[3][lane] + row * part[1][lane];",
        CPU,
    ),
    Mutant(
        "warp-gradient-beside-the-image",
        "uninitialised tail: the gradient of pixels beside the image is what the memory held",
        CPU_CPP,
        "memset(line + filled, 0, (to - filled) * sizeof(T));",
        "(void)filled;",
        CPU,
    ),
    Mutant(
        "warp-weight-of-the-wrong-texel",
        "dropped factor: one of the four texels gets another one's share of the gradient",
        CPU_CPP,
        "B::times(gradient, seen.fx * upper),",
        "B::times(gradient, seen.fx * seen.fy),",
        CPU,
    ),
    Mutant(
        "warp-sums-of-the-template-before",
        "wrong reduction across threads: a thread's later templates contain its earlier ones",
        CPU_CPP,
        "cells.clear();",
        "if (k == first) cells.clear();",
        CPU,
    ),
    Mutant(
        "warp-texel-too-far",
        "off by one: the lower right texel is the one behind it (scalar)",
        BLOCKS,
        "return {at[0], at[1], at[pitch], at[pitch + 1]};",
        "return {at[0], at[1], at[pitch], at[pitch + 2]};",
        SCALAR,
    ),
    Mutant(
        "warp-cells-of-the-row-above",
        "wrong index: a texel's gradient lacks one of the four squares around it",
        PREPARED,
        "above[3] + above[6] + (below[1] + below[4]);",
        "above[3] + above[6] + (below[1] + above[4]);",
        CPU,
    ),
    Mutant(
        "warp-second-band-dropped",
        "dropped accumulate: bands of rows behind the first give no gradient",
        REGISTER,
        "total[i % warp::kMapSums] += *sums++;",
        "total[i % warp::kMapSums] += i < warp::kMapSums ? *sums : 0; ++sums;",
        CPU,
    ),
    Mutant(
        "warp-rows-of-maps-are-dense",
        "wrong stride: the gradient takes a map's second row from behind the first",
        REGISTER,
        "const T* next = row + step[2];",
        "const T* next = row + 3;",
        CPU,
    ),
    Mutant(
        "warp-zeros-one-texel-early",
        "off by one: the last texel of a row is taken for a zero",
        PREPARED,
        "return x >= last_[y + kMargin]",
        "return x + 1 >= last_[y + kMargin]",
        CPU,
    ),
    Mutant(
        "warp-window-one-row-short",
        "off by one: the last row of a window does not count when zeros are looked for",
        PREPARED,
        "for (int i = 1; i < kPatch && row + i < rows; ++i) {",
        "for (int i = 1; i < kPatch - 4 && row + i < rows; ++i) {",
        CPU,
    ),
    Mutant(
        "warp-nothing-times-infinity",
        "missing NaN rule: a gradient that is not finite spoils pixels that see only zeros (AVX2)",
        BLOCKS,
        "_mm256_cmp_ps(b.v, _mm256_setzero_ps(), _CMP_NEQ_UQ)",
        "_mm256_cmp_ps(b.v, b.v, _CMP_TRUE_UQ)",
        CPU,
    ),
    Mutant(
        "warp-lower-half-of-the-patch",
        "wrong index: the lower two texels are looked up in the half of the upper two (AVX-512)",
        BLOCKS,
        "const __mmask16 lower_row = _mm512_test_epi32_mask(t01, lower);",
        "const __mmask16 lower_row = _mm512_test_epi32_mask(t00, lower);",
        AVX512,
    ),
    Mutant(
        "warp-line-without-end",
        "off by one: a line has no room for the end of its last block",
        "csrc/warp_templates/warp_templates.h",
        "constexpr int kLineEnd = 16;",
        "constexpr int kLineEnd = 0;",
        SANITIZED,
    ),
)
