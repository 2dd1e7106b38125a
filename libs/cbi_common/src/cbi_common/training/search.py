"""How the parameters are drawn that a study tries."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Choices = Mapping[str, Sequence[Any]]
"""Parameter to the values that it may take."""

Loss = Callable[[dict[str, Any]], float | None]
"""Parameters to how badly they do; None when they cannot be fitted."""


@dataclass(frozen=True)
class Search:
    """A way to draw.

    Attributes
    ----------
    name : goes into the key of what was found
    run : called with choices, the number of trials, a seed and the loss; it asks for the loss of each draw
    """

    name: str
    run: Callable[[Choices, int, int, Loss], None]


def _tpe(choices: Choices, trials: int, seed: int, loss: Loss) -> None:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed % 2**32))
    for _ in range(trials):
        trial = study.ask()
        # Optuna keeps choices that are lists only as text.
        found = loss({name: values[trial.suggest_int(name, 0, len(values) - 1)] for name, values in choices.items()})
        study.tell(trial, found, state=optuna.trial.TrialState.FAIL if found is None else None)


TPE = Search("tpe", _tpe)
"""Optuna's tree of Parzen estimators (Bergstra et al., 2011): each draw learns from those before it."""
