"""Clips of held-out actors."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from fastpose.data.clips import Clip, ClipStore, ClipWriter, split_by_actor
from fastpose.data.synthetic import CameraConfig, SyntheticConfig, SyntheticPeople, write_clips
from fastpose.errors import UserError


def people(tmp_path: Path, actors: int = 3) -> ClipStore:
    camera = CameraConfig(directions=(0.0, 180.0), window=2.5)
    config = SyntheticConfig(actors=actors, scene="room", camera=camera)
    made = SyntheticPeople(32, 2, seed=1, config=config)
    return ClipStore.open(write_clips(tmp_path / "people", 12, made))


def test_no_actor_is_in_both_and_nothing_is_lost(tmp_path: Path) -> None:
    store = people(tmp_path)
    paths = split_by_actor(store, tmp_path / "train", tmp_path / "test", test_actors=1)
    train, test = (ClipStore.open(path) for path in paths)
    actors = [{clip.actor for clip in part.clips} for part in (train, test)]
    assert len(actors[1]) == 1 and len(actors[0]) == 2 and not actors[0] & actors[1]
    assert max(actors[0]) < min(actors[1])  # type: ignore[type-var]
    copied = {clip.name: clip for part in (train, test) for clip in part.clips}
    assert len(copied) == len(train.clips) + len(test.clips) == len(store.clips)
    for clip in store.clips:
        for field in fields(Clip):
            if field.name != "split":
                ours, theirs = getattr(copied[clip.name], field.name), getattr(clip, field.name)
                assert np.array_equal(ours, theirs), field.name
    assert {clip.split for clip in test.clips} == {"test"}
    assert test.info == store.info


def test_refusals(tmp_path: Path) -> None:
    store = people(tmp_path, actors=2)
    for count in (0, 2, -1):
        with pytest.raises(UserError, match="has 2 actors"):
            split_by_actor(store, tmp_path / "a", tmp_path / "b", test_actors=count)
    for paths in (("a", "a"), ("people", "b"), ("a", "people")):
        with pytest.raises(UserError, match="two folders"):
            split_by_actor(store, *(tmp_path / p for p in paths), test_actors=1, overwrite=True)
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "file").touch()
    with pytest.raises(UserError, match="b: exists"):
        split_by_actor(store, tmp_path / "a", tmp_path / "b", test_actors=1)
    with ClipWriter(tmp_path / "nameless", 32) as writer:
        writer.add("one", np.zeros((2, 32, 32, 3), np.uint8), fps=5.0)
    nameless = ClipStore.open(tmp_path / "nameless")
    with pytest.raises(UserError, match="'one' does not say who"):
        split_by_actor(nameless, tmp_path / "a", tmp_path / "b", test_actors=1)
    assert not (tmp_path / "a").exists()
