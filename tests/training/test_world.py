"""One process has nobody to ask; several are recognised by what torchrun says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from fastpose.errors import UserError
from fastpose.nn.batch_norm import BatchNorm2d
from fastpose.training.state import check_stages
from fastpose.training.world import SINGLE, attach, join, launched
from tests.training.small_run import make_clips, make_prior
from tests.training.tiny import STAGES, TinyModel

TORCHRUN = {
    "RANK": "5",
    "WORLD_SIZE": "8",
    "LOCAL_RANK": "1",
    "MASTER_ADDR": "a",
    "MASTER_PORT": "1",
}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, (5, 8, 1)),
        ({"LOCAL_RANK": None}, (5, 8, 5)),
        ({"WORLD_SIZE": "1", "RANK": "0"}, None),
        ({"WORLD_SIZE": None}, None),
        ({"RANK": None}, None),
        ({"MASTER_ADDR": None}, None),  # a cluster's own variables, and no torchrun
        ({"WORLD_SIZE": "many"}, None),
        ({"RANK": ""}, None),
    ],
)
def test_where_several_processes_were_started(monkeypatch, changes: dict, expected) -> None:
    for name, value in {**TORCHRUN, **changes}.items():
        monkeypatch.delenv(name, raising=False)
        if value is not None:
            monkeypatch.setenv(name, value)
    assert launched() == expected


def test_one_process_agrees_with_itself() -> None:
    assert join(None, torch.device("cpu")) is SINGLE and SINGLE.leads
    values = torch.tensor([1.0, 2.0])
    assert SINGLE.mean(values) is values and SINGLE.gather(values) is values
    SINGLE.average_([values])
    SINGLE.require_same({"a": values})
    assert values.tolist() == [1.0, 2.0]
    assert SINGLE.agree(7) == 7 and SINGLE.tell({"a": 1}) == {"a": 1}
    assert SINGLE.share(5) == slice(0, 5)


def test_one_process_has_no_statistics_to_average() -> None:
    model = nn.Sequential(BatchNorm2d(2), nn.BatchNorm2d(2))
    assert attach(model, SINGLE, batch_norm="local") == []


def test_a_batch_that_cannot_be_shared_equally_is_refused() -> None:
    message = (
        r"stage 'first': 2 processes cannot share its batch_size 5 equally; start a number that "
        r"divides it, or --set stages.first.batch_size=6"
    )
    with pytest.raises(UserError, match=message):
        check_stages(TinyModel(), STAGES, 2)
    check_stages(TinyModel(), STAGES[:1], 5)


ALONE = """
import sys
import torch.distributed
from fastpose.cli import main
assert main(sys.argv[1:]) == 0
assert "fastpose.training.distributed" not in sys.modules
assert not torch.distributed.is_initialized()
"""


def test_a_run_without_torchrun_loads_nothing_for_several_processes(tmp_path: Path) -> None:
    clips, prior = make_clips(tmp_path / "clips"), make_prior(tmp_path / "prior.npz")
    words = ["train", "keypointgan", "--data", str(clips), "--prior", str(prior), "--steps", "1"]
    words += ["--out", str(tmp_path / "run"), "--set", "model.width=2"]
    subprocess.run([sys.executable, "-c", ALONE, *words], check=True, capture_output=True)
