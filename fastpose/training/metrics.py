"""Sums of a training run's figures between two lines of the log."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from fastpose.errors import UserError


class MetricSums:
    """Adds up named figures; double precision, so that saving and loading loses nothing."""

    def __init__(self) -> None:
        self._sums: dict[str, float] = {}
        self._counts: dict[str, int] = {}

    def __bool__(self) -> bool:
        return bool(self._sums)

    def add(self, values: Mapping[str, float]) -> None:
        """Take in one step's figures."""
        for name, value in values.items():
            self._sums[name] = self._sums.get(name, 0.0) + value
            self._counts[name] = self._counts.get(name, 0) + 1

    def means(self) -> dict[str, float]:
        """Mean of each figure since the last :meth:`clear`, in the order they first came."""
        return {name: total / self._counts[name] for name, total in self._sums.items()}

    def clear(self) -> None:
        """Begin anew."""
        self._sums.clear()
        self._counts.clear()

    def to_list(self) -> list[list[Any]]:
        """JSON-able rows (name, sum, count)."""
        return [[name, total, self._counts[name]] for name, total in self._sums.items()]

    def load(self, rows: Any) -> None:
        """Inverse of :meth:`to_list`; UserError where ``rows`` are not such rows."""
        self.clear()
        try:
            for name, total, count in rows:
                if not isinstance(name, str) or not math.isfinite(total) or int(count) < 1:
                    raise ValueError(f"row {name!r}")
                self._sums[name], self._counts[name] = float(total), int(count)
        except (TypeError, ValueError) as error:
            raise UserError(f"metric sums: expected (name, sum, count) rows ({error})") from None
