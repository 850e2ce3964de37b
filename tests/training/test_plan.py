"""The plan of --dry-run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from fastpose.data.clips import ClipWriter
from fastpose.errors import UserError
from fastpose.skeletons import get_skeleton
from fastpose.training.plan import describe_plan
from fastpose.training.run_start import Opened, open_all
from fastpose.training.world import SINGLE
from tests.training.small_run import make_clips, make_prior, quiet, small_recipe
from tests.training.test_run_config import make_config


def opened(run: Path, **changes: Any) -> Opened:
    return open_all(make_config(**changes), run, torch.device("cpu"), SINGLE, quiet())


def test_the_plan_names_model_data_stages_and_outputs(tmp_path: Path) -> None:
    run, clips = tmp_path / "run", make_clips(tmp_path / "clips")
    found = opened(run, data=clips, prior=(make_prior(tmp_path / "prior.npz"),))
    text = "\n".join(describe_plan(found, run, stop=5, fit_prior=True))
    assert "recipe keypointgan, skeleton limbs12, seed 0" in text
    assert "clips: 2 with 12 frames of 64 x 64 (" in text
    assert "recordings 1" in text and "to be fitted to the clips" in text
    assert "stage main: 6 steps of batch 2, phases generator, discriminator, regressor" in text
    assert "stops after 5 of 10 steps" in text
    assert f"writes to {run} (" in text and "device cpu, 2 threads" in text
    total = sum(p.numel() for p in found.state.model.parameters())
    assert f"model: {total} parameters (translator " in text
    assert not run.exists()


def test_clips_that_are_too_short_are_counted(tmp_path: Path) -> None:
    frames = np.zeros((3, 64, 64, 3), np.uint8)
    with ClipWriter(tmp_path / "clips", 64) as writer:
        writer.add("long", frames, fps=10.0)
        writer.add("short", frames[:1], fps=10.0)
    prior = make_prior(tmp_path / "prior.npz")
    found = opened(tmp_path, data=tmp_path / "clips", prior=(prior,))
    lines = describe_plan(found, tmp_path, stop=10, fit_prior=False)
    assert any("64 x 64, 1 of them without a partner" in line for line in lines)
    assert not any("stops after" in line for line in lines)


@pytest.mark.parametrize(
    ("pairs", "said"),
    [
        (("checkpoint_every=7",), "every 7 steps, a sheet every 100 steps"),
        (("checkpoint_every=0", "sheet_every=0"), "at stages' ends, no sheets"),
    ],
)
def test_how_often_something_is_written(tmp_path: Path, pairs: tuple[str, ...], said: str) -> None:
    clips, prior = make_clips(tmp_path / "clips"), make_prior(tmp_path / "prior.npz")
    found = opened(tmp_path, data=clips, prior=(prior,), recipe=small_recipe(*pairs))
    assert said in describe_plan(found, tmp_path, stop=10, fit_prior=False)[-1]


def test_several_processes_are_named(tmp_path: Path) -> None:
    clips, prior = make_clips(tmp_path / "clips"), make_prior(tmp_path / "prior.npz")
    found = opened(tmp_path, data=clips, prior=(prior,), processes=4)
    text = "\n".join(describe_plan(found, tmp_path, stop=10, fit_prior=False))
    assert "2 threads in each of 4 processes, batch norm synchronised" in text


def test_poses_of_frames_that_the_clips_show_are_refused(tmp_path: Path) -> None:
    frames = np.zeros((4, 64, 64, 3), np.uint8)
    with ClipWriter(tmp_path / "clips", 64, info={"dataset": {"dataset": "lsp"}}) as writer:
        writer.add("a", frames, fps=1.0, source="im1", source_frames=range(4))
    rng = np.random.default_rng(0)
    about = {"dataset": np.array("lsp"), "source": np.array(["im1", "im1"])}
    for numbers in ([4, 5], [3, 4]):
        np.savez(
            tmp_path / "poses.npz",
            keypoints=rng.uniform(0, 60, (2, 12, 2)),
            joint_names=np.array(get_skeleton("limbs12").joints),
            source_frame=np.array(numbers),
            **about,
        )
        changes = {"data": tmp_path / "clips", "prior": (tmp_path / "poses.npz",)}
        if numbers == [4, 5]:
            assert opened(tmp_path / "run", **changes).poses.describe()["poses"] == 2
            continue
        with pytest.raises(UserError, match="shows 1 of the frames that the prior's 2 poses"):
            opened(tmp_path / "run", **changes)


def test_pairs_are_drawn_as_the_recipe_says(tmp_path: Path) -> None:
    clips, prior = make_clips(tmp_path / "clips"), make_prior(tmp_path / "prior.npz")
    given = {"data": clips, "prior": (prior,)}
    found = opened(tmp_path / "run", **given, recipe=small_recipe("pairs=warps"))
    assert type(found.sources.frames).__name__ == "WarpPairs"
    with pytest.raises(UserError, match="no moment is seen by two cameras"):
        opened(tmp_path / "run", **given, recipe=small_recipe("pairs=views"))
    with pytest.raises(UserError, match="pairs: expected one of frames, earlier"):
        small_recipe("pairs=nothing")
