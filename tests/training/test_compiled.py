"""Networks by torch.compile: the losses of eager ones, the same names, exact resuming."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from fastpose.errors import UserError
from fastpose.models.base import Model
from fastpose.recipes import RECIPES, build_model
from fastpose.training.compiled import compile_networks
from fastpose.training.state import TrainState
from fastpose.training.step import Stepper
from tests.training.golden import small
from tests.training.small_gan import keypoint_gan
from tests.training.tiny import all_tensors, differing, make_state, one_batch, tiny_run

CPU = torch.device("cpu")
# Of a loss in float32, relative, over the first ten steps of two adversaries.
TOLERANCE = 1e-4


@pytest.fixture(autouse=True)
def from_the_start() -> Any:
    torch.compiler.reset()
    yield
    torch.compiler.reset()


def losses(state: TrainState, batch: dict, steps: int) -> list[dict[str, float]]:
    stage, stepper = state.enter_stage(), Stepper(state, print)
    torch.manual_seed(5)
    return [
        stepper.take(stage, i, {k: v * (1 - 0.01 * i) for k, v in batch.items()}).read()
        for i in range(steps)
    ]


def of_losses(step: dict[str, float]) -> dict[str, float]:
    return {k: v for k, v in step.items() if k.count("/") == 1}


def test_compiled_networks_give_the_losses_of_eager_ones() -> None:
    found = []
    for compile in (False, True):
        state = make_state(compile=compile)
        state.step = 7
        found.append(losses(state, one_batch(state, state.enter_stage()), 10))
    for eager, compiled in zip(*found, strict=True):
        assert of_losses(compiled) == pytest.approx(of_losses(eager), rel=TOLERANCE)


@pytest.mark.timeout(240)
def test_what_is_compiled_of_keypoint_gan_changes_nothing(monkeypatch) -> None:
    """Traced and cut into forward and backward as ever, but run by torch's own kernels."""
    runs = [0]

    def count(graph: Any, inputs: Any) -> Any:
        runs[0] += 1
        return aot_eager(graph, inputs)

    aot_eager = torch._dynamo.lookup_backend("aot_eager")
    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend=count))
    (eager, _, batch), (compiled, *_) = (keypoint_gan(compile=compile) for compile in (False, True))
    assert all_tensors(eager).keys() == all_tensors(compiled).keys()
    expected, found = losses(eager, batch, 1), losses(compiled, batch, 1)
    graphs = runs[0]
    # Translator and decoder once; regressor and discriminator for each phase that calls them so.
    assert 6 <= graphs <= 10
    assert of_losses(found[0]) == pytest.approx(of_losses(expected[0]), rel=1e-5)
    losses(compiled, batch, 3)
    assert runs[0] == graphs  # later steps find them all


def test_a_compiled_run_repeats_exactly_once_resumed(tmp_path: Path) -> None:
    straight = tiny_run(tmp_path / "a", stop=17, state=make_state(compile=True))
    for stop in (3, 12, 17):
        torch.compiler.reset()  # as a new process begins
        pieces = tiny_run(tmp_path / "b", stop=stop, state=make_state(compile=True))
    assert differing(straight, pieces) == []
    metrics = [(tmp_path / run / "metrics.jsonl").read_bytes() for run in "ab"]
    assert metrics[0] == metrics[1]
    # And a checkpoint of the one kind is one of the other.
    assert tiny_run(tmp_path / "b", stop=20).step == 20


@pytest.mark.parametrize("name", RECIPES)
def test_the_networks_hold_all_that_is_trained_and_are_called(name: str, monkeypatch) -> None:
    recipe = small(name)
    model = build_model(recipe, recipe.target, for_training=False)
    networks = [model.get_submodule(path) for path in type(model).networks]
    held = {id(p) for network in networks for p in network.parameters()}
    phases = [phase for stage in recipe.stages for phase in stage.phases]
    trained = {n for phase in phases for n in phase.modules}
    parameters = [p for n in trained for p in model.get_submodule(n).parameters()]
    assert parameters and {id(p) for p in parameters} <= held
    # A module that nothing calls as a whole would be compiled in vain.
    assert all(type(network).forward is not nn.Module.forward for network in networks)


def test_averages_and_copies_are_not_compiled() -> None:
    state = make_state(compile=True)
    assert all(getattr(state.model, n)._compiled_call_impl for n in state.model.networks)
    average = state.ema.module()
    assert not any(m._compiled_call_impl for m in average.modules())


def test_a_model_without_networks_is_refused() -> None:
    with pytest.raises(UserError, match="compile: a Model has no networks to compile; say false"):
        compile_networks(Model(), CPU)


def test_without_a_compiler_it_is_said_before_anything_is_written(tmp_path: Path) -> None:
    code = "from tests.training.small_run import small_recipe, start; import sys, pathlib\n"
    code += "start(pathlib.Path(sys.argv[1]), small_recipe('compile=true'))"
    hidden = {"CXX": "/nowhere/g++", "TORCHINDUCTOR_CACHE_DIR": str(tmp_path / "cache")}
    ran = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        capture_output=True,
        text=True,
        env={**os.environ, **hidden},
        cwd=Path(__file__).resolve().parents[2],
    )
    last = ran.stderr.strip().splitlines()[-1]
    assert "UserError: compile: torch.compile does not work here (InvalidCxxCompiler" in last
    assert "install what it lacks, such as a C++ compiler" in last
    assert not (tmp_path / "run").exists()
