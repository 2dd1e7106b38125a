"""``cbi export-model``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from cbi_common.runtime.commands.options import View, examples, horizon_choice, over_a_run

if TYPE_CHECKING:
    from cbi_common.events.training import ModelTrained
    from cbi_common.reporting.tables import Table


@click.command(
    epilog=examples(
        "cbi export-model lstm 1m --to served/lstm          the newest fit of the latest run",
        "cbi export-model dense 1w --to served/dense --json",
    )
)
@click.argument("model_id", metavar="MODEL_ID")
@click.argument("horizon", type=horizon_choice, metavar="HORIZON")
@click.option("--to", "folder", required=True, metavar="DIR", help="Folder to write; empty, or not there yet.")
@over_a_run
def export_model(view: View, model_id: str, horizon: str, folder: str) -> None:
    """Write a net as a TensorFlow SavedModel with a signature.

    Its input is in the units of the features, scaling is in the graph; features.json beside it names the columns. The
    graph is loaded again and compared with the net on the newest rows before the folder is there.

    Exit code 2 for a model that is no net: only nets are exported as SavedModel.
    """
    model = _trained(view, model_id, horizon)
    _check_folder(folder)
    done = _exported(view, model, folder)
    view.show(_table(view, model_id, folder, done), "export", {"model_id": model_id, "folder": folder, **done})


def _trained(view: View, model_id: str, horizon: str) -> ModelTrained:
    from cbi_common.catalogue.spec import load_catalogue
    from cbi_common.core.errors import UsageError
    from cbi_common.core.horizon import Horizon
    from cbi_common.events.training import ModelTrained

    if load_catalogue().model(model_id).device != "metal":
        raise UsageError(
            "only nets are exported as SavedModel",
            where=f"model {model_id}",
            hint="its stored fit is a native file already, and the serving container serves it",
        )
    found = view.run.results.get((model_id, Horizon(horizon)))
    if not isinstance(found, ModelTrained) or found.artifact is None:
        view.need(None, f"fit of {model_id} at {horizon}")
    assert isinstance(found, ModelTrained)
    return found


def _check_folder(folder: str) -> None:
    from pathlib import Path

    from cbi_common.core.errors import UsageError

    path = Path(folder)
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise UsageError("is there and not empty", where=f"--to {folder}", hint="give a folder of its own")


def _exported(view: View, model: ModelTrained, folder: str) -> dict[str, Any]:
    from cbi_common.runtime.commands.reading import until_done
    from cbi_common.runtime.settings import Settings
    from cbi_common.runtime.workers import Workers

    settings = Settings.load(lake=view.lake)
    manifest = view.need(view.run.export, "export").data.manifest
    argument = {
        "lake": settings.lake,
        "manifest": manifest.model_dump(mode="json"),
        "model_id": model.model_id,
        "artifact": model.model_dump(mode="json")["artifact"],
        "to": folder,
    }
    workers = Workers(1, settings.job_cpu_limit_s)
    return until_done(workers.run("trainer_metal.jobs:export", argument, label="export-model")).value


def _table(view: View, model_id: str, folder: str, done: dict[str, Any]) -> Table:
    from cbi_common.reporting.tables import Table, columns, heading

    shape = ", ".join("n" if size is None else str(size) for size in done["shape"])
    rows = (("input", done["input"], f"({shape})"), *(("output", name, "(n)") for name in done["outputs"]))
    return Table(
        title=f"SavedModel of {model_id} in {folder} · {heading(view.report)}",
        columns=columns("<", "<name", "<shape"),
        rows=rows,
        note=f"largest difference from the stored net on {done['rows']} rows: {done['max_abs_diff']:.1g}",
    )
