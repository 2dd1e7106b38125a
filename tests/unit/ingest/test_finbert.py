"""FinBERT's files and scores, against the same network in NumPy."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cbi_common.core.errors import CbiError, UsageError
from cbi_common.testing.tiny_finbert import ORDER, WORDS, forward, write_model
from ingest.adapters.finbert import FinBert

TONE = ("neutral", "positive", "negative")
TEXTS = [
    "Soybean oil gains as Chinese crushers raised their purchases",
    "Soybean oil slides",
    "Traders see no clear direction, xylophone.",
    "",
    "palm " * 500,
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_model(tmp_path / "model")


@pytest.mark.parametrize("order", [ORDER, TONE])
def test_scores_are_those_of_numpy_whatever_the_order_of_the_labels(tmp_path: Path, order: tuple[str, ...]) -> None:
    model = FinBert.find(str(write_model(tmp_path / "model", order)))
    expected = [forward(model.token_ids(text), order) for text in TEXTS]
    scores = model.score(TEXTS)
    assert np.allclose(scores, expected, atol=1e-6)
    assert np.allclose(scores.sum(axis=1), 1)
    assert scores[0].argmax() == 0
    assert scores[1].argmax() == 1


def test_labels_may_be_capitalised_as_in_the_wild(folder: Path) -> None:
    before = FinBert.find(str(folder)).score(TEXTS)
    change(folder, "config.json", id2label={"0": "Positive", "1": "Negative", "2": "Neutral"})
    assert (FinBert.find(str(folder)).score(TEXTS) == before).all()


def test_a_score_depends_on_its_own_text_alone(folder: Path) -> None:
    model = FinBert.find(str(folder))
    together, alone = model.score(TEXTS), np.vstack([model.score([text]) for text in TEXTS])
    assert (together == alone).all()
    assert (model.score(TEXTS[::-1])[::-1] == together).all()
    assert (FinBert.find(str(folder)).score(TEXTS) == together).all()
    assert model.score([]).shape == (0, 3)


def test_a_text_is_cut_after_128_tokens(folder: Path) -> None:
    model = FinBert.find(str(folder))
    assert len(model.token_ids("palm " * 126)) == len(model.token_ids("palm " * 127)) == 128
    short, long = "gains " * 126, "gains " * 126 + "plunges " * 200
    assert (model.score([short]) == model.score([long])).all()
    assert (model.score(["gains " * 125]) != model.score([short])).any()


def test_a_model_of_fewer_positions_reads_fewer_tokens(folder: Path) -> None:
    change(folder, "config.json", max_position_embeddings=16)
    assert len(FinBert.find(str(folder)).token_ids("palm " * 100)) == 16


def test_words_are_taken_apart_as_wordpiece_does(folder: Path) -> None:
    model = FinBert.find(str(folder))
    tokens = [WORDS[number] for number in model.token_ids("Crops: OILs, zebra")]
    assert tokens == ["[CLS]", "crop", "##s", ":", "oil", "##s", ",", "[UNK]", "[SEP]"]


def test_tokenizer_json_serves_as_well_as_vocab_txt(folder: Path) -> None:
    before = FinBert.find(str(folder))
    expected = before.score(TEXTS)
    vocabulary = {word: number for number, word in enumerate(WORDS)}
    raw = {"model": {"type": "WordPiece", "vocab": vocabulary}, "normalizer": {"lowercase": True}}
    (folder / "tokenizer.json").write_text(json.dumps(raw), encoding="utf-8")
    (folder / "vocab.txt").unlink()
    after = FinBert.find(str(folder))
    assert (after.score(TEXTS) == expected).all()
    assert after.fingerprint == before.fingerprint


def test_the_fingerprint_changes_with_whatever_decides_a_score(folder: Path, tmp_path: Path) -> None:
    prints = {FinBert.find(str(folder)).fingerprint}
    prints.add(FinBert.find(str(write_model(tmp_path / "seed", seed=2))).fingerprint)
    prints.add(FinBert.find(str(write_model(tmp_path / "order", TONE))).fingerprint)
    change(folder, "tokenizer_config.json", do_lower_case=False)
    prints.add(FinBert.find(str(folder)).fingerprint)
    assert len(prints) == 4
    assert FinBert.find(str(write_model(tmp_path / "again"))).fingerprint in prints


def test_the_quantised_network_goes_before_the_full_one(folder: Path) -> None:
    assert FinBert.find(str(folder)).name == "model/model.onnx"
    (folder / "onnx").mkdir()
    (folder / "model.onnx").rename(folder / "onnx" / "model_quantized.onnx")
    assert FinBert.find(str(folder)).name == "model/onnx/model_quantized.onnx"


def test_nothing_is_loaded_before_the_first_score(folder: Path) -> None:
    (folder / "model.onnx").write_bytes(b"no network")
    model = FinBert.find(str(folder))
    with pytest.raises(UsageError, match=r"model\.onnx cannot be opened"):
        model.score(["soybean oil"])


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda f: (f / "config.json").unlink(), r"no config\.json"),
        (lambda f: (f / "config.json").write_text("{"), r"config\.json is no JSON"),
        (lambda f: (f / "config.json").write_text("[]"), r"config\.json is no JSON object"),
        (lambda f: change(f, "config.json", id2label=None), "id2label of config.json says nothing"),
        (lambda f: change(f, "config.json", id2label={"0": "LABEL_0", "1": "LABEL_1", "2": "LABEL_2"}), "LABEL_0"),
        (lambda f: change(f, "config.json", id2label={"0": "positive", "1": "negative"}), "says positive, negative"),
        (lambda f: change(f, "config.json", id2label={"1": "positive", "2": "negative", "3": "neutral"}), "id2label"),
        (lambda f: (f / "vocab.txt").unlink(), r"no tokenizer\.json and no vocab\.txt"),
        (lambda f: (f / "vocab.txt").write_text("soy\noil\n"), r"vocab\.txt is no vocabulary"),
        (lambda f: (f / "vocab.txt").write_bytes(b"\xff\xfe"), r"vocab\.txt cannot be read"),
        (lambda f: (f / "vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n"), "has 4 words, the model"),
        (lambda f: (f / "tokenizer.json").write_text('{"model": {"vocab": [["a", 0.1]]}}'), "no vocabulary of word"),
        (lambda f: (f / "model.onnx").unlink(), "no weights"),
        (lambda f: (f / "model.onnx").rename(f / "pytorch_model.bin"), r"pytorch_model\.bin is not read.*optimum-cli"),
        (lambda f: (f / "model.onnx").rename(f / "model.safetensors"), r"model\.safetensors is not read.*optimum-cli"),
        (lambda f: write_model(f, outputs=2), "gives 1 x 2 outputs"),
        (lambda f: (f / "model.onnx").write_bytes(b"x"), "cannot be opened"),
    ],
)
def test_a_bad_folder_is_one_clear_line(folder: Path, spoil: Callable[[Path], object], says: str) -> None:
    spoil(folder)
    with pytest.raises(UsageError, match=says) as caught:
        FinBert.find(str(folder)).score(["soybean oil"])
    assert caught.value.where == "FinBERT model"
    assert "\n" not in str(caught.value)
    assert str(folder) not in str(caught.value)


def test_a_network_of_another_kind_is_refused(folder: Path) -> None:
    import onnx

    other = onnx.load(str(folder / "model.onnx"))
    other.graph.input[0].name = other.graph.node[0].input[1] = "pixels"
    onnx.save(other, str(folder / "model.onnx"))
    with pytest.raises(UsageError, match="wants the inputs pixels"):
        FinBert.find(str(folder)).score(["soybean oil"])


@pytest.mark.parametrize("setting", ["/no/such/folder", "./nothing", "nothing"])
def test_a_folder_that_does_not_exist_says_so(setting: str) -> None:
    with pytest.raises(UsageError, match="no such folder"):
        FinBert.find(setting)


def test_a_model_is_found_in_the_cache_by_its_name(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    with pytest.raises(CbiError, match="neither a folder nor in the Hugging Face cache"):
        FinBert.find("ProsusAI/finbert")
    model = tmp_path / "hub" / "models--ProsusAI--finbert"
    (model / "refs").mkdir(parents=True)
    (model / "refs" / "main").write_text("a" * 40)
    (model / "snapshots").mkdir()
    folder.rename(model / "snapshots" / ("a" * 40))
    assert FinBert.find("ProsusAI/finbert").score(TEXTS[:1]).argmax() == 0


def change(folder: Path, name: str, **values: object) -> None:
    raw = json.loads((folder / name).read_text(encoding="utf-8")) | values
    (folder / name).write_text(json.dumps(raw), encoding="utf-8")
