"""The walk: every session called by models fitted on what was known before it."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import numpy as np

from cbi_common.core.errors import DataError
from cbi_common.core.identity import digest, sha256_hex
from cbi_common.storage.lake import Lake
from cbi_common.timeseries.dataset import Floats, Ints
from regime.adapters import lightgbm_multiclass
from regime.domain import belief, jump_model
from regime.domain.choice import EVIDENCE, better
from regime.domain.classifier import REFIT_EVERY, Fold, features, folds
from regime.domain.transition import ahead, transition
from regime.environment import ENVIRONMENT, VERSION
from regime.history import AHEAD, History


class Panel(NamedTuple):
    """What is read, n sessions ascending; the index of fear is NaN where it was not known."""

    sessions: Ints
    dates: Any
    price: Floats
    fear: Floats


def walk(lake: Lake, panel: Panel, labels: Ints, first_session: int) -> History:
    """Return the calls from the refit that serves ``first_session`` on, as far as labels suffice.

    Parameters
    ----------
    lake : Lake
        Keeps the fits: a day more fits nothing again.
    panel : Panel
    labels : (n,) int64
        What is learned; a label is known at the close of its own session.
    first_session : int

    Raises
    ------
    DataError
        When no session can be called.
    """
    # Folds before the first served one say which classifier is to be heard in it.
    found = folds(panel.sessions, labels, first_session - EVIDENCE * REFIT_EVERY)
    walker = _Walk(lake, panel, labels)
    heard = [walker.candidates(fold) for fold in found]
    served = [i for i, fold in enumerate(found) if fold.refit_session + REFIT_EVERY > first_session]
    if not served:
        raise DataError("too few labelled sessions for one fit", where="regime", hint="give a longer history")
    parts = []
    for i in served:
        recent = slice(max(0, i - EVIDENCE), i)
        outcomes = [labels[fold.start : fold.end] for fold in found[recent]]
        speaker = better(list(zip(*heard[recent], strict=True)), outcomes)
        parts.append(walker.calls(found[i], heard[i][speaker], speaker))
    return History.joined(parts)


class _Walk:
    def __init__(self, lake: Lake, panel: Panel, labels: Ints) -> None:
        self._lake, self._panel, self._labels = lake, panel, labels
        self._features = features(panel.sessions, panel.price, panel.fear)
        self._moves = belief.moves(panel.sessions, panel.price, panel.fear)
        self._inputs = jump_model.inputs(self._moves)

    def candidates(self, fold: Fold) -> tuple[Floats, Floats]:
        """Return what each of `CLASSIFIERS` says about the sessions of a fold."""
        return self._by_trees(fold), self._by_filter(fold)

    def calls(self, fold: Fold, chances: Floats, speaker: int) -> History:
        """Return the history of a fold whose probabilities are ``chances``."""
        rows, known = slice(fold.start, fold.end), _known(fold)
        sessions, labels = self._panel.sessions, self._labels
        return History(
            sessions=sessions[rows],
            dates=self._panel.dates[rows],
            labels=labels[rows],
            chances=chances,
            speakers=np.full(len(chances), speaker),
            jumps=self._by_jumps(fold),
            ahead={h: ahead(chances, transition(sessions[:known], labels[:known], h)) for h in AHEAD},
        )

    def _by_trees(self, fold: Fold) -> Floats:
        x, labels = np.ascontiguousarray(self._features[fold.train]), self._labels[fold.train]
        settings = [lightgbm_multiclass.PARAMETERS, lightgbm_multiclass.ROUNDS]
        key = f"regime-fold/{digest(VERSION, ENVIRONMENT.identity(), settings, _rows(x, labels))}"
        stored = self._lake.get_if_intact(key)
        model = lightgbm_multiclass.fit(x, labels) if stored is None else stored.decode()
        if stored is None:
            self._lake.put(key, model.encode())
        return lightgbm_multiclass.probabilities(model, self._features[fold.start : fold.end])

    def _by_filter(self, fold: Fold) -> Floats:
        known = _known(fold)
        model = belief.fit(self._moves.until(known), self._panel.sessions[:known], self._labels[:known])
        return model.run(self._moves.until(fold.end))[fold.start :]

    def _by_jumps(self, fold: Fold) -> Ints:
        known = _known(fold)
        first = max(0, known - jump_model.WINDOW)
        x, labels = self._inputs[first:known], self._labels[first:known]
        key = f"regime-jump/{digest(VERSION, ENVIRONMENT.identity(), jump_model.SETTINGS, _rows(x, labels))}"
        stored = self._lake.get_if_intact(key)
        if stored is None:
            model = jump_model.fit(x, labels)
            self._lake.put_json(key, {name: values.tolist() for name, values in vars(model).items()})
        else:
            model = jump_model.JumpModel(**{name: np.array(values) for name, values in json.loads(stored).items()})
        return model.online(self._inputs[first : fold.end])[fold.start - first :]


def _known(fold: Fold) -> int:
    """Rows known at the refit."""
    return int(fold.train[-1]) + 1


def _rows(x: Floats, labels: Ints) -> list[str]:
    return [sha256_hex(np.ascontiguousarray(x).tobytes()), sha256_hex(labels.tobytes())]
