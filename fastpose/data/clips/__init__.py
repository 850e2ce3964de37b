"""Clips on disk: square frames of one person each, packed into shards that are memory-mapped.

::

    DIR/index.json                   sizes, names, sources, where each clip lies; written last
    DIR/shards/<number>/frames.npy   uint8 (N, S, S, 3), RGB: the frames of many clips, end to end
    DIR/shards/<number>/<extra>.npy  optional, see EXTRAS; rows of the clips that have it
    DIR/sheet.png                    what prepare or synthesize made, to look at

A folder is written under a temporary name and renamed, so it exists whole or not at all. Few large
files instead of many small ones: opening a folder of a hundred thousand clips maps a few dozen
files, and an epoch over it reads without ever parsing or decoding anything.
"""

from fastpose.data.clips.layout import EXTRAS
from fastpose.data.clips.split import split_by_actor
from fastpose.data.clips.store import Clip, ClipStore
from fastpose.data.clips.writer import ClipWriter

__all__ = ["EXTRAS", "Clip", "ClipStore", "ClipWriter", "split_by_actor"]
