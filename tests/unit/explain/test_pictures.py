"""Pictures of a forecast: files that are pictures, in a buyer's words, marked where the data are simulated."""

from __future__ import annotations

from pathlib import Path

import pytest

from cbi_common.events.explanation import HorizonExplanation
from explain.adapters import shap_plots

FOUND = HorizonExplanation(
    baseline=50.0, forecast=51.0, groups={"palm": 1.5, "dollar": -0.6, "expectation": 0.1}, drivers={}, residual=0.0
)


def said(figure) -> str:
    texts = [text for axes in figure.axes for text in (*axes.texts, *axes.get_xticklabels(), *axes.get_yticklabels())]
    return " | ".join(text.get_text() for text in (*texts, *figure.texts))


def test_a_waterfall_and_a_force_plot_in_a_buyers_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pyplot, _ = shap_plots.load()
    drawn: list[str] = []
    closed = pyplot.close
    monkeypatch.setattr(pyplot, "close", lambda figure: (drawn.append(said(figure)), closed(figure)))
    files = shap_plots.save_pictures(FOUND, tmp_path / "why", name="1m", title="Why · SIMULATED", unit="¢/lb")
    assert [file.name for file in files] == ["1m-waterfall.png", "1m-force.png"]
    assert all(file.read_bytes().startswith(b"\x89PNG") for file in files)
    for text in drawn:
        assert "Why · SIMULATED" in text
        assert "palm oil" in text
        assert "no-change" in text
        assert "f(x)" not in text.lower()
    assert "forecast 51.00" in drawn[0]
    assert "no-change 50.00" in drawn[0]
