"""Keras Tuner's random search over the settings of a net."""

from __future__ import annotations

import math

from cbi_common.training.lean_import import absent
from cbi_common.training.search import Choices, Loss, Search
from trainer_metal.adapters.keras_fit import load_keras


def _random(choices: Choices, trials: int, seed: int, loss: Loss) -> None:
    """Ask for the loss of ``trials`` different draws, or of all that there are.

    The tuner's own loop is not used: it takes any error of a trial, the lake's too, for a bad draw and goes on.
    """
    load_keras()
    with absent("sklearn", "pandas"):
        import keras_tuner

    space = keras_tuner.HyperParameters()
    for name, values in choices.items():
        # Keras Tuner knows no choice between lists.
        space.Int(name, 0, len(values) - 1)
    oracle = keras_tuner.oracles.RandomSearchOracle(max_trials=trials, seed=1 + seed, hyperparameters=space)
    seen: set[tuple[int, ...]] = set()
    while len(seen) < min(trials, math.prod(map(len, choices.values()))):
        drawn = oracle.populate_space(str(len(seen)))["values"]
        places = tuple(drawn[name] for name in choices)
        if places in seen:
            continue
        seen.add(places)
        loss({name: values[place] for (name, values), place in zip(choices.items(), places, strict=True)})


RANDOM = Search("keras_tuner_random", _random)
"""Random search (Bergstra and Bengio, 2012)."""
