"""A FinBERT of a hundred numbers: the files of a real export, and the same network in NumPy as its oracle."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

GOOD = ("gains", "raised", "strong", "tight", "surges")
BAD = ("slides", "cut", "weak", "ample", "plunges")
_OTHERS = (
    "soybean oil palm traders call the outlook and stocks see no clear direction little changed kept as on of by in "
    "percent chinese crushers their purchases exporters brazil offers talks about tariffs expectations rain over "
    "midwest estimates crop blenders demand for feedstock , . : ##s"
)
WORDS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *GOOD, *BAD, *_OTHERS.split())
ORDER = ("positive", "negative", "neutral")
"""ProsusAI/finbert; yiyanghkust/finbert-tone has neutral, positive, negative."""

Floats = NDArray[np.float64]


def write_model(folder: Path, order: Sequence[str] = ORDER, *, outputs: int = 3, seed: int = 1) -> Path:
    """Write model.onnx, config.json, vocab.txt and tokenizer_config.json; the network says ``ORDER`` in ``order``."""
    import onnx

    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(_graph(_numbers(order, seed), outputs), str(folder / "model.onnx"))
    config = {
        "model_type": "bert",
        "vocab_size": len(WORDS),
        "max_position_embeddings": 512,
        "id2label": {str(number): label for number, label in enumerate(order)},
    }
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    (folder / "vocab.txt").write_text("\n".join(WORDS) + "\n", encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": True}), encoding="utf-8")
    return folder


def forward(ids: Sequence[int], order: Sequence[str] = ORDER, seed: int = 1) -> Floats:
    """Return the (3,) probabilities of a text's tokens in the order of ``ORDER``."""
    embedding, kinds, weights, bias = _numbers(order, seed)
    mean = (embedding[list(ids)] + kinds[0]).mean(axis=0)
    odds = np.exp(mean.astype(np.float64) @ weights + bias)
    return np.asarray((odds / odds.sum())[[list(order).index(label) for label in ORDER]], dtype=np.float64)


def _numbers(order: Sequence[str], seed: int) -> tuple[NDArray[np.float32], ...]:
    """Embedding (words, 4), token types (2, 4), weights (4, 3), bias (3,): good words push to positive."""
    rng = np.random.default_rng(seed)
    embedding = rng.normal(0, 0.05, (len(WORDS), 4)).astype(np.float32)
    for column, words in enumerate((GOOD, BAD)):
        embedding[[WORDS.index(word) for word in words], column] += 3
    weights = (np.eye(4, 3) * 4).astype(np.float32)[:, [ORDER.index(label) for label in order]]
    kinds = rng.normal(0, 0.05, (2, 4)).astype(np.float32)
    return embedding, kinds, weights, np.array([0.1, -0.1, 0.05], dtype=np.float32)


def _graph(numbers: tuple[NDArray[np.float32], ...], outputs: int) -> Any:
    """Mean of the embeddings that the attention mask lets through, then a linear layer."""
    from onnx import TensorProto, helper, numpy_helper

    embedding, kinds, weights, bias = numbers
    constants = {
        "embedding": embedding,
        "kinds": kinds,
        "weights": weights[:, :outputs],
        "bias": bias[:outputs],
        "tokens": np.array([1], dtype=np.int64),
        "last": np.array([2], dtype=np.int64),
    }
    node = helper.make_node
    nodes = [
        node("Gather", ["embedding", "input_ids"], ["words"]),
        node("Gather", ["kinds", "token_type_ids"], ["types"]),
        node("Add", ["words", "types"], ["both"]),
        node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
        node("Unsqueeze", ["mask", "last"], ["shown"]),
        node("Mul", ["both", "shown"], ["seen"]),
        node("ReduceSum", ["seen", "tokens"], ["sum"], keepdims=0),
        node("ReduceSum", ["shown", "tokens"], ["count"], keepdims=0),
        node("Div", ["sum", "count"], ["mean"]),
        node("MatMul", ["mean", "weights"], ["pushed"]),
        node("Add", ["pushed", "bias"], ["logits"]),
    ]
    given = ("input_ids", "attention_mask", "token_type_ids")
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "tokens"]) for name in given],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", outputs])],
        [numpy_helper.from_array(values, name) for name, values in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
