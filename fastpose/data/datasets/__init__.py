"""Readers of published data sets in their own layouts: ``fastpose prepare DATASET ROOT --out DIR``.

One file a data set, its layout at the top. A reader is a subclass of
:class:`~fastpose.data.datasets.base.Reader` in the module that :data:`DATASETS` names;
:func:`~fastpose.data.datasets.pack.pack` does what is common to all.
"""

from __future__ import annotations

import importlib

from fastpose.data.datasets.base import Reader
from fastpose.errors import lookup

# name -> module, and where it holds several the class.
DATASETS: dict[str, str] = {
    "chictopia-plus": "chictopia_plus",
    "clothing": "clothing",
    "coco": "coco",
    "deepfashion-inshop": "deepfashion_inshop",
    "human36m": "human36m",
    "human36m-frames": "human36m_frames",
    "human36m-raster": "human36m:Raster",
    "lsp": "lsp",
    "lsp-extended": "lsp_extended",
    "mini-rgbd": "mini_rgbd",
    "mpi-inf-3dhp": "mpi_inf_3dhp",
    "penn-action": "penn_action",
    "simplified-human36m": "simplified_human36m",
    "simplified-human36m-background": "simplified_human36m:WithBackground",
    "weizmann": "weizmann",
}


def get_reader(name: str) -> type[Reader]:
    """The reader of a data set; UserError with the nearest name where it is unknown."""
    module, _, reader = lookup("data set", name, DATASETS).partition(":")
    return getattr(importlib.import_module(f"{__name__}.{module}"), reader or "Reader")


__all__ = ["DATASETS", "Reader", "get_reader"]
