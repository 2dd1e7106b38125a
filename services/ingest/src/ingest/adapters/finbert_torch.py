"""FinBERT weights as safetensors, where somebody has installed torch and transformers; slower than ONNX."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


def open_torch(folder: Path) -> Callable[[NDArray[np.int64]], NDArray[np.float64]]:
    """Return a function from token ids (1, length) to logits (1, 3)."""
    import torch
    from transformers import AutoModelForSequenceClassification

    torch.set_num_threads(1)
    model = AutoModelForSequenceClassification.from_pretrained(folder, local_files_only=True, use_safetensors=True)
    model.eval()

    def forward(ids: NDArray[np.int64]) -> NDArray[np.float64]:
        with torch.inference_mode():
            return np.asarray(model(input_ids=torch.from_numpy(ids)).logits.numpy(), dtype=np.float64)

    return forward
