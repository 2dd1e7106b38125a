"""What each driver group adds to the forecast of a net: Shapley values over groups (Lundberg & Lee, 2017).

A group that is left out stands at its training mean over the whole window, which is what the net takes a missing value
for. Shapley values are averages over the orders in which groups come in; orders are drawn in pairs, each with its
reverse (Mitchell et al., 2022), and along every one of them the steps add up to the forecast, so their average does.

Own code, a dozen lines: shap's permutation explainer loads numba, three seconds a run, to do this for tables of
single rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from cbi_common.timeseries.dataset import Dataset, Floats
from cbi_common.timeseries.nets import Net, SequenceNetwork
from cbi_common.timeseries.scaling import Inputs
from explain.domain.attribution import UNGROUPED

PAIRS = 4
"""Orders that are drawn; each counts with its reverse."""

SEED = 20200101


def contributions(net: Net, known: Dataset, group_of: Mapping[str, str]) -> tuple[list[str], Floats, Floats]:
    """Return what each group of features contributes to the forecast at the last row.

    Parameters
    ----------
    net : Net
    known : Dataset
        Rows known at the cutoff.
    group_of : feature to its driver group

    Returns
    -------
    groups : k names, sorted
    contributions : (k, n_horizons) float64
        Log returns.
    expected : (n_horizons,) float64
        What the net says at the mean of its training rows; with the contributions it sums to the forecast.
    """
    inputs = net.inputs.of(known)
    seen = inputs[-net.window :] if isinstance(net, SequenceNetwork) else inputs[-1]
    columns = _columns(net.inputs, group_of)
    groups = sorted(columns)
    expected = net.forward(np.zeros_like(seen))
    moved = [group for group in groups if np.any(seen[..., columns[group]])]
    found = np.zeros((len(groups), len(expected)))
    for order in _orders(moved):
        now, said = np.zeros_like(seen), expected
        for group in order:
            now[..., columns[group]] = seen[..., columns[group]]
            before, said = said, net.forward(now)
            found[groups.index(group)] += (said - before) / (2 * PAIRS)
    return groups, found, expected


def _orders(groups: Sequence[str]) -> list[list[str]]:
    rng = np.random.default_rng(SEED)
    drawn = [[groups[i] for i in rng.permutation(len(groups))] for _ in range(PAIRS)]
    return [order for one in drawn for order in (one, one[::-1])]


def _columns(inputs: Inputs, group_of: Mapping[str, str]) -> dict[str, list[int]]:
    """Return each group's columns of the inputs: its features', and of those that say whether one is known."""
    found: dict[str, list[int]] = {}
    for column, name in enumerate((*inputs.names, *inputs.flagged)):
        found.setdefault(group_of.get(name, UNGROUPED), []).append(column)
    return found
