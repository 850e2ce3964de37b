"""Train a model on unlabelled clips and unpaired poses."""

from __future__ import annotations

from typing import Annotated

import tyro


def run(
    recipe: tyro.conf.Positional[str],
    /,
    out: Annotated[str, tyro.conf.arg(metavar="RUN")],
    data: Annotated[str | None, tyro.conf.arg(metavar="CLIPS")] = None,
    prior: Annotated[tuple[str, ...], tyro.conf.arg(metavar="PATH [PATH ...]")] = (),
    set_: Annotated[
        tuple[str, ...], tyro.conf.arg(name="set", metavar="KEY=VALUE [KEY=VALUE ...]")
    ] = (),
    fit_prior: bool = False,
    steps: int | None = None,
    resume: bool = False,
    overwrite: bool = False,
    threads: int | None = None,
    device: str = "auto",
    dry_run: bool = False,
) -> int:
    """Train a model on unlabelled clips and unpaired poses.

    Args:
        recipe: Name of the recipe, such as keypointgan.
        out: The run directory: configuration, checkpoints, metrics and sample sheets go there.
        data: Folder of clips that 'prepare' or 'synthesize' made.
        prior: Files or folders of poses that belong to no image.
        set_: Fields of the recipe to change, such as model.width=32 or stages.main.steps=2000.
        fit_prior: Fit the framing of the poses to the clips first; no label is used.
        steps: Stop when so many steps are done in all. The schedule stays the recipe's.
        resume: Continue the run in RUN from its newest complete checkpoint, or start it.
        overwrite: Delete the run in RUN and start again.
        threads: Processor threads.
        device: auto, cpu, cuda or cuda:N.
        dry_run: Say what would be done, and stop.
    """
    from fastpose.recipes import get_recipe, override
    from fastpose.training.run import train_run

    result = train_run(
        override(get_recipe(recipe), set_),
        data,
        prior,
        out,
        resume=resume,
        overwrite=overwrite,
        steps=steps,
        threads=threads,
        device=device,
        fit_prior=fit_prior,
        dry_run=dry_run,
    )
    return result.exit_code
