"""What happens before the first step: which run is meant, what is in its way, fitting its prior."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Sequence
from pathlib import Path

import torch

from fastpose.data.clips import ClipStore
from fastpose.data.pose_prior import PosePrior
from fastpose.data.prior_fit import fit_prior
from fastpose.errors import UserError
from fastpose.recipes import RECIPES, Recipe, recipe_to_dict
from fastpose.skeletons import get_skeleton
from fastpose.training.checkpoint import difference
from fastpose.training.files import explained, replace_file
from fastpose.training.run_config import CONFIG, PRIOR_FIT, RunConfig

# Everything a run writes, config.json first: without it the rest is no run any more.
_OWN = (
    CONFIG,
    "environment.json",
    "metrics.jsonl",
    "timing.jsonl",
    "summary.json",
    PRIOR_FIT,
    "checkpoints",
    "sheets",
    "failed",
)


def configure(
    recipe: Recipe | None,
    data: str | Path | None,
    prior: Sequence[str | Path],
    run: Path,
    *,
    resume: bool,
    overwrite: bool,
    device: torch.device,
    threads: int | None,
) -> RunConfig:
    """The configuration of the run to start or to resume; writes nothing.

    Raises:
        UserError: something is in the way at ``run``, an argument is missing, or the recipe is not
            that of the run to resume.
    """
    if resume and overwrite:
        raise UserError("--resume and --overwrite contradict each other; give one")
    if threads is not None and threads < 1:
        raise UserError(f"threads: must be 1 or more, not {threads}")
    if run.exists() and not run.is_dir():
        raise UserError(f"{run}: is a file; name a folder for the run")
    if resume and (run / CONFIG).exists():
        return _resumed(recipe, data, prior, run, device, threads)
    _refuse_other_files(run, overwrite=overwrite)
    if recipe is None or data is None or not prior:
        missing = "a recipe" if recipe is None else "--data" if data is None else "--prior"
        raise UserError(f"{run}: there is no run to resume; to start one, give {missing}")
    recipe = _absolute_files(recipe)
    return RunConfig(
        recipe=recipe,
        requested=recipe,
        skeleton=get_skeleton(recipe.skeleton),
        data=Path(data).absolute(),
        prior=tuple(Path(path).absolute() for path in prior),
        device=str(device),
        threads=threads or torch.get_num_threads(),
    )


def _resumed(
    recipe: Recipe | None,
    data: str | Path | None,
    prior: Sequence[str | Path],
    run: Path,
    device: torch.device,
    threads: int | None,
) -> RunConfig:
    config = RunConfig.load(run)
    # A recipe as it is in the registry means: the run's, whatever fields were set when it began.
    if recipe is not None and recipe != RECIPES.get(config.recipe.name):
        asked, stored = recipe_to_dict(_absolute_files(recipe)), recipe_to_dict(config.requested)
        if asked["name"] != stored["name"]:
            raise UserError(
                f"{run}: was started with the recipe '{stored['name']}', not '{asked['name']}'; "
                "resume it with that one, or name another folder"
            )
        if asked != stored:
            raise UserError(
                f"{run}: was started with another recipe ({difference(stored, asked)}); resume it "
                "without --set, or name another folder"
            )
    return dataclasses.replace(
        config,
        data=Path(data).absolute() if data is not None else config.data,
        prior=tuple(Path(path).absolute() for path in prior) or config.prior,
        device=str(device),
        threads=threads or config.threads,
    )


def _absolute_files(recipe: Recipe) -> Recipe:
    """Files that the recipe names, as they are to be found from any working directory."""
    weights, fit = recipe.model.feature_weights, recipe.prior.fit
    if weights:
        model = dataclasses.replace(recipe.model, feature_weights=str(Path(weights).absolute()))
        recipe = dataclasses.replace(recipe, model=model)
    if fit:
        prior = dataclasses.replace(recipe.prior, fit=str(Path(fit).absolute()))
        recipe = dataclasses.replace(recipe, prior=prior)
    return recipe


def _refuse_other_files(run: Path, *, overwrite: bool) -> None:
    if not run.is_dir():
        return
    if (run / CONFIG).exists():
        if not overwrite:
            raise UserError(
                f"{run}: a run is there; continue it with --resume, delete it with --overwrite, or "
                "name another folder"
            )
        return
    # A start that was killed leaves no configuration, and these.
    strange = [p.name for p in run.iterdir() if p.name not in (*_OWN, "lock") and p.name[0] != "."]
    if strange:
        raise UserError(f"{run}: holds other files ({min(strange)}); name another folder")


def remove_run(run: Path) -> None:
    """Delete what a run wrote in ``run``, and nothing else."""
    for name in _OWN:
        path = run / name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def fit_to_clips(
    config: RunConfig, run: Path, prior: PosePrior, clips: ClipStore, *, wanted: bool
) -> tuple[RunConfig, PosePrior]:
    """Put the prior's fitted table into ``run`` and name it in the configuration.

    Args:
        wanted: fit now; otherwise only a table that the recipe names is copied.
    """
    recipe = config.recipe
    path = run / PRIOR_FIT
    if wanted:
        fitted = fit_prior(prior, clips, path, seed=recipe.seed).config
    elif recipe.prior.fit:
        fitted = recipe.prior
        with explained(path, PRIOR_FIT):
            replace_file(path, Path(recipe.prior.fit).read_bytes())
    else:
        return config, prior
    prior = PosePrior(config.skeleton, dataclasses.replace(fitted, fit=str(path)), prior.bank)
    recipe = dataclasses.replace(recipe, prior=dataclasses.replace(fitted, fit=PRIOR_FIT))
    return dataclasses.replace(config, recipe=recipe), prior
