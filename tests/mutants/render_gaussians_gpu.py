"""Mutants of render_gaussians: CUDA kernels, run on the CPU."""

from __future__ import annotations

from tests.mutants.mutant import Mutant, cuda_suite

CANVAS = "csrc/render_gaussians/canvas.cuh"
FORWARD = "csrc/render_gaussians/forward.cuh"
BACKWARD = "csrc/render_gaussians/backward.cuh"
CUDA = cuda_suite("render_gaussians")

MUTANTS = (
    Mutant(
        "gaussians-rows-below-the-image",
        "missing tail: the last block draws rows below the image",
        FORWARD,
        "const int last = min(int(blockIdx.y + 1) * rows, canvas.drawing.height);",
        "const int last = int(blockIdx.y + 1) * rows;",
        CUDA,
        which=0,
        places=2,
    ),
    Mutant(
        "gaussians-lane-of-the-wrong-row",
        "wrong index: lanes that stand for lower rows draw the first one",
        FORWARD,
        "warp * lanes.rows() + lanes.y(lane);",
        "warp * lanes.rows();",
        CUDA,
    ),
    Mutant(
        "gaussians-map-behind-the-last",
        "missing check: threads of the last group draw maps that are not there",
        FORWARD,
        "if (k >= canvas.drawing.maps || down >= threads.down) return;",
        "if (down >= threads.down) return;",
        CUDA,
    ),
    Mutant(
        "gaussians-straight-too-early",
        "wrong branch: a Gaussian that leans a little is drawn as if it stood straight",
        CANVAS,
        "return gaussian.shear == 0;",
        "return gaussian.shear * gaussian.shear < T(0.01);",
        CUDA,
    ),
    Mutant(
        "gaussians-leans-the-other-way",
        "sign flip: the gradient is that of a Gaussian that leans the other way",
        BACKWARD,
        "const T a = columns.a[i] - row.shift;",
        "const T a = columns.a[i] + row.shift;",
        CUDA,
    ),
    Mutant(
        "gaussians-tile-overwritten",
        "missing barrier: pixels of the next tile overwrite those that warps still read",
        BACKWARD,
        "__syncthreads();  // the tile before has been read",
        "",
        CUDA,
    ),
    Mutant(
        "gaussians-tile-not-awaited",
        "missing barrier: a warp reads pixels that others have not staged yet",
        BACKWARD,
        "__syncthreads();\n      const int y",
        "const int y",
        CUDA,
    ),
    Mutant(
        "gaussians-shares-not-awaited",
        "missing barrier: the shares of warps are added up before all are there",
        BACKWARD,
        "__syncthreads();\n  if (threadIdx.x != 0) return;",
        "if (threadIdx.x != 0) return;",
        CUDA,
    ),
    Mutant(
        "gaussians-rows-that-are-left",
        "missing tail: rows that do not make up four give no gradient",
        BACKWARD,
        "for (; y < last; y += step, at += down) add(",
        "for (; y + 3 * step < last; y += step, at += down) add(",
        CUDA,
    ),
    Mutant(
        "gaussians-gradient-beside-the-image",
        "missing check: what lies behind a row's end counts as gradient",
        BACKWARD,
        "value[i] = x + i < width ? load<T>(",
        "value[i] = x + i <= width ? load<T>(",
        CUDA,
    ),
    Mutant(
        "gaussians-rows-of-other-lanes",
        "wrong stride: a lane reads the rows that follow instead of those that are its own",
        BACKWARD,
        "const int64_t down = step * grad.stride[2];",
        "const int64_t down = grad.stride[2];",
        CUDA,
    ),
    Mutant(
        "gaussians-parts-behind-the-first-32",
        "dropped accumulate: parts of a map beyond one for each lane are left out",
        BACKWARD,
        "for (int i = lane; i < parts; i += kWarpSize) {",
        "for (int i = lane; i < min(parts, kWarpSize); i += kWarpSize) {",
        CUDA,
    ),
    Mutant(
        "gaussians-warp-forgotten",
        "dropped accumulate: one warp's images are left out of a template's gradient",
        BACKWARD,
        "for (int i = 0; i < kTemplateWarps; ++i) {",
        "for (int i = 0; i < kTemplateWarps - 1; ++i) {",
        CUDA,
    ),
    Mutant(
        "gaussians-other-half-of-the-covariance",
        "uninitialised memory: one of the two mixed entries gets no gradient",
        BACKWARD,
        "covariance[1] = covariance[2] = T(grad[3]);",
        "covariance[1] = T(grad[3]);",
        CUDA,
    ),
    Mutant(
        "gaussians-pitch-of-a-channel",
        "wrong stride: the staged pixels of neighbouring channels overlap",
        BACKWARD,
        "constexpr int kPitch = kWarpSize * kColumns + 1;",
        "constexpr int kPitch = kWarpSize * kColumns - 1;",
        CUDA,
    ),
)
