"""Whether a forecast has shown that it knows something."""

from __future__ import annotations

from dashboard.domain.answers import Prediction

PROVEN = 0.05
"""Probability below which a result is not called luck."""


def has_edge(p: Prediction) -> bool:
    """Return whether past forecasts like this one were better than no-change by more than luck."""
    return p.skill is not None and p.skill > 0 and p.dm_p is not None and p.dm_p < PROVEN
