"""Pauses between epochs when the machine runs hot."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import ModuleType
from typing import Any

from trainer_metal.domain.throttling import throttled

PAUSE_S = 30.0


def watch(
    keras: ModuleType, clock: Callable[[], float] = time.monotonic, rest: Callable[[float], None] = time.sleep
) -> tuple[Any, ...]:
    """Return the callback that rests after an epoch much slower than the others; what is learnt does not change."""
    seconds: list[float] = []
    started = [clock()]

    def begin(*_: Any) -> None:
        started[0] = clock()

    def end(*_: Any) -> None:
        seconds.append(clock() - started[0])
        if throttled(seconds):
            rest(PAUSE_S)

    return (keras.callbacks.LambdaCallback(on_epoch_begin=begin, on_epoch_end=end),)
