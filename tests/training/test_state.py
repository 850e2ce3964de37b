"""The training state: schedules, optimizers by stage, who takes gradients, what is refused."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from fastpose.errors import UserError
from fastpose.training.phases import Phase, Stage
from fastpose.training.state import TrainState, check_stages, lr_factor
from tests.training.tiny import STAGES, TinyModel, make_state

MAIN = STAGES[1]


def test_the_learning_rate_falls_linearly_to_its_end() -> None:
    stage = dataclasses.replace(MAIN, steps=10, decay_from=0.5, lr_final=0.2)
    factors = [lr_factor(stage, step) for step in range(11)]
    assert factors[:6] == [1.0] * 6
    assert factors[6:] == pytest.approx([0.84, 0.68, 0.52, 0.36, 0.2])


@pytest.mark.parametrize("decay_from", [0.0, 1.0])
def test_the_learning_rate_at_the_ends_of_decay_from(decay_from: float) -> None:
    stage = dataclasses.replace(MAIN, steps=4, decay_from=decay_from, lr_final=0.0)
    expected = [1.0] * 4 if decay_from == 1.0 else [1.0, 0.75, 0.5, 0.25]
    assert [lr_factor(stage, step) for step in range(4)] == pytest.approx(expected)


def test_only_the_modules_of_the_phase_take_gradients() -> None:
    state = make_state()
    state.step = 7
    stage = state.enter_stage()
    for phase in stage.phases:
        state.train_only(phase)
        trained = {n.split(".")[0] for n, p in state.model.named_parameters() if p.requires_grad}
        assert trained == set(phase.modules)


def test_every_stage_begins_with_fresh_optimizers() -> None:
    state = make_state()
    assert list((state.enter_stage(), state.optimizers)[1]) == ["poses"]
    first = state.optimizers
    state.step = 6
    assert state.enter_stage() is STAGES[0] and state.optimizers is first
    state.step = 7
    assert state.enter_stage() is STAGES[1]
    assert list(state.optimizers) == ["detector", "critic"] and state.optimizer_tensors() == {}


def test_the_ends_of_stages_are_seen() -> None:
    state = make_state()
    ends = []
    for state.step in range(0, 48):
        if state.at_stage_end():
            ends.append((state.step, state.last_stage().name))
    assert ends == [(7, "first"), (47, "second")]


def test_the_model_is_channels_last() -> None:
    weight = make_state().model.get_parameter("encoder.0.weight")
    assert weight.is_contiguous(memory_format=torch.channels_last)
    assert not weight.is_contiguous()


def phase(**changes: object) -> Phase:
    return dataclasses.replace(STAGES[0].phases[0], **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"steps": -1}, "0 or more steps"),
        ({"steps": 0}, "1 or more in all"),
        ({"batch_size": 0}, "batch_size must be 1 or more"),
        ({"decay_from": 1.5}, r"decay_from must lie in \[0, 1\]"),
        ({"needs": ()}, "needs must name"),
        ({"needs": ("frame",)}, "needs must name"),
        ({"phases": ()}, "needs phases of different names"),
        ({"phases": (phase(), phase())}, "needs phases of different names"),
        ({"phases": (phase(modules=()),)}, "needs modules and loss weights"),
        ({"phases": (phase(weights={"score": 0.0}),)}, "needs modules and loss weights"),
        ({"phases": (phase(modules=("critics",)),)}, "no module 'critics'; did you mean 'critic'"),
    ],
)
def test_stages_that_do_not_fit_are_refused(changes: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        check_stages(TinyModel(), [dataclasses.replace(STAGES[0], **changes)])


def test_optimizer_tensors_of_another_shape_or_stage_are_refused() -> None:
    state = make_state()
    state.step = 9
    with pytest.raises(UserError, match=r"no parameter for 'poses/critic.weight/step'"):
        state.load_optimizer_tensors({"poses/critic.weight/step": torch.zeros(())})
    name = "critic/critic.weight"
    moments = {"step": torch.ones(()), "exp_avg": torch.zeros(3), "exp_avg_sq": torch.zeros(3)}
    with pytest.raises(UserError, match=r"critic.weight/exp_avg': expected float32 \(1, 24\)"):
        state.load_optimizer_tensors({f"{name}/{k}": v for k, v in moments.items()})
    with pytest.raises(UserError, match="incomplete"):
        state.load_optimizer_tensors({f"{name}/step": torch.ones(())})
    state.step = state.total_steps
    with pytest.raises(UserError, match="schedule is over"):
        state.load_optimizer_tensors({f"{name}/step": torch.ones(())})


def test_a_stage_may_train_one_module_in_two_phases() -> None:
    twice = Stage("twice", 2, 2, (phase(), phase(name="again")), ("poses",))
    state = TrainState(TinyModel(), [twice], ema_decay=0.0, seed=0)
    state.enter_stage()
    for each in twice.phases:
        state.train_only(each)
        assert all(p.requires_grad for p in state.parameters_of(each))
