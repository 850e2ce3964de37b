"""Mutants of feature_distance: kernels on the CPU, and its autograd."""

from __future__ import annotations

from tests.mutants.mutant import Mutant, cpu_suite, python_suite

MATH = "csrc/feature_distance/math.h"
CPU_CPP = "csrc/feature_distance/cpu.cpp"
REGISTER = "csrc/feature_distance/register.cpp"
CPU = cpu_suite("feature_distance")
PYTHON = python_suite("feature_distance", "tests/ops/feature_distance")

MUTANTS = (
    Mutant(
        "distance-window-without-its-last-row",
        "off by one: a window of the mask that ends within a pixel leaves that pixel out",
        MATH,
        "(int64_t{i + 1} * in + out - 1) / out",
        "(int64_t{i + 1} * in) / out",
        CPU,
    ),
    Mutant(
        "distance-factor-of-the-square",
        "dropped factor: the 2 of the derivative of a square",
        MATH,
        "(norm == l2 ? 2.0 : 1.0)",
        "(norm == l2 ? 1.0 : 1.0)",
        CPU,
    ),
    Mutant(
        "distance-first-mean-is-mixed",
        "wrong start: the first step mixes its distance with a running mean that is not there yet",
        MATH,
        "moves.started ? 1 - moves.momentum : 1;",
        "1 - moves.momentum;",
        CPU,
    ),
    Mutant(
        "distance-mean-counts-as-a-constant",
        "dropped term: no gradient through the running mean where it is asked for",
        MATH,
        "moves.update && moves.through_mean ? (before + kEps) / normaliser : 1;",
        "1;",
        CPU,
    ),
    Mutant(
        "distance-slope-without-its-weight",
        "dropped factor: the slope of L1 forgets the mask",
        CPU_CPP,
        "return kWeighted ? weight * slope : slope;",
        "return slope;",
        CPU,
    ),
    Mutant(
        "distance-weights-from-the-start-of-a-line",
        "wrong offset: a block that begins within a line takes the weights of the line's start",
        CPU_CPP,
        "at = first % line;",
        "at = 0;",
        CPU,
    ),
    Mutant(
        "distance-weights-behind-the-last",
        "uninitialised tail: vectors over the edge read weights that nobody has written",
        CPU_CPP,
        "Own<Scalar<V>>::load(weight + i, count - i, V(0))",
        "V::load(weight + i)",
        CPU,
    ),
    Mutant(
        "distance-never-started",
        "missing update: every step is taken for the first one",
        REGISTER,
        "if (distance.update && distance.started != nullptr) *distance.started = true;",
        "",
        CPU,
    ),
    Mutant(
        "distance-gradients-finished-twice",
        "missing copy: a second backward multiplies gradients that are finished already",
        "fastpose/ops/feature_distance/autograd.py",
        "if _graph_is_kept():",
        "if False:",
        PYTHON,
    ),
)
