"""The papers' ways to score, as data: ``get_protocol(name)``."""

from __future__ import annotations

from fastpose.errors import lookup
from fastpose.evaluation.protocols.declare import Protocol
from fastpose.evaluation.protocols.human36m import PROTOCOLS_HUMAN36M
from fastpose.evaluation.protocols.people2d import PROTOCOLS_2D
from fastpose.evaluation.protocols.people3d import PROTOCOLS_3D
from fastpose.evaluation.protocols.reconstruction import PROTOCOLS_OF_PICTURES

PROTOCOLS: dict[str, Protocol] = {
    p.name: p for p in (*PROTOCOLS_HUMAN36M, *PROTOCOLS_2D, *PROTOCOLS_3D, *PROTOCOLS_OF_PICTURES)
}


def get_protocol(name: str) -> Protocol:
    """A protocol by name; UserError with those that exist."""
    return lookup("protocol", name, PROTOCOLS)
