"""Mutants of render_gaussians: kernels on the CPU."""

from __future__ import annotations

from tests.mutants.mutant import Mutant, cpu_suite, sanitized_suite

MATH = "csrc/render_gaussians/math.h"
CPU_CPP = "csrc/render_gaussians/cpu.cpp"
TABLE = "csrc/render_gaussians/table.h"
REGISTER = "csrc/render_gaussians/register.cpp"
CPU = cpu_suite("render_gaussians")
SANITIZED = sanitized_suite("render_gaussians")

MUTANTS = (
    Mutant(
        "gaussians-half-a-covariance",
        "missing rule: only the upper one of two entries of the covariance counts",
        MATH,
        "part.xy = (c[stride[3]] + c[stride[2]]) / 2;",
        "part.xy = c[stride[3]];",
        CPU,
    ),
    Mutant(
        "gaussians-jitter-on-one-side",
        "dropped term: a template that is moved gets its jitter along y only",
        MATH,
        "jitter * ((moved_xx + yy) * per_yy);",
        "jitter * (moved_xx * per_yy);",
        CPU,
    ),
    Mutant(
        "gaussians-determinant-once",
        "dropped factor: the determinant of the affine map counts once instead of squared",
        MATH,
        "left = det * (det * own)",
        "left = (det * own)",
        CPU,
    ),
    Mutant(
        "gaussians-indefinite-is-drawn",
        "missing NaN rule: a covariance that is not positive definite is drawn",
        MATH,
        "return {sound ? x : T(NAN), y,",
        "(void)sound;\n  return {x, y,",
        CPU,
    ),
    Mutant(
        "gaussians-gradient-of-the-cross-term",
        "sign flip: the share of the shear in the gradient of S_xy",
        MATH,
        "const Sum xy = cross - shear * xx;",
        "const Sum xy = cross + shear * xx;",
        CPU,
    ),
    Mutant(
        "gaussians-matrix-without-mean",
        "dropped term: the affine matrix gets no gradient from where the mean goes",
        MATH,
        "2 * (ga * c_xy + gb * c_yy) + x * at_y;",
        "2 * (ga * c_xy + gb * c_yy);",
        CPU,
    ),
    Mutant(
        "gaussians-affine-stride",
        "wrong stride: the shift of an affine map is taken from the next one's matrix",
        MATH,
        "part.shift[i] = row[2 * stride[3]];",
        "part.shift[i] = row[2];",
        CPU,
    ),
    Mutant(
        "gaussians-rows-left-out",
        "wrong bound: rows more than a deviation away are taken for 0",
        TABLE,
        "empty = !(near * near < T(-kLeastPower));",
        "empty = !(near * near < T(0.5));",
        CPU,
    ),
    Mutant(
        "gaussians-table-of-the-columns-before",
        "stale data: columns behind the first 128 are drawn with the tables of those",
        CPU_CPP,
        "m = 0; left != set_left && m < place.maps; ++m",
        "m = 0; set_left < 0 && m < place.maps; ++m",
        CPU,
    ),
    Mutant(
        "gaussians-table-of-the-rows-before",
        "stale data: rows behind the first 32 of a band are drawn with the tables of those",
        CPU_CPP,
        "m = 0; row == 0 && m < place.maps; ++m",
        "m = 0; y == place.top && m < place.maps; ++m",
        CPU,
    ),
    Mutant(
        "gaussians-map-of-the-image-before",
        "stale data: a map is drawn as in the image that the thread drew before",
        CPU_CPP,
        "if (place.b != set_b || place.k != set_k) {",
        "if (place.k != set_k) {",
        CPU,
    ),
    Mutant(
        "gaussians-column-after-column",
        "dropped accumulate: of one sum only the last columns are kept",
        CPU_CPP,
        "aa = multiply_add(moment, of_column, aa);",
        "aa = moment * of_column;",
        CPU,
    ),
    Mutant(
        "gaussians-second-moment-of-b",
        "dropped factor: one of the two b of a sum",
        CPU_CPP,
        "sums.bb + multiply_add(near, b, bt);",
        "sums.bb + multiply_add(near, one, bt);",
        CPU,
    ),
    Mutant(
        "gaussians-group-from-its-start",
        "stale data: where a group of rows is drawn in pieces, each begins with its first row",
        CPU_CPP,
        "for (int i = 0; i < kVectors; ++i) bell[i].store(table.bell0 + first + i * V::lanes);",
        "",
        CPU,
    ),
    Mutant(
        "gaussians-sums-of-the-last-piece",
        "dropped accumulate: where a group's gradient comes in pieces, only the last one counts",
        CPU_CPP,
        "const bool is_first = table.begins(row);",
        "const bool is_first = true;",
        CPU,
    ),
    Mutant(
        "gaussians-group-for-every-slope",
        "missing rule: steep maps are drawn in groups as long as those of others",
        TABLE,
        "group = group > kLeastGroup ? group / 2 : 1;",
        "break;",
        CPU,
    ),
    Mutant(
        "gaussians-infinity-times-nothing",
        "missing NaN rule: a gradient that is not finite is lost where pixels are 0",
        CPU_CPP,
        "V one = nothing, a = nothing, aa = nothing, t = nothing, at = nothing, tt = nothing;",
        "V one = zero, a = zero, aa = zero, t = zero, at = zero, tt = zero;",
        CPU,
    ),
    Mutant(
        "gaussians-line-over-the-edge",
        "off by one: a vector that is one pixel too long for the row is written whole",
        CPU_CPP,
        "for (; last - first >= kVectors * V::lanes;",
        "for (; last - first >= kVectors * V::lanes - 1;",
        SANITIZED,
    ),
    Mutant(
        "gaussians-band-dropped",
        "dropped accumulate: the last band of rows gives no gradient",
        REGISTER,
        "for (int64_t i = 0; i < bands; ++i) {",
        "for (int64_t i = 0; i < bands - (bands > 1); ++i) {",
        CPU,
    ),
    Mutant(
        "gaussians-template-of-one-image",
        "wrong reduction across the batch: a template's gradient comes from the first image only",
        REGISTER,
        "for (int64_t b = 0; b < drawing.batch; ++b) {",
        "for (int64_t b = 0; b < 1 && b < drawing.batch; ++b) {",
        CPU,
    ),
)
