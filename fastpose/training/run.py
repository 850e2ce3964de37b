"""A training run from start to end, in a directory that can be resumed after any kind of death.

::

    RUN/config.json        recipe in effect, data, prior (run_config)
    RUN/environment.json   what each session ran on
    RUN/prior_fit.npz      the prior's framing, where it was fitted to the clips
    RUN/metrics.jsonl      losses; no clock in it
    RUN/timing.jsonl       images per second, wall and processor seconds
    RUN/sheets/            sample sheets as PNG
    RUN/checkpoints/       see checkpoint_folder
    RUN/failed/            batches that gave NaN
    RUN/summary.json       written when training stops
    RUN/lock               while a process writes
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Iterator

import torch

from fastpose.data.prior_fit import fit_prior as fit_prior_to_clips
from fastpose.environment import collect
from fastpose.errors import UserError
from fastpose.recipes import Recipe, build_model, recipe_to_dict
from fastpose.skeletons import get_skeleton
from fastpose.training import checkpoint_folder as folders
from fastpose.training.batches import Sources
from fastpose.training.checkpoint import (
    CHECKPOINTS,
    checkpoint_bytes,
    difference,
    resume as resume_checkpoint,
    save_checkpoint,
)
from fastpose.training.device import choose_device
from fastpose.training.files import (
    explained,
    free_bytes,
    pretty_json,
    read_json,
    replace_file,
    require_space,
)
from fastpose.training.logging import METRICS, TIMING, Clock, RunLog, keep_until
from fastpose.training.loop import Outputs, Schedule, train
from fastpose.training.run_config import CONFIG, PRIOR_FIT, RunConfig, absolute
from fastpose.training.run_lock import RunLock
from fastpose.training.sheets import SheetWriter
from fastpose.training.signals import StopSignals
from fastpose.training.state import TrainState
