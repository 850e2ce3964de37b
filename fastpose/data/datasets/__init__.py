"""Readers of published data sets in their own layouts: ``fastpose prepare DATASET ROOT --out DIR``.

One file a data set, its layout at the top. A reader is a subclass of
:class:`~fastpose.data.datasets.base.Reader` in the module :data:`DATASETS` names, called ``Reader``
there; :func:`~fastpose.data.datasets.pack.pack` does what is common to all.
"""

from __future__ import annotations

import importlib

from fastpose.data.datasets.base import Reader
from fastpose.errors import UserError, nearest

DATASETS: dict[str, str] = {
    "lsp": "lsp",
    "lsp-extended": "lsp_extended",
    "penn-action": "penn_action",
    "weizmann": "weizmann",
}


def get_reader(name: str) -> type[Reader]:
    """The reader of a data set; UserError with the nearest name where it is unknown."""
    if name not in DATASETS:
        known = ", ".join(DATASETS)
        raise UserError(f"no data set '{name}' (known: {known}){nearest(name, DATASETS)}")
    return importlib.import_module(f"fastpose.data.datasets.{DATASETS[name]}").Reader


__all__ = ["DATASETS", "Reader", "get_reader"]
