"""What happens before the first step: which run is meant, what is in its way, opening its parts."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from rich.console import Console

from fastpose.data.clips import ClipStore
from fastpose.data.disjoint import require_disjoint
from fastpose.data.pose_prior import PosePrior
from fastpose.data.prior_fit import fit_prior
from fastpose.data.still_background import measure_background
from fastpose.errors import UserError
from fastpose.files import explained, replace_file
from fastpose.recipes import RECIPES, Recipe, build_model, recipe_to_dict
from fastpose.training.batches import Sources
from fastpose.training.checkpoint import difference
from fastpose.training.run_config import CONFIG, PRIOR_FIT, RunConfig
from fastpose.training.run_sources import open_sources
from fastpose.training.state import TrainState
from fastpose.training.world import World

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
    processes: int,
) -> RunConfig:
    """The configuration of the run to start or to resume; writes nothing.

    Raises:
        UserError: something is in the way at ``run``, an argument is missing, or the recipe is not
            that of the run to resume, or another number of processes.
    """
    if resume and overwrite:
        raise UserError("--resume and --overwrite contradict each other; give one")
    if threads is not None and threads < 1:
        raise UserError(f"threads: must be 1 or more, not {threads}")
    if run.exists() and not run.is_dir():
        raise UserError(f"{run}: is a file; name a folder for the run")
    if resume and (run / CONFIG).exists():
        return _resumed(recipe, data, prior, run, device, threads, processes)
    _refuse_other_files(run, overwrite=overwrite)
    if recipe is None:
        raise UserError(f"{run}: there is no run to resume; to start one, give a recipe")
    for name, given, needed in (
        ("--data", data is not None, recipe.needs_clips),
        ("--prior", bool(prior), recipe.needs_poses),
    ):
        if needed and not given:
            raise UserError(f"{run}: there is no run to resume; to start one, give {name}")
        if given and not needed:
            raise UserError(f"{name}: the recipe '{recipe.name}' learns without; leave it out")
    recipe = _absolute_files(recipe)
    return RunConfig(
        recipe=recipe,
        requested=recipe,
        skeleton=recipe.target,
        data=None if data is None else Path(data).absolute(),
        prior=tuple(Path(path).absolute() for path in prior),
        device=str(device),
        threads=threads or torch.get_num_threads(),
        processes=processes,
    )


def _resumed(
    recipe: Recipe | None,
    data: str | Path | None,
    prior: Sequence[str | Path],
    run: Path,
    device: torch.device,
    threads: int | None,
    processes: int,
) -> RunConfig:
    config = RunConfig.load(run)
    if processes != config.processes:
        start = f"torchrun --nproc-per-node {config.processes} -m fastpose train"
        raise UserError(
            f"{run}: was started with {_count(config.processes)}, not {_count(processes)}; resume "
            f"it with {start if config.processes > 1 else 'fastpose train'}, or name another folder"
        )
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
    return replace(
        config,
        data=Path(data).absolute() if data is not None else config.data,
        prior=tuple(Path(path).absolute() for path in prior) or config.prior,
        device=str(device),
        threads=threads or config.threads,
    )


def _count(processes: int) -> str:
    return f"{processes} process{'es' if processes > 1 else ''}"


def _absolute_files(recipe: Recipe) -> Recipe:
    """Files that the recipe names, as they are to be found from any working directory."""
    if recipe.files:
        files = {name: str(Path(path).absolute()) for name, path in recipe.files.items()}
        recipe = replace(recipe, model=replace(recipe.model, **files))
    if recipe.prior is not None and recipe.prior.fit:
        prior = replace(recipe.prior, fit=str(Path(recipe.prior.fit).absolute()))
        recipe = replace(recipe, prior=prior)
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


@dataclass(frozen=True)
class Opened:
    """What a configuration names, found to be usable."""

    config: RunConfig
    state: TrainState
    clips: ClipStore | None
    poses: PosePrior | None
    sources: Sources


def open_all(
    config: RunConfig, run: Path, device: torch.device, world: World, console: Console
) -> Opened:
    """Open everything that training needs; writes nothing. The state is that of step 0.

    Raises:
        UserError: whatever is wrong with recipe, clips or poses.
    """
    torch.set_num_threads(config.threads)
    state = make_state(config, device, world, console)
    clips = config.open_clips()
    if clips is not None and state.model.needs_still_background:
        console.print(f"note: {measure_background(clips).report()}", markup=False)
    poses = config.open_prior(run)
    if clips is not None and poses is not None:
        for note in require_disjoint(clips, poses):
            console.print(f"note: {note}", markup=False)
    return Opened(config, state, clips, poses, open_sources(config, clips, poses))


def make_state(
    config: RunConfig, device: torch.device, world: World, console: Console
) -> TrainState:
    """The state at step 0; what the model warns of becomes a line on ``console``."""
    recipe = config.recipe
    torch.manual_seed(recipe.seed)
    with warnings.catch_warnings(record=True) as notes:
        warnings.simplefilter("always", UserWarning)
        model = build_model(recipe, config.skeleton)
    for note in notes:
        console.print(f"note: {note.message}", markup=False)
    return TrainState(
        model,
        recipe.stages,
        ema_decay=recipe.ema_decay,
        precision=recipe.precision,
        seed=recipe.seed,
        device=device,
        world=world,
        batch_norm=recipe.batch_norm,
        cuda_graph=recipe.cuda_graph,
        compile=recipe.compile,
    )


def fit_to_clips(opened: Opened, run: Path, *, wanted: bool) -> Opened:
    """Put the prior's fitted table into ``run`` and name it in the configuration.

    Args:
        wanted: fit now; otherwise only a table that the recipe names is copied.

    Raises:
        UserError: the recipe needs no prior, so there is none to fit.
    """
    config, prior = opened.config, opened.poses
    recipe, path, fitted = config.recipe, run / PRIOR_FIT, config.recipe.prior
    if prior is None or fitted is None or opened.clips is None:
        if wanted:
            raise UserError(
                f"the recipe '{config.recipe.name}' has no prior that could be fitted to clips"
            )
        return opened
    if wanted:
        fitted = fit_prior(prior, opened.clips, path, seed=recipe.seed).config
    elif fitted.fit:
        with explained(path, PRIOR_FIT):
            replace_file(path, Path(fitted.fit).read_bytes())
    else:
        return opened
    prior = PosePrior(config.skeleton, replace(fitted, fit=str(path)), prior.bank)
    recipe = replace(recipe, prior=replace(fitted, fit=PRIOR_FIT))
    sources = replace(opened.sources, poses=prior)
    return replace(opened, config=replace(config, recipe=recipe), poses=prior, sources=sources)
