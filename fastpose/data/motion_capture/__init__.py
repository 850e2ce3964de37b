"""Recorded human motion: one reader per file format, all returning :class:`Motion`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path

from fastpose.data.motion_capture.asf_amc import read_amc
from fastpose.data.motion_capture.bvh import read_bvh
from fastpose.data.motion_capture.motion import JOINTS, PARENTS, Motion
from fastpose.data.motion_capture.npz import read_npz
from fastpose.errors import UserError
from fastpose.files import listed

__all__ = ["JOINTS", "PARENTS", "READERS", "Motion", "read_motion", "read_motions"]

READERS: dict[str, Callable[[Path], list[Motion]]] = {
    ".npz": read_npz,
    ".bvh": read_bvh,
    ".amc": read_amc,  # with its .asf beside it
}


def read_motion(path: str | os.PathLike[str]) -> list[Motion]:
    """All recordings of one file; the format follows from its ending.

    Raises:
        UserError: unknown ending, missing or unreadable file, wrong joints, NaN, no clip.
    """
    path = Path(path)
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise UserError(f"{path}: no motion-capture format; expected one of {', '.join(READERS)}")
    if not path.is_file():
        raise UserError(f"{path}: no such file; name a motion-capture file or folder")
    return reader(path)


def read_motions(
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
) -> list[Motion]:
    """All recordings of files and folders (searched in depth, in the order of their names).

    Raises:
        UserError: as :func:`read_motion`, or a folder without a motion-capture file.
    """
    motions: list[Motion] = []
    for path in motion_files(paths):
        motions += read_motion(path)
    return motions


def motion_files(
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
) -> list[Path]:
    """The files that ``paths`` name, folders searched in depth."""
    if isinstance(paths, (str, os.PathLike)):
        paths = [paths]
    files: list[Path] = []
    for path in map(Path, paths):
        if path.is_dir():
            found = [p for p in listed(path, "**/*") if p.suffix.lower() in READERS]
            if not found:
                raise UserError(
                    f"{path}: no motion-capture file in it; expected {', '.join(READERS)}"
                )
            files += found
        else:
            files.append(path)
    if not files:
        raise UserError("no motion capture named; give a file or a folder, such as --prior DIR")
    return files
