"""The networks of a model by ``torch.compile``, while it is trained. Not yet run on a GPU."""

from __future__ import annotations

import torch

from fastpose.errors import UserError
from fastpose.models.base import Model


def compile_networks(model: Model, device: torch.device) -> None:
    """Let the modules that ``model.networks`` names run as compiled code when they are called.

    The model stays the same object with the same parameters, and copies of it are not compiled. It
    takes minutes, during the first steps.

    Raises:
        UserError: torch.compile does not work here, or the model does not say what to compile.
    """
    if not model.networks:
        raise UserError(f"compile: a {type(model).__name__} has no networks to compile; say false")
    try:
        # Without dynamic sizes, here and below: a batch of another size, in the stage before, must
        # not decide about the code of this one, or a run would not repeat exactly once resumed.
        torch.compile(lambda x: x.sin() + 1, dynamic=False)(torch.ones(8, device=device))
    except (RuntimeError, OSError) as error:
        reason = str(error).splitlines()[0][:200]
        raise UserError(
            f"compile: torch.compile does not work here ({reason}); install what it lacks, such as "
            "a C++ compiler and, for GPUs, Triton, or leave compile=true out"
        ) from error
    for name in model.networks:
        model.get_submodule(name).compile(dynamic=False)
