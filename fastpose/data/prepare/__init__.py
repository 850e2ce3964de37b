"""From recordings to person-centred clips: the library behind ``fastpose prepare``."""

from fastpose.data.prepare.run import PrepareReport, SourceReport, prepare

__all__ = ["PrepareReport", "SourceReport", "prepare"]
