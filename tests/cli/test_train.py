"""``fastpose train`` as it is typed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from fastpose.cli import main
from fastpose.recipes import get_recipe
from tests.training.small_run import make_clips, make_prior

SMALL = ["model.width=2", "model.discriminator_width=2", "stages.pretrain.steps=2"]


@pytest.fixture
def arguments(tmp_path: Path) -> list[str]:
    make_clips(tmp_path / "clips")
    make_prior(tmp_path / "prior.npz")
    words = [
        "train",
        "keypointgan",
        "--data",
        tmp_path / "clips",
        "--prior",
        tmp_path / "prior.npz",
    ]
    return [str(w) for w in [*words, "--out", tmp_path / "run", "--threads", "1"]]


@pytest.fixture(autouse=True)
def same_threads():
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def test_train_and_resume(arguments: list[str], tmp_path: Path, capsys) -> None:
    sets = ["--set", *SMALL, "stages.pretrain.batch_size=2"]
    assert main([*arguments, *sets, "--steps", "1"]) == 0
    assert (
        main(["train", "keypointgan", "--out", str(tmp_path / "run"), "--resume", "--steps", "2"])
        == 0
    )
    assert "resuming at step 1" in capsys.readouterr().out
    config = json.loads((tmp_path / "run/config.json").read_text())
    assert config["recipe"]["model"]["width"] == 2 and config["threads"] == 1
    assert json.loads((tmp_path / "run/summary.json").read_text())["step"] == 2


def test_dry_run(arguments: list[str], tmp_path: Path, capsys) -> None:
    assert main([*arguments, "--dry-run"]) == 0
    main_stage = get_recipe("keypointgan").stages[1]
    wanted = f"stage main: {main_stage.steps} steps of batch {main_stage.batch_size}"
    assert wanted in capsys.readouterr().out
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (["--set", "model.widht=3"], "no field 'widht'; did you mean 'width'?"),
        (["--set", "model.width=wide"], "expected int"),
        (["--set", "stages.main.generator.weights.perceptive=1"], "did you mean 'perceptual'?"),
        (["--set", "model.image_size=128"], "its frames are 64 x 64"),
        (["--device", "cuda:77"], "device 'cuda:77'"),
        (["--resume", "--overwrite"], "contradict each other"),
        (["--steps", "-3"], "steps: must be 1 or more"),
    ],
)
def test_errors_are_one_line_and_exit_2(
    arguments: list[str], extra: list[str], message: str, tmp_path: Path, capsys
) -> None:
    assert main([*arguments, *extra]) == 2
    err = capsys.readouterr().err
    assert err.startswith("fastpose: error: ") and message in err and err.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_an_unknown_recipe_is_answered_with_the_nearest(capsys) -> None:
    assert main(["train", "keypontgan", "--out", "nowhere"]) == 2
    assert "did you mean 'keypointgan'?" in capsys.readouterr().err


def test_a_signal_becomes_the_exit_code(arguments: list[str], monkeypatch) -> None:
    from fastpose.training import run

    class Stopped:
        exit_code = 143

    monkeypatch.setattr(run, "train_run", lambda *args, **options: Stopped())
    assert main(arguments) == 143
