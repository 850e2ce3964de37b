"""Arrays on disk that grow by rows, several side by side in a shard."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from fastpose.errors import UserError

Kind = Callable[[str], tuple[np.dtype[Any], tuple[int, ...]]]


class GrowingArray:
    """A ``.npy`` file of rows of one shape, appended to in order.

    NumPy pads the header so that the number of rows can be changed in place; the rows on disk are
    valid as soon as the header counts them, which :meth:`close` sees to.

    Args:
        path: The file.
        dtype: Type of the values.
        row: Shape of one row.
        rows: Keep so many rows of a file that is there; None starts a new one.
    """

    def __init__(
        self, path: Path, dtype: np.dtype[Any], row: tuple[int, ...], rows: int | None = None
    ) -> None:
        self.path, self.dtype, self.row, self.count = path, dtype, row, rows or 0
        if rows is None:
            self._file: BinaryIO = path.open("xb")
            self._write_header()
            self._start = self._file.tell()
            return
        self._file = path.open("r+b")
        self._write_header()
        self._start = self._file.tell()
        end = self._start + rows * self.row_bytes
        if path.stat().st_size < end:
            self._file.close()
            raise UserError(f"{path}: shorter than its journal says; delete its folder, start anew")
        self._file.truncate(end)
        self._file.seek(end)

    @property
    def row_bytes(self) -> int:
        """Size of one row."""
        return self.dtype.itemsize * int(np.prod(self.row, dtype=np.int64))

    def append(self, rows: np.ndarray) -> int:
        """Write ``rows`` (n, *row); returns the number of the first."""
        first = self.count
        self._file.write(np.ascontiguousarray(rows, self.dtype).data)
        self.count += len(rows)
        return first

    def flush(self) -> None:
        """Hand everything over to the operating system."""
        self._file.flush()

    def close(self) -> None:
        """Make the file valid: its header counts the rows, and all is on the disk."""
        self._write_header()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()

    def _write_header(self) -> None:
        self._file.seek(0)
        descr = np.lib.format.dtype_to_descr(self.dtype)
        header = {"descr": descr, "fortran_order": False, "shape": (self.count, *self.row)}
        np.lib.format.write_array_header_1_0(self._file, header)


class Shard:
    """One folder of growing arrays, made as they are needed.

    Args:
        folder: Made if it is missing.
        kind: Gives the type and the shape of a row of the array of a name.
        rows: What to keep of the arrays in the folder, by name; the others are deleted.
    """

    def __init__(self, folder: Path, kind: Kind, rows: Mapping[str, int] | None = None) -> None:
        self.folder, self._kind = folder, kind
        self._arrays: dict[str, GrowingArray] = {}
        folder.mkdir(parents=True, exist_ok=True)
        kept = {key: count for key, count in (rows or {}).items() if count}
        for file in folder.glob("*.npy"):
            if file.stem not in kept:
                file.unlink()
        for key, count in kept.items():
            self._arrays[key] = GrowingArray(folder / f"{key}.npy", *kind(key), count)

    @property
    def rows(self) -> dict[str, int]:
        """Number of rows of each array."""
        return {key: array.count for key, array in self._arrays.items()}

    @property
    def size(self) -> int:
        """Bytes of all arrays."""
        return sum(array.count * array.row_bytes for array in self._arrays.values())

    def append(self, key: str, rows: np.ndarray) -> int:
        """Append ``rows`` (n, *row) to the array ``key``; returns the number of the first."""
        if key not in self._arrays:
            self._arrays[key] = GrowingArray(self.folder / f"{key}.npy", *self._kind(key))
        return self._arrays[key].append(rows)

    def flush(self) -> None:
        """Hand everything over to the operating system, so that a kill loses nothing of it."""
        for array in self._arrays.values():
            array.flush()

    def close(self) -> None:
        """Make all files valid."""
        for array in self._arrays.values():
            array.close()
