"""The history as a table: what was called on each session, and what the rules say of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from cbi_common.core.regime import Regime
from cbi_common.timeseries.dataset import Floats, Ints
from cbi_common.timeseries.regimes import CLASSES, UNKNOWN
from regime.domain.scores import accuracy
from regime.domain.spells import spells
from regime.domain.transition import transition

AHEAD = (5, 21)
"""Sessions ahead of which a probability is given."""

CLASSIFIERS = ("trees", "filter")


class History(NamedTuple):
    """Calls in the order of time, n rows.

    Attributes
    ----------
    sessions, labels : (n,) int64
    dates : (n,) datetime64[D]
    chances : (n, k) float64
        As served.
    speakers : (n,) int64
        Index into `CLASSIFIERS`.
    jumps : (n,) int64
        Class that the jump model calls.
    ahead : sessions ahead to (n, k) float64
    """

    sessions: Ints
    dates: Any
    labels: Ints
    chances: Floats
    speakers: Ints
    jumps: Ints
    ahead: dict[int, Floats]

    @property
    def states(self) -> Ints:
        """The class called: the likeliest."""
        states: Ints = self.chances.argmax(axis=1)
        return states

    @classmethod
    def joined(cls, parts: Sequence[History]) -> History:
        """Return the rows of all parts."""
        columns = {name: np.concatenate([getattr(part, name) for part in parts]) for name in cls._fields[:-1]}
        return cls(**columns, ahead={h: np.concatenate([part.ahead[h] for part in parts]) for h in AHEAD})

    def table(self) -> pa.Table:
        """Return session, date, label, state, who called it, the jump model's state, and the probabilities.

        ``p_<regime>`` is today's, ``p<sessions>_<regime>`` that of the label so many sessions ahead.
        """
        columns: dict[str, Any] = {
            "session": pa.array(self.sessions, pa.int64()),
            "date": pa.array(self.dates, pa.date32()),
            "label": _named(self.labels),
            "state": _named(self.states),
            "called_by": pa.array([CLASSIFIERS[i] for i in self.speakers], pa.string()),
            "jump_state": _named(self.jumps),
        }
        for prefix, chances in [("p", self.chances), *((f"p{h}", self.ahead[h]) for h in AHEAD)]:
            columns |= {f"{prefix}_{regime}": pa.array(chances[:, i]) for i, regime in enumerate(CLASSES)}
        return pa.table(columns)


def past_spells(table: pa.Table) -> list[dict[str, Any]]:
    """Return the spells of a stored history in the order of time.

    Returns
    -------
    list of dict
        ``state``, ``first`` and ``last`` (ISO dates), ``sessions`` (rows), ``agreement`` (share of the known labels
        that are the state, None where none is known).
    """
    dates = [str(day) for day in table["date"].to_pylist()]
    labels, states = codes(table["label"]), codes(table["state"])
    return [
        {
            "state": str(CLASSES[spell.state]),
            "first": dates[spell.start],
            "last": dates[spell.end - 1],
            "sessions": spell.end - spell.start,
            "agreement": accuracy(states[spell.start : spell.end], labels[spell.start : spell.end]),
        }
        for spell in spells(states)
    ]


def past_transitions(table: pa.Table) -> dict[str, dict[str, dict[str, float]]]:
    """Return sessions ahead ("1", "5", "21"), label today and label then to its probability, of a stored history."""
    sessions, labels = table["session"].to_numpy().astype(np.int64), codes(table["label"])
    return {
        str(n): {
            str(start): {str(end): float(chance) for end, chance in zip(CLASSES, row, strict=True)}
            for start, row in zip(CLASSES, transition(sessions, labels, n), strict=True)
        }
        for n in (1, *AHEAD)
    }


def codes(column: pa.ChunkedArray[Any]) -> Ints:
    """Return a column of regimes as indices into `CLASSES`, `UNKNOWN` where it is null."""
    return np.array([UNKNOWN if n is None else CLASSES.index(Regime(n)) for n in column.to_pylist()], dtype=np.int64)


def _named(states: Ints) -> pa.Array[Any]:
    names = np.array([*CLASSES, None], dtype=object)  # the last entry is what UNKNOWN (-1) picks
    return pa.array(names[states].tolist(), pa.string())
