"""Mutants of what all operators share."""

from __future__ import annotations

from tests.mutants.mutant import Mutant, Suite, cpu_suite, cuda_suite, sanitized_suite

SIMD = "csrc/common/simd.h"
PLANES = "csrc/common/planes.h"
REGISTRY = "fastpose/ops/registry.py"
AVX2 = cpu_suite("render_skeleton")
AVX512 = cpu_suite("render_skeleton", "avx512")
SCALAR = cpu_suite("render_skeleton", "scalar")
SANITIZED = sanitized_suite("render_skeleton")
CUDA = cuda_suite("render_skeleton")
REGISTRY_TESTS = (
    "tests/ops/test_registry.py",
    "tests/ops/test_layouts.py",
    "tests/ops/test_tracing.py",
)
GENERIC = Suite(  # with one operator's native library
    "render_skeleton",
    "registry",
    (*REGISTRY_TESTS, "-k", "test_registry or render_skeleton"),
    native=True,
)

MUTANTS = (
    Mutant(
        "tie-goes-to-the-last",
        "wrong tie rule: of two equally near limbs the later one wins (AVX2)",
        SIMD,
        "_mm256_blendv_ps(second.v, first.v, _mm256_cmp_ps(a.v, b.v, _CMP_LT_OQ))",
        "_mm256_blendv_ps(second.v, first.v, _mm256_cmp_ps(a.v, b.v, _CMP_LE_OQ))",
        AVX2,
    ),
    Mutant(
        "sum-forgets-a-lane",
        "dropped accumulate: every fourth lane is missing in the sum of a vector (AVX2)",
        SIMD,
        "return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));",
        "return _mm_cvtss_f32(s);",
        AVX2,
    ),
    Mutant(
        "root-without-newton",
        "dropped refinement: 14 bits of an inverse root instead of 23 (AVX-512)",
        SIMD,
        "return _mm512_fmadd_ps(half, error, y);",
        "(void)half, (void)error; return y;",
        AVX512,
    ),
    Mutant(
        "power-without-floor",
        "missing clamp: powers below 2^-126 wrap around into large numbers (AVX2)",
        SIMD,
        "_mm256_cmp_ps(a.v, _mm256_set1_ps(kLeastPower - lift), _CMP_NLT_UQ);",
        "_mm256_cmp_ps(a.v, a.v, _CMP_TRUE_UQ);",
        AVX2,
    ),
    Mutant(
        "bfloat16-cuts-off",
        "wrong rounding: bfloat16 is cut off instead of rounded to nearest",
        PLANES,
        "(bits + 0x7fff + ((bits >> 16) & 1)) >> 16",
        "bits >> 16",
        AVX2,
    ),
    Mutant(
        "bfloat16-ties-go-up",
        "wrong rounding: halves of a bfloat16 step go up instead of to even",
        PLANES,
        "(bits + 0x7fff + ((bits >> 16) & 1)) >> 16",
        "(bits + 0x8000) >> 16",
        AVX2,
    ),
    Mutant(
        "float16-subnormal-edge",
        "off by one: the largest subnormal numbers of float16 take the branch of normal ones",
        PLANES,
        "if (magnitude < 0x38800000) {",
        "if (magnitude < 0x38000000) {",
        SCALAR,
    ),
    Mutant(
        "rows-are-dense",
        "wrong stride: pixels of a row are taken for neighbours whatever the stride says",
        PLANES,
        "image.stride[3] == 1 && element_ ==",
        "element_ ==",
        AVX2,
    ),
    Mutant(
        "vector-over-the-edge",
        "off by one: a vector that is one pixel too long for the row is written whole",
        PLANES,
        "if (direct_ && columns >= V::lanes) {",
        "if (direct_ && columns >= V::lanes - 1) {",
        SANITIZED,
        which=0,
        places=2,
    ),
    Mutant(
        "read-over-the-edge",
        "off by one: a vector that is one pixel too long for the row is read whole",
        PLANES,
        "if (direct_ && columns >= V::lanes) {",
        "if (direct_ && columns >= V::lanes - 1) {",
        SANITIZED,
        which=1,
        places=2,
    ),
    Mutant(
        "grid-too-short",
        "off by one: coordinates end one pixel before the end of the last vector",
        "csrc/common/pixel_centres.h",
        "constexpr int kPastTheEdge = 16;",
        "constexpr int kPastTheEdge = 6;",
        SANITIZED,
    ),
    Mutant(
        "pixels-not-corner-aligned",
        "off by one: pixel centres are a little too dense",
        "csrc/common/math.h",
        "return size > 1 ? 2.0 / (size - 1) : 0.0;",
        "return size > 1 ? 2.0 / size : 0.0;",
        AVX2,
    ),
    Mutant(
        "warp-sum-one-step-short",
        "dropped accumulate: half of the lanes are missing in the sum of four values",
        "csrc/common/reduce.cuh",
        "for (int lanes = 4; lanes > 0; lanes /= 2)",
        "for (int lanes = 2; lanes > 0; lanes /= 2)",
        CUDA,
    ),
    Mutant(
        "packs-of-odd-rows",
        "missing check: rows whose distance is no multiple of a pack are moved in packs",
        "csrc/common/pixels.cuh",
        "image.stride[1] % count == 0 && image.stride[2] % count == 0 &&",
        "image.stride[1] % count == 0 &&",
        CUDA,
    ),
    Mutant(
        "old-content-has-a-gradient",
        "missing rule: what `out` held before it was overwritten gets the new content's gradient",
        REGISTRY,
        "torch.zeros_like(grad_output) if ctx.needs_input_grad[0] else None",
        "grad_output.clone() if ctx.needs_input_grad[0] else None",
        GENERIC,
    ),
)
