"""Sample sheets: fixed frames, no influence, every row where it belongs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch

from fastpose.errors import UserError
from fastpose.training import sheets
from fastpose.training.batches import Sources
from fastpose.training.sheets import SheetWriter, sheet_rows
from tests.training.tiny import JOINTS, SIZE, SKELETON, SOURCES, differing, make_state


def pictures(count: int = 2, size: int = SIZE) -> np.ndarray:
    return np.full((count, size, size, 3), 90, np.uint8)


def test_rows_are_captioned_enlarged_and_the_overlay_comes_last() -> None:
    points = np.full((2, JOINTS, 2), 3.5, np.float32)
    columns = {"input": pictures(), "raw skeleton": pictures(), "points": points}
    rows = sheet_rows(columns, SKELETON)
    assert [caption for caption, _ in rows] == ["input", "raw skeleton", "overlay"]
    assert all(image.shape == (128, 128, 3) for _, images in rows for image in images)
    drawn = np.abs(rows[2][1][0].astype(int) - 90).sum(axis=2) > 0
    y, x = np.nonzero(drawn)
    # 3.5 is the middle of 8 pixels, and so of 128: the enlarged pixel centres are counted in.
    assert abs(x.mean() - 63.5) < 1 and abs(y.mean() - 63.5) < 1


def test_large_pictures_are_not_enlarged() -> None:
    rows = sheet_rows({"input": pictures(1, 256)}, SKELETON)
    assert rows[0][1][0].shape == (256, 256, 3)


def test_a_sheet_is_written_and_changes_nothing(tmp_path: Path) -> None:
    state, untouched = make_state(), make_state()
    state.step, untouched.step = 9, 9
    writer = SheetWriter(tmp_path / "sheets", SOURCES, seed=0)
    rng, states = torch.get_rng_state(), dict(state.rng_states)
    path = writer.write(state)
    assert path == tmp_path / "sheets/step_000009.png"
    assert torch.equal(torch.get_rng_state(), rng) and state.rng_states == states
    assert differing(state, untouched) == [] and state.model.training
    with PIL.Image.open(path) as picture:
        assert picture.width > 8 * 128 and picture.height > 3 * 128


def test_the_same_frames_are_shown_again_whatever_was_trained_between(tmp_path: Path) -> None:
    state = make_state()
    first = SheetWriter(tmp_path, SOURCES, seed=4).write(state)
    before = first.read_bytes()
    SOURCES.poses.sample(5, np.random.default_rng(1))
    assert SheetWriter(tmp_path, SOURCES, seed=4).write(state).read_bytes() == before
    assert SheetWriter(tmp_path, SOURCES, seed=5).write(state).read_bytes() != before


def test_without_frames_there_is_no_sheet(tmp_path: Path) -> None:
    assert SheetWriter(tmp_path, Sources(None, SOURCES.poses), seed=0).write(make_state()) is None
    assert list(tmp_path.iterdir()) == []


def test_without_poses_the_row_of_the_prior_is_left_out(tmp_path: Path, monkeypatch) -> None:
    captions: list[str] = []

    def fake(rows, *, title):
        captions.extend(caption for caption, _ in rows)
        return pictures(1, 16)[0]

    monkeypatch.setattr(sheets, "contact_sheet", fake)
    SheetWriter(tmp_path, Sources(SOURCES.frames, None), seed=0).write(make_state())
    assert captions == ["input", "overlay"]


def test_a_sheet_that_cannot_be_written_is_a_users_error(tmp_path: Path) -> None:
    (tmp_path / "sheets").write_text("in the way")
    with pytest.raises(UserError, match="cannot write the sample sheet"):
        SheetWriter(tmp_path / "sheets", SOURCES, seed=0).write(make_state())
