"""How fast synthetic people are rendered, by preset and by who casts the rays; and the rays alone.

    python -m benchmarks.synthetic_people [--sizes 64 128] [--rounds 10] [--rays] [--out FILE]

All contenders take turns in one process, in a random order every round. Clips are rendered in one
thread and not written. The tables are of the process's CPU time, which other work on the machine
disturbs less; a GPU's are of wall time, copies to it and back included.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch

from benchmarks.harness import Contender, interleave, machine, ratio
from fastpose import _native
from fastpose.data.synthetic import PRESETS, SyntheticPeople
from fastpose.data.synthetic import render as renderer
from fastpose.ops.cast_capsules import GPU_BACKENDS, cast_capsules

_FRAMES = 64  # rendered at least, by one call
_NUMPY = "numpy"


@dataclass(frozen=True)
class Caster:
    """Somebody who can cast rays here: a backend, with an instruction set where it has several."""

    name: str
    backend: str
    isa: str = _native.CPU_ISAS[-1]

    def prepare(self) -> None:
        if _native.load()[0].loaded:
            _native.limit_cpu_isa(self.isa)

    @property
    def measure(self) -> str:
        return "wall" if self.backend in GPU_BACKENDS else "cpu"


def casters() -> list[Caster]:
    """All that this machine has, numpy first, each instruction set on its own."""
    found = [Caster(_NUMPY, "reference")]
    if _native.entry_point("fastpose_cast_capsules") is not None:
        for isa in _native.CPU_ISAS:
            _native.limit_cpu_isa(isa)
            if _native.cpu_isa() == isa:
                found.append(Caster(f"C++ {isa}", "cpu", isa))
    if torch.cuda.is_available():
        if _native.entry_point("fastpose_cast_capsules_cuda", "cuda") is not None:
            found.append(Caster("CUDA C++", "cuda"))
        if importlib.util.find_spec("triton") is not None:
            found.append(Caster("Triton", "triton"))
    return found


def widest(found: Sequence[Caster]) -> list[Caster]:
    """The last of each backend: the widest instruction set."""
    return list({caster.backend: caster for caster in found}.values())


def whole_clips(size: int, found: Sequence[Caster]) -> list[tuple[dict[str, Any], Contender]]:
    """Contenders that render the same clips of each preset."""
    made = []
    for name, preset in PRESETS.items():
        clips = range(max(1, _FRAMES // preset.frames))
        for caster in found:
            people = SyntheticPeople(
                size, preset.frames, preset.fps, config=preset.config, backend=caster.backend
            )
            about = {"preset": name, "size": size, "count": len(clips) * preset.frames}
            run = partial(_render, people, clips)
            made.append((about, Contender(caster.name, run, caster.prepare)))
    return made


def _render(people: SyntheticPeople, clips: Sequence[int]) -> None:
    for index in clips:
        people.clip(index)


def rays_alone(size: int, found: Sequence[Caster]) -> list[tuple[dict[str, Any], Contender]]:
    """Contenders that cast the rays of each preset's first clip, as its renderer asks for them.

    Raises:
        RuntimeError: two of them do not give the same bytes.
    """
    made = []
    for name, preset in PRESETS.items():
        people = SyntheticPeople(size, preset.frames, preset.fps, config=preset.config)
        with mock.patch.object(renderer, "cast_capsules", wraps=cast_capsules) as asked:
            people.clip(0)
        (capsules, wide), options = asked.call_args_list[0]
        bytes_of: dict[str, list[bytes]] = {}
        for caster in found:
            run: Callable[[], tuple[np.ndarray, ...]] = partial(
                cast_capsules, capsules, wide, **{**options, "backend": caster.backend}
            )
            caster.prepare()
            bytes_of[caster.name] = [array.tobytes() for array in run()]
            if bytes_of[caster.name] != bytes_of[found[0].name]:
                raise RuntimeError(f"{caster.name} differs from {found[0].name} on '{name}'")
            about = {"preset": name, "size": size, "count": len(capsules.near) * wide**2}
            made.append((about, Contender(caster.name, run, caster.prepare)))
    return made


def summarise(
    measured: Sequence[tuple[dict[str, Any], Contender]], found: Sequence[Caster], unit: str
) -> list[dict[str, Any]]:
    """A row for each contender: times of a call, how much a second, how many times numpy's."""
    numpy = {(a["preset"], a["size"]): c for a, c in measured if c.name == _NUMPY}
    measure = {caster.name: caster.measure for caster in found}
    rows = []
    for about, contender in measured:
        by = measure[contender.name]
        seconds = statistics.median(getattr(contender, by))
        slow = numpy[about["preset"], about["size"]]
        rows.append(
            {
                **{key: about[key] for key in ("preset", "size")},
                "caster": contender.name,
                unit: about["count"],
                "decided_by": by,
                f"{unit}_per_s": round(about["count"] / seconds),
                "times_numpy": ratio(slow, contender, by),
                **contender.summary(),
            }
        )
    return rows


def print_table(rows: Sequence[dict[str, Any]], unit: str, title: str, scale: float = 1.0) -> None:
    """A markdown table: a row for each preset, for each size a column for each caster."""
    columns = list(dict.fromkeys((row["size"], row["caster"]) for row in rows))
    value = {(r["preset"], r["size"], r["caster"]): r[f"{unit}_per_s"] / scale for r in rows}
    print(f"\n{title}\n")
    print("| preset |" + "".join(f" {size}x{size} {caster} |" for size, caster in columns))
    print("|---|" + "---:|" * len(columns))
    for name in PRESETS:
        speeds = (value[name, size, caster] for size, caster in columns)
        print(f"| `{name}` |" + "".join(f" {x:,.{0 if x >= 10 else 1}f} |" for x in speeds))


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--sizes", type=int, nargs="+", default=[64, 128])
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--rays", action="store_true", help="time the rays alone too")
    parser.add_argument("--out", type=Path, help="file for the figures, as JSON")
    options = parser.parse_args(arguments)
    found = casters()
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
    report: dict[str, Any] = {
        "command": "python -m benchmarks.synthetic_people" + " --rays" * options.rays,
        "machine": machine(),
        "rounds": options.rounds,
    }
    parts = [("frames", whole_clips, widest(found), "frames a second, whole clips", 1.0)]
    if options.rays:
        parts.append(("rays", rays_alone, found, "million rays a second, rays alone", 1e6))
    for unit, contenders, who, title, scale in parts:
        measured = [pair for size in options.sizes for pair in contenders(size, who)]
        interleave([contender for _, contender in measured], options.rounds)
        report[unit] = summarise(measured, who, unit)
        print_table(report[unit], unit, title, scale)
    Caster("", "cpu").prepare()  # all instruction sets again
    if options.out:
        options.out.write_text(json.dumps(report, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
