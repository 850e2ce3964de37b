"""Show versions, devices, native libraries, and which kernel serves which operator."""

from __future__ import annotations

import textwrap
from typing import Any

WIDTH = 88  # of the text beside the headings


def run(*, json: bool = False) -> None:
    """Show versions, devices, native libraries, and which kernel serves which operator.

    Args:
        json: print everything as one JSON object.
    """
    from fastpose import environment

    facts = environment.collect()
    if json:
        import json as codec

        print(codec.dumps(facts, indent=2))
        return
    for heading, lines in _sections(facts, environment.EXTRAS):
        for position, line in enumerate(lines):
            print(f"{'' if position else heading:<11} {line}")


def _sections(facts: dict[str, Any], extras: dict[str, str]) -> list[tuple[str, list[str]]]:
    """(heading, lines) of the text form."""
    return [
        ("fastpose", [f"{facts['fastpose']}, Python {facts['python']}, {facts['platform']}"]),
        ("packages", _packages(facts["packages"], extras)),
        ("devices", _devices(facts["devices"])),
        ("native", _native(facts["native"])),
        ("operators", _operators(facts["operators"])),
    ]


def _packages(packages: dict[str, str | None], extras: dict[str, str]) -> list[str]:
    there = ", ".join(f"{name} {version}" for name, version in packages.items() if version)
    missing = ", ".join(
        f"{name} ({extras[name]})" if name in extras else name
        for name, version in packages.items()
        if version is None
    )
    lines = textwrap.wrap(there, WIDTH)
    return lines + textwrap.wrap(f"not installed: {missing}", WIDTH) if missing else lines


def _devices(devices: dict[str, Any]) -> list[str]:
    cpu = devices["cpu"]
    threads = f", torch uses {cpu['torch_threads']} threads" if "torch_threads" in cpu else ""
    lines = [f"cpu: {cpu['name']}, {cpu['cores']} cores{threads}"]
    for index, gpu in enumerate(devices["cuda"]):
        lines.append(
            f"cuda:{index}: {gpu['name']}, capability {gpu['capability']}, {gpu['memory_gib']} GiB"
        )
    if not devices["cuda"]:
        lines.append(f"cuda: none, {devices['cuda_reason']}")
    if "onnxruntime" in devices:
        lines.append(f"onnxruntime: {', '.join(devices['onnxruntime'])}")
    return lines


def _native(native: dict[str, Any]) -> list[str]:
    build = native["build"]
    if build:
        commit = f", commit {build['git_hash']}" if build["git_hash"] else ""
        cuda = f"CUDA {build['cuda_version']} for {build['cuda_archs']}"
        lines = [
            f"built {build['version']}{commit} with {build['compiler']}, "
            f"{cuda if build['cuda_version'] else 'without CUDA'}",
            f"torch {build['torch_built_with']} headers, loads under "
            f"torch {build['torch_target']} and later",
        ]
    else:
        lines = ["no native build: run 'make build' or 'pip install .'"]
    for name, library in native["libraries"].items():
        isa = f", {library['instruction_set']} kernels" if "instruction_set" in library else ""
        state = f"loaded{isa}" if library["loaded"] else f"not loaded: {library['reason']}"
        lines.append(f"{name} library: {state}")
    return lines


def _operators(operators: list[dict[str, Any]]) -> list[str]:
    lines = []
    for row in operators:
        others = "; ".join(f"{name}: {reason}" for name, reason in row["others"].items())
        lines.append(f"{row['operator']} on {row['device']}: {row['owner']}   (not {others})")
    return lines or ["none: torch is not installed"]
