"""MATLAB files: the older kind through scipy, version 7.3 (which is HDF5) through h5py."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from fastpose.errors import UserError

_EXTRA = "pip install 'fastpose[datasets]'"


def load_mat(path: Path, *names: str) -> dict[str, np.ndarray]:
    """The variables ``names`` of a MATLAB file older than version 7.3, as stored.

    Raises:
        UserError: Missing, damaged, of version 7.3, or without one of the variables; or scipy is
            not installed.
    """
    try:
        from scipy.io import loadmat
        from scipy.io.matlab import MatReadError
    except ModuleNotFoundError:
        raise UserError(f"{path}: reading MATLAB files needs scipy; {_EXTRA}") from None
    if not path.is_file():
        raise UserError(f"{path}: no such file; copy it again")
    try:
        data: dict[str, Any] = loadmat(path)
    except NotImplementedError:
        raise UserError(
            f"{path}: is a MATLAB file of version 7.3, expected an older one; "
            "save it again with -v7"
        ) from None
    except (MatReadError, ValueError, TypeError, OSError, EOFError, KeyError, IndexError) as error:
        reason = " ".join(str(error).split())[:80]
        raise UserError(f"{path}: cannot be read as MATLAB ({reason}); copy it again") from None
    except Exception as error:  # zlib.error and what else the parser lets through
        reason = " ".join(str(error).split())[:80] or type(error).__name__
        raise UserError(f"{path}: cannot be read as MATLAB ({reason}); copy it again") from None
    lost = [name for name in names if name not in data]
    if lost:
        found = ", ".join(key for key in data if not key.startswith("__")) or "nothing"
        raise UserError(f"{path}: has no variable {', '.join(lost)}, only {found}; copy it again")
    return {name: data[name] for name in names}


def scalar(value: np.ndarray) -> Any:
    """The one value, or the text, of a MATLAB variable; None where it is empty."""
    flat = np.asarray(value).ravel()
    if not len(flat):
        return None
    return flat[0].item() if isinstance(flat[0], np.generic) else flat[0]


def open_hdf5(path: Path) -> Any:
    """An h5py file opened for reading; a context manager.

    Raises:
        UserError: Missing, damaged or no HDF5; or h5py is not installed.
    """
    try:
        import h5py
    except ModuleNotFoundError:
        raise UserError(f"{path}: reading HDF5 files needs h5py; {_EXTRA}") from None
    if not path.is_file():
        raise UserError(f"{path}: no such file; copy it again")
    try:
        return h5py.File(path, "r")
    except OSError as error:
        reason = " ".join(str(error).split())[:80]
        raise UserError(f"{path}: cannot be read as HDF5 ({reason}); copy it again") from None


class MaskFile:
    """The masks of a version 7.3 MATLAB file with a cell array ``Masks``; iterates over them.

    Yields uint8 (H,W), 0 or 255; MATLAB stores the transpose.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def __iter__(self) -> Iterator[np.ndarray]:
        with open_hdf5(self.path) as file:
            try:
                for reference in np.asarray(file["Masks"]).ravel():
                    mask = np.asarray(file[reference]).T
                    yield np.where(mask != 0, 255, 0).astype(np.uint8)
            except (KeyError, OSError, ValueError, TypeError, RuntimeError) as error:
                reason = " ".join(str(error).split())[:80]
                raise UserError(
                    f"{self.path}: its Masks cannot be read ({reason}); copy it again"
                ) from None
