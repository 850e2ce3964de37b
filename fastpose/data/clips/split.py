"""Clips of some actors apart from those of the others."""

from __future__ import annotations

import os
from dataclasses import fields
from pathlib import Path

from fastpose.data.clips.store import Clip, ClipStore
from fastpose.data.clips.writer import ClipWriter
from fastpose.errors import UserError

_KEPT = [f.name for f in fields(Clip) if f.name not in ("name", "frames", "split")]


def split_by_actor(
    store: ClipStore,
    train: str | os.PathLike[str],
    test: str | os.PathLike[str],
    *,
    test_actors: int,
    overwrite: bool = False,
) -> tuple[Path, Path]:
    """Write clips of the last ``test_actors`` actors, by name, to ``test``, others to ``train``.

    Raises:
        UserError: a clip does not say who is in it, there are no more actors than that, a folder
            exists and ``overwrite`` is not set, or it is the same as another one.
    """
    nameless = next((clip.name for clip in store.clips if clip.actor is None), None)
    if nameless is not None:
        raise UserError(f"{store.path}: clip '{nameless}' does not say who is in it")
    actors = sorted({str(clip.actor) for clip in store.clips})
    if not 0 < test_actors < len(actors):
        raise UserError(
            f"{store.path}: has {len(actors)} actors; {test_actors} of them to test on leave none "
            "on one of the sides"
        )
    held_out = set(actors[-test_actors:])
    paths = (Path(train), Path(test))
    if len({path.resolve() for path in (*paths, store.path)}) < 3:
        raise UserError(f"{train}, {test}: must be two folders, and neither the clips' own")
    # Both at first: whichever folder must not be written refuses before the other is.
    writers = [
        ClipWriter(path, store.size, skeleton=store.skeleton, info=store.info, overwrite=overwrite)
        for path in paths
    ]
    for writer, name in zip(writers, ("train", "test"), strict=True):
        with writer:
            for clip in store.clips:
                if (clip.actor in held_out) == (name == "test"):
                    kept = {key: getattr(clip, key) for key in _KEPT}
                    writer.add(clip.name, clip.frames, split=name, **kept)
    return paths
