"""The rows of a fit in batches, in an order that follows from seed and epoch alone."""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cbi_common.core.identity import sha256_hex
from cbi_common.timeseries.dataset import Floats


@dataclass(frozen=True)
class Samples:
    """What a net learns from.

    Attributes
    ----------
    x : (n, ...) float32
        Inputs.
    y : (n, n_heads)
        Labels in the heads' scale, NaN where one has not matured.
    weights : (n,)
        Weight of each row.
    """

    x: NDArray[np.float32]
    y: Floats
    weights: Floats

    def digests(self) -> list[str]:
        """Return a SHA-256 of each array."""
        return [sha256_hex(np.ascontiguousarray(array).data) for array in (self.x, self.y, self.weights)]


def batches(tensorflow: ModuleType, samples: Samples, size: int, seed: int, epoch: Any) -> Any:
    """Return the batches of one epoch as a TensorFlow dataset; whoever iterates it sees the epoch that it is then.

    Parameters
    ----------
    size : int
        Rows in a batch; the last may hold fewer.
    seed : int
    epoch : tensorflow.Variable, int64
    """
    arrays = [tensorflow.constant(a, tensorflow.float32) for a in (samples.x, samples.y, samples.weights)]
    data = tensorflow.data.Dataset

    def order(_: Any) -> Any:
        rows = tensorflow.range(len(samples.x), dtype=tensorflow.int64)
        seeds = tensorflow.stack([tensorflow.constant(seed, tensorflow.int64), epoch])
        return data.from_tensor_slices(tensorflow.random.experimental.stateless_shuffle(rows, seeds))

    def take(rows: Any) -> Any:
        return tuple(tensorflow.gather(array, rows) for array in arrays)

    number = -(-len(samples.x) // size)
    return (
        data.range(1)
        .flat_map(order)
        .batch(size)
        .apply(tensorflow.data.experimental.assert_cardinality(number))
        .map(take)
        .prefetch(1)
    )
