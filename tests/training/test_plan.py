"""The plan of --dry-run."""

from __future__ import annotations

from pathlib import Path

from fastpose.data.clips import ClipWriter
from fastpose.data.frame_pairs import FramePairs
from fastpose.training.plan import describe_plan
from fastpose.training.run import make_state
from tests.training.small_run import make_clips, make_prior, quiet, small_recipe
from tests.training.test_run_config import make_config


def test_the_plan_names_model_data_stages_and_outputs(tmp_path: Path) -> None:
    config = make_config(
        data=make_clips(tmp_path / "clips"), prior=(make_prior(tmp_path / "prior.npz"),)
    )
    import torch

    state = make_state(config, torch.device("cpu"), quiet())
    clips = config.open_clips()
    run = tmp_path / "run"
    lines = describe_plan(
        config,
        run,
        state,
        clips,
        FramePairs(clips),
        config.open_prior(run),
        stop=5,
        fit_prior=True,
    )
    text = "\n".join(lines)
    assert "recipe keypointgan, skeleton limbs12, seed 0" in text
    assert "clips: 2 with 12 frames of 64 x 64 (" in text
    assert "recordings 1" in text and "to be fitted to the clips" in text
    assert "stage main: 6 steps of batch 2, phases generator, discriminator, regressor" in text
    assert "stops after 5 of 10 steps" in text
    assert f"writes to {run} (" in text and "device cpu, 2 threads" in text
    total = sum(p.numel() for p in state.model.parameters())
    assert f"model: {total} parameters (translator " in text
    assert not run.exists()


def test_clips_that_are_too_short_are_counted(tmp_path: Path) -> None:
    import numpy as np
    import torch

    frames = np.zeros((3, 64, 64, 3), np.uint8)
    with ClipWriter(tmp_path / "clips", 64) as writer:
        writer.add("long", frames, fps=10.0)
        writer.add("short", frames[:1], fps=10.0)
    config = make_config(
        data=tmp_path / "clips", prior=(make_prior(tmp_path / "prior.npz"),), recipe=small_recipe()
    )
    state = make_state(config, torch.device("cpu"), quiet())
    clips = config.open_clips()
    lines = describe_plan(
        config,
        tmp_path,
        state,
        clips,
        FramePairs(clips),
        config.open_prior(tmp_path),
        stop=10,
        fit_prior=False,
    )
    assert any("64 x 64, 1 of them too short" in line for line in lines)
    assert not any("stops after" in line for line in lines)
