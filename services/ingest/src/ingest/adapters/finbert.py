"""FinBERT: a network that says whether a text is good, bad or neutral news (Araci, 2019, arXiv:1908.10063).

Texts are scored one at a time. A quantised network scales its numbers by the largest of the batch, so a score would
depend on whichever texts happen to stand beside it (docs/adr/0010-finbert.md).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ingest.adapters.finbert_folder import CONVERT, LABELS, Files, find_files, unfit

if TYPE_CHECKING:
    from tokenizers import BertWordPieceTokenizer

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Forward = Callable[[Ints], Floats]
"""Token ids (1, length) to logits, in the order of the model."""

_INPUTS = frozenset({"input_ids", "attention_mask", "token_type_ids"})


class FinBert:
    """A model; nothing heavy is loaded before the first text is scored.

    Parameters
    ----------
    files : Files
    """

    def __init__(self, files: Files) -> None:
        self._files = files
        self.fingerprint = files.fingerprint

    @classmethod
    def find(cls, setting: str) -> FinBert:
        """Return the model that the setting ``CBI_FINBERT`` names, or say in one line what is wrong with it."""
        return cls(find_files(setting))

    @property
    def name(self) -> str:
        """What reports call it; holds no path."""
        return f"{self._files.folder.name}/{self._files.weights}"

    def score(self, texts: Sequence[str]) -> Floats:
        """Return (n, 3) probabilities in the order of `LABELS`; each row depends on its own text alone.

        Raises
        ------
        UsageError
            When the network cannot be opened or does not give three numbers for a text.
        """
        columns = [self._files.order.index(label) for label in LABELS]
        rows = [self._probabilities(self.token_ids(text))[columns] for text in texts]
        return np.array(rows, dtype=np.float64).reshape(-1, len(LABELS))

    def token_ids(self, text: str) -> list[int]:
        """Return the numbers of the word pieces that the network reads."""
        ids: list[int] = self._tokenizer.encode(text).ids
        return ids

    def _probabilities(self, ids: list[int]) -> Floats:
        logits = self._forward(np.array([ids], dtype=np.int64))
        if logits.shape != (1, len(LABELS)) or not np.isfinite(logits).all():
            shape = " x ".join(map(str, logits.shape))
            what = f"{self._files.weights} gives {shape} outputs or no numbers, 1 x {len(LABELS)} are needed"
            raise unfit(self._files.folder, what, "it is no classifier of three labels")
        odds = np.exp(logits[0] - logits.max())
        return np.asarray(odds / odds.sum(), dtype=np.float64)

    @cached_property
    def _tokenizer(self) -> BertWordPieceTokenizer:
        from tokenizers import BertWordPieceTokenizer

        vocabulary = self._files.vocabulary
        tokenizer = BertWordPieceTokenizer(dict(vocabulary.ids), lowercase=vocabulary.lowercase)
        tokenizer.enable_truncation(self._files.tokens)
        return tokenizer

    @cached_property
    def _forward(self) -> Forward:
        return _open_onnx(self._files.folder, self._files.weights)


def _open_onnx(folder: Path, weights: str) -> Forward:
    import onnxruntime
    from onnxruntime.capi import onnxruntime_pybind11_state as states

    broken = (states.Fail, states.InvalidProtobuf, states.InvalidGraph, states.NotImplemented, states.RuntimeException)
    options = onnxruntime.SessionOptions()
    # One thread, as every fit: the same sums in the same order wherever the work lands.
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    try:
        session = onnxruntime.InferenceSession(str(folder / weights), options, providers=["CPUExecutionProvider"])
    except broken as error:
        raise unfit(folder, f"{weights} cannot be opened: {str(error)[:120]}", CONVERT) from error
    wanted = [given.name for given in session.get_inputs()]
    if not set(wanted) <= _INPUTS:
        raise unfit(folder, f"{weights} wants the inputs {', '.join(wanted)[:120]}", "it is no BERT classifier")

    def forward(ids: Ints) -> Floats:
        known = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
        return np.asarray(session.run(None, {name: known[name] for name in wanted})[0], dtype=np.float64)

    return forward
