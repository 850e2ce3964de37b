"""Draw a pose prior beside the clips it is meant for, a folder of clips, or a shape template."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro


@dataclass(frozen=True)
class Prior:
    """Draw poses of a prior beside frames of clips, and print the statistics of both.

    Args:
        data: Folder of clips that 'prepare' or 'synthesize' made.
        prior: Files or folders of poses that belong to no image.
        out: The sheet to write, a PNG.
        fit: Fit the prior to the clips first, without labels, and write the table.
        table: Where --fit writes its table; without --fit, the table to draw from. By default the
            name of --out with the ending .npz.
        recipe: The recipe whose prior is meant.
        set_: Fields of the recipe to change, such as prior.side_share=0.3.
        seed: Of the poses and frames that are shown, and of the fit.
    """

    data: Annotated[str, tyro.conf.arg(metavar="CLIPS")]
    prior: Annotated[tuple[str, ...], tyro.conf.arg(metavar="PATH [PATH ...]")]
    out: Annotated[str, tyro.conf.arg(metavar="SHEET.png")]
    fit: bool = False
    table: Annotated[str | None, tyro.conf.arg(metavar="FILE.npz")] = None
    recipe: str = "keypointgan"
    set_: Annotated[
        tuple[str, ...], tyro.conf.arg(name="set", metavar="KEY=VALUE [KEY=VALUE ...]")
    ] = ()
    seed: int = 0


@dataclass(frozen=True)
class Clips:
    """Draw frames of each clip of a folder.

    Args:
        folder: Folder of clips that 'prepare' or 'synthesize' made.
        out: The sheet to write, a PNG.
        clips: How many clips to show.
        columns: Frames of each clip.
    """

    folder: tyro.conf.Positional[str]
    out: Annotated[str, tyro.conf.arg(metavar="SHEET.png")]
    clips: int = 20
    columns: int = 10


@dataclass(frozen=True)
class Template:
    """Draw a shape template, and check it.

    Args:
        template: Its name, a template file, or the two files of the published format (parts, then
            anchors).
        out: The picture to write, a PNG.
        span: Scale and move it so that its joints reach from the first to the second of these
            shares of the picture's height, as people do in your clips: 0.1 0.8.
        save: Write it as a template file too: to convert the published format, or to begin a
            template of one's own.
    """

    template: tyro.conf.Positional[tuple[str, ...]]
    out: Annotated[str, tyro.conf.arg(metavar="PICTURE.png")]
    span: tuple[float, float] | None = None
    save: Annotated[str | None, tyro.conf.arg(metavar="FILE.json")] = None


def run(
    what: Annotated[
        Annotated[Prior, tyro.conf.subcommand("prior")]
        | Annotated[Clips, tyro.conf.subcommand("clips")]
        | Annotated[Template, tyro.conf.subcommand("template")],
        tyro.conf.arg(name=""),
    ],
) -> None:
    """Draw a pose prior beside the clips it is meant for, a folder of clips, or a shape template.

    Args:
        what: What to draw.
    """
    from fastpose.data.clips import ClipStore
    from fastpose.media.images import write_image

    if isinstance(what, Clips):
        from fastpose.data.clips_view import view_clips

        store = ClipStore.open(what.folder)
        write_image(what.out, view_clips(store, clips=what.clips, columns=what.columns))
        print(f"{len(store.clips)} clips, {store.frames_total} frames\nsheet: {what.out}")
        return

    if isinstance(what, Template):
        from fastpose.media.template_view import view_template

        print("\n".join(view_template(what.template, what.out, span=what.span, save=what.save)))
        return

    from rich.console import Console

    from fastpose.data.pose_prior import PriorConfig
    from fastpose.data.prior_view import open_prior, view_prior
    from fastpose.recipes import get_recipe, override

    recipe = override(get_recipe(what.recipe), what.set_)
    store = ClipStore.open(what.data)
    table = what.table or (str(Path(what.out).with_suffix(".npz")) if what.fit else None)
    prior = open_prior(
        what.prior,
        recipe.target,
        recipe.prior or PriorConfig(),
        store,
        fit=what.fit,
        table=table,
        seed=what.seed,
    )
    view = view_prior(prior, store, seed=what.seed)
    write_image(what.out, view.sheet)
    Console().print(view.table())
    print(f"sheet: {what.out}" + (f"\ntable: {table}" if what.fit else ""))
