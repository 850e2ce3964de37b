"""The command line: one file a verb, each with a ``run`` whose typed parameters are the flags."""

from __future__ import annotations

import importlib
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

from fastpose.errors import UserError, nearest

VERBS = {
    "train": "train a model on unlabelled clips and unpaired poses",
    "evaluate": "score a model against labels, next to the baselines",
    "predict": "run a model on pictures or videos",
    "export": "write one ONNX file and check it against the model",
    "benchmark": "time the operators against their peers",
    "synthesize": "make clips of synthetic people",
    "prepare": "turn videos into person-centred clips",
    "view": "draw a pose prior or a folder of clips",
    "info": "versions, devices, and which kernel serves which operator",
}


def _usage() -> str:
    width = max(map(len, VERBS))
    rows = "\n".join(f"  {verb:<{width}}  {text}" for verb, text in VERBS.items())
    return f"usage: fastpose VERB [options]\n\n{rows}\n\n'fastpose VERB --help' lists its options."


def _leave(number: int, frame: FrameType | None) -> None:
    sys.exit(128 + number)


@contextmanager
def _sigterm_cleans_up() -> Iterator[None]:
    """SIGTERM unwinds as an interrupt does, so that half-made files are removed on the way."""
    if threading.current_thread() is not threading.main_thread():
        yield  # where Python delivers no signals
        return
    previous = signal.signal(signal.SIGTERM, _leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb. Returns the exit code: 0, 2 for a user's error, 130 when interrupted.

    Raises:
        SystemExit: with 143, where SIGTERM ended it.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    if not arguments or arguments[0] in ("-h", "--help"):
        print(_usage())
        return 0 if arguments else 2
    if arguments[0] == "--version":
        from fastpose import __version__

        print(f"fastpose {__version__}")
        return 0
    verb, rest = arguments[0], arguments[1:]
    if verb not in VERBS:
        print(f"fastpose: error: no verb '{verb}'{nearest(verb, VERBS)}", file=sys.stderr)
        return 2
    import tyro

    module = importlib.import_module(f"fastpose.cli.{verb}")
    try:
        with _sigterm_cleans_up():
            code = tyro.cli(
                module.run, prog=f"fastpose {verb}", args=rest, description=module.__doc__
            )
    except UserError as error:
        for line in str(error).splitlines():
            print(f"fastpose: error: {line}", file=sys.stderr)
        return 2
    except OSError as error:  # a full disk, a folder that may not be written
        where = f"{error.filename}: " if error.filename else ""
        reason = error.strerror or error
        print(
            f"fastpose: error: {where}{reason}; check the disk's space and the folder's rights",
            file=sys.stderr,
        )
        return 2
    except KeyboardInterrupt:
        print("fastpose: interrupted", file=sys.stderr)
        return 130
    return int(code or 0)
