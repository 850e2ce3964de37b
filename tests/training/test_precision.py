"""Autocast is on where it was asked for or pays, and nowhere else."""

from __future__ import annotations

import pytest
import torch

from fastpose.errors import UserError
from fastpose.recipes import get_recipe, override
from fastpose.training import precision

CPU = torch.device("cpu")


def product_dtype(choice: str) -> torch.dtype:
    with precision.autocast(CPU, choice):
        return (torch.ones(2, 2) @ torch.ones(2, 2)).dtype


def test_explicit_choices() -> None:
    assert product_dtype("float32") == torch.float32
    assert product_dtype("bfloat16") == torch.bfloat16


@pytest.mark.parametrize(("native", "dtype"), [(True, torch.bfloat16), (False, torch.float32)])
def test_auto_follows_the_machine(
    monkeypatch: pytest.MonkeyPatch, native: bool, dtype: torch.dtype
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": native})
    assert product_dtype("auto") == dtype


def test_an_unknown_precision_is_refused() -> None:
    with pytest.raises(UserError, match="precision: expected one of float32"):
        override(get_recipe("keypointgan"), ["precision=half"])
