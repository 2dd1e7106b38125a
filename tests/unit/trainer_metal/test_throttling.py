from types import SimpleNamespace

from trainer_metal.adapters.throttling import PAUSE_S, watch
from trainer_metal.domain.throttling import throttled


class Callback:
    def __init__(self, on_epoch_begin, on_epoch_end):
        self.begin, self.end = on_epoch_begin, on_epoch_end


def test_rests_after_the_epochs_that_were_slow_and_no_other():
    epochs = [9.0, 1.0, 1.1, 2.0, 1.0, 1.0]
    times = iter([0.0, *(moment for start, s in enumerate(epochs) for moment in (100.0 * start, 100.0 * start + s))])
    rests = []
    (callback,) = watch(
        SimpleNamespace(callbacks=SimpleNamespace(LambdaCallback=Callback)),
        clock=lambda: next(times),
        rest=rests.append,
    )
    after = []
    for epoch in range(len(epochs)):
        callback.begin(epoch, {})
        callback.end(epoch, {})
        after.append(len(rests))
    assert after == [0, 0, 0, 1, 1, 1]
    assert rests == [PAUSE_S]


def test_the_first_epoch_compiles_and_tells_nothing():
    assert not throttled([9.0, 1.0, 1.0])
    assert not throttled([1.0, 1.0, 9.0])
    assert throttled([1.0, 1.0, 1.0, 9.0])
