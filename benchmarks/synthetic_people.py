"""How fast synthetic people are rendered, by preset, in frames a second of one core.

    python -m benchmarks.synthetic_people [--sizes 64 128] [--rounds 3] [--backend cpu]

The process's CPU time counts, so that other work on the machine disturbs it less; the load is
printed. Clips are rendered in one thread and not written.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence

from fastpose.data.synthetic import PRESETS, SyntheticPeople
from fastpose.ops.cast_capsules import BACKENDS


def frames_per_second(name: str, size: int, rounds: int, backend: str | None = None) -> float:
    """Median over ``rounds`` of frames rendered per second of CPU time."""
    preset = PRESETS[name]
    people = SyntheticPeople(size, preset.frames, preset.fps, config=preset.config, backend=backend)
    clips = max(1, 64 // preset.frames)
    people.clip(0)
    speeds = []
    for number in range(rounds):
        begin = time.process_time()
        for index in range(clips):
            people.clip(1 + number * clips + index)
        speeds.append(clips * preset.frames / (time.process_time() - begin))
    return sorted(speeds)[rounds // 2]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--sizes", type=int, nargs="+", default=[64, 128])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--backend", choices=BACKENDS, help="who casts the rays; the best without")
    options = parser.parse_args(arguments)
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
    print("| preset |" + "".join(f" {size}x{size} |" for size in options.sizes))
    print("|---|" + "---:|" * len(options.sizes))
    for name in PRESETS:
        speeds = (
            frames_per_second(name, size, options.rounds, options.backend) for size in options.sizes
        )
        print(f"| `{name}` |" + "".join(f" {speed:.0f} |" for speed in speeds), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
