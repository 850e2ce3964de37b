"""Mutants of soft_argmax: kernels on the CPU."""

from __future__ import annotations

from tests.mutants.mutant import Mutant, cpu_suite, sanitized_suite

MATH = "csrc/soft_argmax/math.h"
SIDE = "csrc/soft_argmax/cpu_side.h"
PLANES = "csrc/soft_argmax/cpu_planes.h"
CHANNELS = "csrc/soft_argmax/cpu_channels.h"
CPU_CPP = "csrc/soft_argmax/cpu.cpp"
CPU = cpu_suite("soft_argmax")
SANITIZED = sanitized_suite("soft_argmax")

MUTANTS = (
    Mutant(
        "argmax-pull-becomes-push",
        "sign flip: the share of the confidence in the gradient of a side",
        MATH,
        "(grad * (place - centre) - pull)",
        "(grad * (place - centre) + pull)",
        CPU,
    ),
    Mutant(
        "argmax-extent-dropped",
        "dropped factor: coordinates ignore how far the maps reach",
        MATH,
        "(pixel_start(size) + i * pixel_step(size)) * extent;",
        "(pixel_start(size) + i * pixel_step(size)) * (extent > 0);",
        CPU,
    ),
    Mutant(
        "argmax-no-weight-is-infinite",
        "missing NaN rule: a map without any weight has a finite confidence",
        MATH,
        "return sum > 0 ? T(1) / sum : T(NAN);",
        "return sum > 0 ? T(1) / sum : T(0);",
        CPU,
    ),
    Mutant(
        "argmax-earlier-rows-too-heavy",
        "dropped rescaling: y keeps the weights of rows before a larger logit",
        PLANES,
        "moment_y = moment_y * change;",
        "",
        CPU,
    ),
    Mutant(
        "argmax-last-of-the-largest",
        "wrong tie rule: the last of equal logits in a vector is taken for the peak",
        PLANES,
        "column + __builtin_ctz(hits)",
        "column + 31 - __builtin_clz(hits)",
        CPU,
    ),
    Mutant(
        "argmax-sides-exchanged",
        "wrong factor: means over the rows are divided by the number of columns",
        PLANES,
        "per_row(T(1) / T(height_))",
        "per_row(T(1) / T(width_))",
        CPU,
    ),
    Mutant(
        "argmax-peak-without-pull",
        "dropped term: the largest logit's own share in the gradient of the confidence",
        PLANES,
        "V(slope + pull)",
        "V(slope)",
        CPU,
    ),
    Mutant(
        "argmax-confidence-squared",
        "dropped root: the confidence is the product of the two peaks",
        PLANES,
        "*confidence = square_root(x.peak * y.peak);",
        "*confidence = x.peak * y.peak;",
        CPU,
    ),
    Mutant(
        "argmax-vector-over-the-edge",
        "off by one: a vector that is one number too long for the row is written whole",
        PLANES,
        "if (x + V::lanes <= width_) {",
        "if (x + V::lanes <= width_ + 1) {",
        SANITIZED,
    ),
    Mutant(
        "argmax-row-read-over-the-edge",
        "off by one: a row's last numbers are read as a whole vector",
        PLANES,
        "for (; x + V::lanes <= width_; x += V::lanes) {",
        "for (; x + V::lanes <= width_ + 1; x += V::lanes) {",
        CPU,
    ),
    Mutant(
        "argmax-peak-of-a-side",
        "dropped accumulate: the largest weight of a side gets nothing of the confidence",
        SIDE,
        "gradient[first] += pull * per_count;",
        "",
        CPU,
    ),
    Mutant(
        "argmax-grid-of-the-others",
        "dropped factor: the gradient of a side is not spread over the other one",
        SIDE,
        "const T per_count = T(1) / T(others);",
        "const T per_count = T(1); (void)others;",
        CPU,
    ),
    Mutant(
        "argmax-rest-of-a-row",
        "missing tail: numbers that do not fill a pattern are left out of every row",
        CHANNELS,
        "for (int64_t j = 0; period + j < row_; j += kLanes) {",
        "for (int64_t j = 0; period + j + kLanes <= row_; j += kLanes) {",
        CPU,
    ),
    Mutant(
        "argmax-group-of-the-peak",
        "stale data: the peak is looked for where an earlier one was",
        CHANNELS,
        "largest.group[k + i] = static_cast<T>(group);",
        "(void)group;",
        CPU,
    ),
    Mutant(
        "argmax-folds-the-first-pixel-only",
        "dropped accumulate: of each vector's worth of pixels only the first counts",
        CHANNELS,
        "for (int64_t p = 0; p < pixels_; ++p) total = total +",
        "for (int64_t p = 0; p < 1; ++p) total = total +",
        CPU,
    ),
    Mutant(
        "argmax-confidence-stride",
        "wrong stride: the gradient of the confidence is taken from neighbours",
        CPU_CPP,
        "gradients.confidence_stride[0] + k * gradients.confidence_stride[1]]",
        "gradients.confidence_stride[0] + k]",
        CPU,
    ),
    Mutant(
        "argmax-grid-without-end",
        "off by one: coordinates have no room for the last vector",
        "csrc/soft_argmax/register.cpp",
        "constexpr int kPastTheSide = 16;",
        "constexpr int kPastTheSide = 2;",
        SANITIZED,
    ),
)
