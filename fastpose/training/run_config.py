"""``config.json`` of a run directory: the recipe in effect, and where its data and prior lie."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from fastpose.data.clips import ClipStore
from fastpose.data.pose_prior import PosePrior
from fastpose.errors import UserError
from fastpose.files import explained, pretty_json, read_json, replace_file
from fastpose.recipes import Recipe, recipe_from_dict, recipe_to_dict
from fastpose.skeletons import Skeleton

FORMAT, VERSION = "fastpose-run", 1
CONFIG, PRIOR_FIT = "config.json", "prior_fit.npz"
_LIMIT = 4 << 20


@dataclass(frozen=True)
class RunConfig:
    """What a run was started with.

    Attributes:
        recipe: in effect; where the prior was fitted to the clips, ``prior.fit`` names a file of
            the run directory.
        requested: the recipe as it was asked for, before fitting.
        skeleton: of the model.
        data: the clips folder; None where the recipe learns from poses alone.
        prior: the files and folders of poses.
        device, threads, processes: what it ran on; the same are needed to repeat it bit for bit.
            The device is the first process', the threads are each one's.
    """

    recipe: Recipe
    requested: Recipe
    skeleton: Skeleton
    data: Path | None
    prior: tuple[Path, ...]
    device: str
    threads: int
    processes: int

    def of_checkpoint(self) -> dict[str, Any]:
        """What a checkpoint stores, and what it must agree with to be resumed."""
        return {"recipe": recipe_to_dict(self.recipe), "skeleton": self.skeleton.to_dict()}

    def to_dict(self) -> dict[str, Any]:
        """As JSON-able data, read back by :meth:`from_dict`."""
        return {
            "format": FORMAT,
            "version": VERSION,
            **self.of_checkpoint(),
            "requested": recipe_to_dict(self.requested),
            "data": None if self.data is None else str(self.data),
            "prior": [str(path) for path in self.prior],
            "device": self.device,
            "threads": self.threads,
            "processes": self.processes,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> RunConfig:
        """Inverse of :meth:`to_dict`; UserError where something is missing or wrong."""
        try:
            return cls(
                recipe=recipe_from_dict(data["recipe"]),
                requested=recipe_from_dict(data["requested"]),
                skeleton=Skeleton.from_dict(data["skeleton"]),
                data=None if data["data"] is None else Path(data["data"]),
                prior=tuple(Path(p) for p in data["prior"]),
                device=str(data["device"]),
                threads=int(data["threads"]),
                processes=int(data["processes"]),
            )
        except UserError:
            raise
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(f"is damaged ({type(error).__name__}: {error})") from None

    def save(self, run: Path) -> None:
        """Write ``run/config.json``."""
        with explained(run / CONFIG, CONFIG):
            replace_file(run / CONFIG, pretty_json(self.to_dict()))

    @classmethod
    def load(cls, run: str | Path) -> RunConfig:
        """Read ``run/config.json``.

        Raises:
            UserError: missing, damaged, or not of a run.
        """
        path = Path(run) / CONFIG
        if not path.is_file():
            raise UserError(f"{run}: is no run directory (it has no {CONFIG})")
        data = read_json(path, limit=_LIMIT)
        if data.get("format") != FORMAT or data.get("version") != VERSION:
            raise UserError(
                f"{path}: is '{data.get('format')}' version {data.get('version')}, expected "
                f"{FORMAT} version {VERSION}"
            )
        try:
            return cls.from_dict(data)
        except UserError as error:
            raise UserError(f"{path}: {error}") from None

    def open_clips(self) -> ClipStore | None:
        """The clips, if the recipe needs any; UserError where they are not of the model's size."""
        if self.data is None:
            return None
        store = ClipStore.open(self.data)
        size = self.recipe.model.image_size
        if size is not None and store.size != size:
            raise UserError(
                f"{self.data}: its frames are {store.size} x {store.size}, the recipe's model "
                f"takes {size} x {size}; prepare them with --size {size}, or --set "
                f"model.image_size={store.size}"
            )
        return store

    def open_prior(self, run: Path) -> PosePrior | None:
        """The pose prior as this run draws from it, if it does; ``run`` is the run directory."""
        config = self.recipe.prior
        if config is None:
            return None
        if config.fit == PRIOR_FIT:
            config = replace(config, fit=str(run / PRIOR_FIT))
        return PosePrior.from_path(self.prior, self.skeleton, config)


def find_run(path: str | os.PathLike[str]) -> Path | None:
    """The run directory that ``path`` is or is a checkpoint of; None where it is neither."""
    path = Path(path)
    folders = (path, *path.resolve().parents[:2]) if path.is_dir() else ()
    return next((folder for folder in folders if (folder / CONFIG).is_file()), None)
