"""Waterfall and force plots of a forecast, by shap."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from cbi_common.events.explanation import HorizonExplanation
from explain.domain.words import group_name

_MOST_GROUPS = 12
_DPI = 120
_EQUALS = "$ = "
"""Begins shap's label of a number beside what the number is."""


def save_pictures(found: HorizonExplanation, folder: Path, *, name: str, title: str, unit: str) -> tuple[Path, ...]:
    """Draw why a forecast differs from no-change, and return the PNG files.

    Parameters
    ----------
    found : HorizonExplanation
    folder : Path
        Made if need be.
    name : str
        What the files are called, before ``-waterfall.png`` and ``-force.png``.
    title, unit : str
        Above the picture, and of the prices.
    """
    pyplot, shap = load()
    folder.mkdir(parents=True, exist_ok=True)
    shares = {group_name(group): share for group, share in found.groups.items()}
    values, names = np.array(list(shares.values())), list(shares)
    waterfall = folder / f"{name}-waterfall.png"
    explanation = shap.Explanation(values=values, base_values=found.baseline, feature_names=names)
    shap.plots.waterfall(explanation, max_display=_MOST_GROUPS, show=False)
    _finish(pyplot, waterfall, found, title=title, unit=unit, height=1.0)
    force = folder / f"{name}-force.png"
    shap.plots.force(
        found.baseline, values, feature_names=names, matplotlib=True, show=False, contribution_threshold=0.08
    )
    _finish(pyplot, force, found, title=title, unit=unit, height=1.5)
    return waterfall, force


def _finish(pyplot: Any, file: Path, found: HorizonExplanation, *, title: str, unit: str, height: float) -> None:
    words = {
        "$f(x)$": f"forecast {found.forecast:.2f}",
        "$E[f(X)]$": f"no-change {found.baseline:.2f}",
        "f(x)": "forecast",
        "base value": "no-change",
        "features": "groups",
    }
    figure = pyplot.gcf()
    for axes in figure.axes:
        for text in axes.texts:
            text.set_text(_in_words(text.get_text(), words))
        for ticks in ("x", "y"):
            labels = [label.get_text() for label in getattr(axes, f"get_{ticks}ticklabels")()]
            said = [_in_words(label, words) for label in labels]
            if said != labels:
                getattr(axes, f"set_{ticks}ticklabels")(said)
    figure.suptitle(title, fontsize=13, y=height)
    figure.axes[0].set_xlabel(unit)
    figure.savefig(file, dpi=_DPI, bbox_inches="tight", metadata={"Software": None})
    pyplot.close(figure)


def _in_words(said: str, words: Mapping[str, str]) -> str:
    """Return a label of shap's in a buyer's words."""
    if _EQUALS in said:
        return ""
    for word, ours in words.items():
        said = said.replace(word, ours)
    return said


def load() -> tuple[Any, Any]:
    """Return pyplot, which draws into files alone, and shap."""
    import matplotlib

    matplotlib.use("Agg")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # shap speaks to an older Matplotlib, and it warns of that
        import shap
    from matplotlib import pyplot

    return pyplot, shap
