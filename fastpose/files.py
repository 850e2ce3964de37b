"""Files that are complete or absent: synced writes, renames into place, errors to act on."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fastpose.errors import UserError

_FULL = (errno.ENOSPC, errno.EDQUOT)
_LEFT_BY_DESKTOPS = ("thumbs.db", "desktop.ini")


def is_leftover(path: Path) -> bool:
    """Whether a desktop put the file there, not the one whose folder it is.

    Those are hidden ones (``.DS_Store``, and ``._1.png`` beside a ``1.png`` copied from a Mac),
    ``Thumbs.db`` and ``desktop.ini``.
    """
    return path.name.startswith(".") or path.name.lower() in _LEFT_BY_DESKTOPS


def listed(folder: Path, pattern: str = "*") -> list[Path]:
    """What matches ``pattern`` below ``folder``, sorted, without what desktops leave."""
    return sorted(path for path in folder.glob(pattern) if not is_leftover(path))


def canonical_json(data: Any) -> bytes:
    """The one JSON text of ``data``: sorted keys, no blanks, no NaN. What hashes are taken of."""
    return json.dumps(data, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def pretty_json(data: Any) -> bytes:
    """JSON text for people, with a line's end; ValueError where ``data`` holds NaN."""
    return json.dumps(data, indent=1, allow_nan=False).encode() + b"\n"


def sha256(data: bytes) -> str:
    """Hexadecimal SHA-256 of ``data``."""
    return hashlib.sha256(data).hexdigest()


def free_bytes(folder: Path) -> int:
    """Bytes that can still be written where ``folder`` is or will be."""
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free


def require_space(folder: Path, needed: int, what: str) -> None:
    """UserError naming both figures unless ``needed`` bytes are free at ``folder``."""
    free = free_bytes(folder)
    if free < needed:
        raise UserError(
            f"{folder}: {what} needs {needed} bytes and {free} are free; "
            "free some space, or name another folder"
        )


@contextmanager
def explained(path: Path, what: str, *, needed: int | None = None) -> Iterator[None]:
    """Turn an operating system's refusal to write ``what`` under ``path`` into a UserError.

    ``needed`` is the bytes that ``what`` has, where that is known, for the message.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            needs = "" if needed is None else f" needs {needed} bytes and"
            raise UserError(
                f"{path}: the disk became full: {what}{needs} found {free_bytes(path)} bytes free; "
                "free some space and try again"
            ) from error
        reason = error.strerror or str(error)
        raise UserError(
            f"{path}: cannot write {what} ({reason}); check that the folder can be written to"
        ) from error


def write_synced(path: Path, data: bytes) -> None:
    """Write ``data`` to a new file and wait until the disk has it."""
    with open(path, "xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Wait until the disk has the names in ``folder``."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary name beside ``path``: takes its place on a normal exit, vanishes otherwise."""
    temporary = path.with_name(f".{path.name}.tmp-{os.getpid()}")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def replace_file(path: Path, data: bytes) -> None:
    """Put synced ``data`` at ``path`` in one step: readers see the old content or the new."""
    with replacing(path) as temporary:
        temporary.unlink(missing_ok=True)
        write_synced(temporary, data)
    sync_folder(path.parent)


def read_json(path: Path, *, limit: int) -> dict[str, Any]:
    """The JSON object in ``path``.

    Raises:
        UserError: no such file, not a plain file, larger than ``limit`` bytes, or not an object.
    """
    if path.is_symlink() or not path.is_file():
        raise UserError(f"{path}: {'is not a plain file' if path.exists() else 'is missing'}")
    size = path.stat().st_size
    if size > limit:
        raise UserError(f"{path}: has {size} bytes, at most {limit} were expected")
    return parse_object(path, path.read_bytes())


def parse_object(path: Path | str, text: bytes | str) -> dict[str, Any]:
    """The JSON object in ``text``, which was read from ``path``; UserError where it is none."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"{path}: is not readable as JSON ({reason})") from None
    if not isinstance(data, dict):
        raise UserError(f"{path}: expected a JSON object, found {type(data).__name__}")
    return data
