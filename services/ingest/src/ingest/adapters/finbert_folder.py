"""The files of a FinBERT model, and whether they belong together."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from cbi_common.core.errors import UsageError
from cbi_common.core.identity import digest, sha256_hex

VERSION = 1
"""Raised when equal files give other scores than before."""

LABELS = ("positive", "negative", "neutral")
TOKENS = 128
"""Longest text in tokens, as FinBERT was trained."""

ONNX = ("model_quantized.onnx", "model_int8.onnx", "model.onnx")
CONVERT = "convert it once: `optimum-cli export onnx --model ProsusAI/finbert DIR`, and set CBI_FINBERT=DIR"

_OTHER = ("model.safetensors", "pytorch_model.bin", "tf_model.h5", "flax_model.msgpack")
"""Weights of other programs; those of torch may run code when they are opened."""
_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")


@dataclass(frozen=True)
class Vocabulary:
    """The word pieces of a model.

    Attributes
    ----------
    ids : word piece to its number
    lowercase : bool
        Whether texts are lower-cased first.
    file : str
    """

    ids: Mapping[str, int]
    lowercase: bool
    file: str


@dataclass(frozen=True)
class Files:
    """A model whose files fit together.

    Attributes
    ----------
    folder : Path
    weights : str
        Name of the file.
    order : tuple[str, ...]
        The labels in the order of the model's outputs.
    vocabulary : Vocabulary
    tokens : int
        Tokens of a text that are read.
    fingerprint : str
        SHA-256 of all that decides a score: files, library version, processor.
    """

    folder: Path
    weights: str
    order: tuple[str, ...]
    vocabulary: Vocabulary
    tokens: int
    fingerprint: str


def find_files(setting: str) -> Files:
    """Return the files of the model that the setting names; nothing is downloaded.

    Parameters
    ----------
    setting : str
        A folder, or ``ORGANISATION/NAME`` of a model in the Hugging Face cache.

    Raises
    ------
    UsageError
        When there is no such folder, a file is missing, or the files do not belong together.
    InfrastructureError
        When the weights need a library that is not installed.
    """
    folder = _folder(setting)
    config = _json(folder, "config.json")
    order = _order(folder, config)
    vocabulary = _vocabulary(folder)
    if len(vocabulary.ids) != config.get("vocab_size"):
        what = f"{vocabulary.file} has {len(vocabulary.ids):,} words, the model {config.get('vocab_size')}"
        raise unfit(folder, what, "take all files from the same model")
    weights = _weights(folder)
    tokens = min(TOKENS, int(config.get("max_position_embeddings", TOKENS)))
    words = [sorted(vocabulary.ids.items()), vocabulary.lowercase]
    # Large networks keep their numbers in a second file, MODEL.onnx_data.
    files = sorted((folder / weights).parent.glob(f"{Path(weights).name}*"))
    content = [[sha256_hex(file.read_bytes()) for file in files], order, words, tokens]
    fingerprint = digest(VERSION, content, f"onnxruntime {version('onnxruntime')}", platform.machine())
    return Files(folder, weights, order, vocabulary, tokens, fingerprint)


def unfit(folder: Path, what: str, hint: str = "copy all files of the model") -> UsageError:
    """Return the error of a folder that holds no usable model."""
    return UsageError(what, where=f"FinBERT {folder.name}", hint=hint)


def _folder(setting: str) -> Path:
    folder = Path(setting)
    if folder.is_dir():
        return folder
    where = f"CBI_FINBERT {setting}"
    if folder.is_absolute() or setting.count("/") != 1 or setting.startswith("."):
        raise UsageError("no such folder", where=where, hint="name the folder of the model's files")
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        return Path(snapshot_download(setting, local_files_only=True))
    except LocalEntryNotFoundError:
        raise UsageError(
            "neither a folder nor in the Hugging Face cache",
            where=where,
            hint="nothing is downloaded: copy the model's folder to this machine",
        ) from None


def _weights(folder: Path) -> str:
    for name in ONNX:
        for at in (name, f"onnx/{name}"):
            if (folder / at).is_file():
                return at
    other = next((name for name in _OTHER if (folder / name).is_file()), None)
    if other is not None:
        raise unfit(folder, f"{other} is not read, only ONNX is", CONVERT)
    raise unfit(folder, f"no weights: none of {', '.join(ONNX)}", CONVERT)


def _order(folder: Path, config: dict[str, Any]) -> tuple[str, ...]:
    labels = config.get("id2label")
    found = labels if isinstance(labels, dict) else {}
    order = tuple(str(found[key]).lower() for key in sorted(found))
    if sorted(found) != ["0", "1", "2"] or sorted(order) != sorted(LABELS):
        said = ", ".join(map(str, found.values())) or "nothing"
        hint = "without the order of the labels nobody knows what a score means"
        raise unfit(folder, f"id2label of config.json says {said[:80]}, not {', '.join(LABELS)}", hint)
    return order


def _vocabulary(folder: Path) -> Vocabulary:
    # Of tokenizer.json only what differs between BERT models is taken: the library builds the rest.
    if (folder / "tokenizer.json").is_file():
        file, raw = "tokenizer.json", _json(folder, "tokenizer.json")
        ids = (raw.get("model") or {}).get("vocab")
        lowercase = (raw.get("normalizer") or {}).get("lowercase", True)
    elif (folder / "vocab.txt").is_file():
        file = "vocab.txt"
        ids = {word: number for number, word in enumerate(_text(folder, file).splitlines())}
        settings = _json(folder, "tokenizer_config.json") if (folder / "tokenizer_config.json").is_file() else {}
        lowercase = settings.get("do_lower_case", True)
    else:
        raise unfit(folder, "no tokenizer.json and no vocab.txt", "copy the tokenizer's files beside the weights")
    if not isinstance(ids, dict) or any(word not in ids for word in _SPECIAL):
        raise unfit(folder, f"{file} is no vocabulary of word pieces with {', '.join(_SPECIAL)}", "FinBERT is a BERT")
    return Vocabulary(ids, bool(lowercase), file)


def _json(folder: Path, name: str) -> dict[str, Any]:
    try:
        found = json.loads(_text(folder, name))
    except json.JSONDecodeError as error:
        raise unfit(folder, f"{name} is no JSON: {error}") from error
    if not isinstance(found, dict):
        raise unfit(folder, f"{name} is no JSON object")
    return found


def _text(folder: Path, name: str) -> str:
    try:
        return (folder / name).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise unfit(folder, f"no {name}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise unfit(folder, f"{name} cannot be read: {error}") from error
