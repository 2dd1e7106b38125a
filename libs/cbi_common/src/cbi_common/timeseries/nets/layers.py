"""Forward passes of the layers that a net is made of, in NumPy: a forecast needs no TensorFlow.

Weights lie as Keras lays them out. Every product is summed down the rows of its kernel in a fixed order, which a matrix
library does not promise: a result is the same bit for bit on every machine.
"""

from __future__ import annotations

import numpy as np

from cbi_common.timeseries.dataset import Floats

LAYER_NORM_EPSILON = 1e-3


def linear(x: Floats, kernel: Floats, bias: Floats) -> Floats:
    """Return ``x @ kernel + bias`` of (..., n_in), (n_in, n_out) and (n_out,)."""
    found: Floats = np.sum(x[..., :, None] * kernel, axis=-2) + bias
    return found


def lstm(x: Floats, kernel: Floats, recurrent: Floats, bias: Floats) -> Floats:
    """Return the states (steps, units) of a long short-term memory over ``x`` (steps, n_in); gates in order i f c o."""
    units = recurrent.shape[0]
    state, cell = np.zeros(units), np.zeros(units)
    found = np.empty((len(x), units))
    for t, given in enumerate(linear(x, kernel, bias)):
        i, f, c, o = (given + np.sum(state[:, None] * recurrent, axis=0)).reshape(4, units)
        cell = _sigmoid(f) * cell + _sigmoid(i) * np.tanh(c)
        state = _sigmoid(o) * np.tanh(cell)
        found[t] = state
    return found


def gru(x: Floats, kernel: Floats, recurrent: Floats, bias: Floats) -> Floats:
    """Return the states (steps, units) of a gated recurrent unit, reset applied after the product; gates z r h."""
    units = recurrent.shape[0]
    state = np.zeros(units)
    found = np.empty((len(x), units))
    for t, given in enumerate(linear(x, kernel, bias[0])):
        xz, xr, xh = given.reshape(3, units)
        hz, hr, hh = linear(state, recurrent, bias[1]).reshape(3, units)
        keep = _sigmoid(xz + hz)
        state = keep * state + (1 - keep) * np.tanh(xh + _sigmoid(xr + hr) * hh)
        found[t] = state
    return found


def causal_convolution(x: Floats, kernel: Floats, bias: Floats, dilation: int) -> Floats:
    """Return the convolution (steps, filters) of ``x`` (steps, n_in) that sees no later step.

    ``kernel`` is (span, n_in, filters).
    """
    span = kernel.shape[0]
    padded = np.vstack([np.zeros(((span - 1) * dilation, x.shape[1])), x])
    found = np.broadcast_to(bias, (len(x), len(bias))).copy()
    for i in range(span):
        found += np.sum(padded[i * dilation : i * dilation + len(x), :, None] * kernel[i], axis=1)
    return found


def layer_norm(x: Floats, gain: Floats, offset: Floats) -> Floats:
    """Return ``x`` (steps, n) with each step's mean 0 and deviation 1, then stretched and moved (Ba et al., 2016)."""
    centred = x - x.mean(axis=-1, keepdims=True)
    spread = np.sqrt(np.mean(centred * centred, axis=-1, keepdims=True) + LAYER_NORM_EPSILON)
    found: Floats = centred / spread * gain + offset
    return found


def self_attention(x: Floats, query: Floats, q: Floats, key: Floats, k: Floats, value: Floats, v: Floats) -> Floats:
    """Return (steps, heads, size): every step's mixture of all steps' values.

    Kernels are (n_in, heads, size), biases (heads, size).
    """
    asked, known, told = (
        np.sum(x[:, :, None, None] * kernel, axis=1) + bias for kernel, bias in ((query, q), (key, k), (value, v))
    )
    scores = np.sum(asked[:, None] * known[None], axis=-1) / np.sqrt(asked.shape[-1])
    found: Floats = np.sum(softmax(scores, axis=1)[..., None] * told[None], axis=1)
    return found


def softmax(x: Floats, axis: int) -> Floats:
    """Return shares that are positive and sum to 1 along ``axis``."""
    grown = np.exp(x - x.max(axis=axis, keepdims=True))
    found: Floats = grown / grown.sum(axis=axis, keepdims=True)
    return found


def positions(steps: int, width: int) -> Floats:
    """Return the sinusoidal encoding (steps, width) of Vaswani et al. (2017)."""
    angle = np.arange(steps)[:, None] / 10_000.0 ** (2 * (np.arange(width) // 2) / width)
    return np.where(np.arange(width) % 2 == 0, np.sin(angle), np.cos(angle))


def _sigmoid(x: Floats) -> Floats:
    found: Floats = 0.5 * (1.0 + np.tanh(0.5 * x))
    return found
