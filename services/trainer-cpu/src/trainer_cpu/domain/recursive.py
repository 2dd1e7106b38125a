"""Learners of the price alone: fitted at the refit, then moved on price by price with fixed parameters."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from cbi_common.core.errors import DataError
from cbi_common.core.horizon import Horizon
from cbi_common.core.identity import canonical_json
from cbi_common.timeseries.dataset import Dataset, Floats
from cbi_common.training.learner import validated

LEAST_ROWS = 100


class State(Protocol):
    """What such a model knows; a frozen dataclass of numbers."""

    def after(self, y: Floats) -> Any:
        """Return the state after the log prices ``y`` (n,), oldest first."""

    def ahead(self, steps: Sequence[int]) -> list[float]:
        """Return the log return expected over each number of sessions."""


StateT = TypeVar("StateT", bound=State)


class Params(BaseModel):
    """Settings in the catalogue."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    window: int | None = Field(default=None, ge=LEAST_ROWS)
    """Prices to fit on; None takes all."""


@dataclass(frozen=True)
class Fitted(Generic[StateT]):
    """A state as it was at the close of ``session``."""

    horizons: tuple[Horizon, ...]
    session: int
    state: StateT


@dataclass(frozen=True)
class Recursive(Generic[StateT]):
    """Learner made of a function that turns log prices into a state.

    Sessions that the data lack are passed over: to these models the next price is the next observation.
    """

    name: str
    kind: type[StateT]
    estimate: Callable[[Floats], StateT]
    of_changes: bool = True
    """Whether there is nothing to estimate when the price never moved."""

    def fit(
        self, train: Dataset, horizons: Sequence[Horizon], params: Mapping[str, Any], weights: Floats, seed: int
    ) -> bytes:
        """Return the state at the refit as JSON (see `cbi_common.training.learner.Learner`); there are no weights."""
        del weights, seed
        window = validated(Params, params, self.name).window
        y = np.log(train.price if window is None else train.last(window).price)
        if len(y) < LEAST_ROWS:
            raise DataError(f"only {len(y)} prices", where=self.name, hint=f"{LEAST_ROWS} are needed")
        if self.of_changes and not np.ptp(y):
            raise DataError("the price never moved", where=self.name, hint="see `cbi quality`")
        state = asdict(self.estimate(y))  # type: ignore[call-overload]  # every state is a dataclass
        fitted = {"horizons": list(horizons), "session": int(train.sessions[-1]), "state": state}
        return canonical_json(fitted)

    def load(self, artifact: bytes) -> Fitted[StateT]:
        """Return the state that ``fit`` serialised."""
        raw = json.loads(artifact)
        state = self.kind(**{key: tuple(v) if isinstance(v, list) else v for key, v in raw["state"].items()})
        return Fitted(tuple(Horizon(h) for h in raw["horizons"]), raw["session"], state)

    def forecast(self, model: Fitted[StateT], view: Dataset) -> Floats:
        """Return the log return over each horizon, (n_horizons,), after the prices since the refit."""
        news = view.price[view.sessions > model.session]
        steps = [horizon.sessions for horizon in model.horizons]
        return np.array(model.state.after(np.log(news)).ahead(steps))
