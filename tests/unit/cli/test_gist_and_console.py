import io

from rich.console import Console
from rich.progress import Progress

from cbi_common.core.horizon import Horizon
from cbi_common.events.data import DataExported
from cbi_common.reporting.projection import Runs
from cbi_common.reporting.report import build_report
from cbi_common.reporting.tables import Table, columns, forecast_table, ranking
from cbi_common.runtime.commands.gist import gist
from cbi_common.runtime.commands.progress import Lines, Live
from cbi_common.runtime.console import show
from cbi_common.testing.fakes import envelope
from cbi_common.testing.story import Story, exported, forecast_ready, metrics, trained


def drawn(table: Table, width: int) -> str:
    console = Console(file=io.StringIO(), width=width)
    show(table, on=console)
    return console.file.getvalue()  # type: ignore[attr-defined]


def report_of(events):
    (run,) = Runs(events).all()
    return build_report(run)


def test_every_event_of_a_run_has_words_of_its_own() -> None:
    events = [*Story().whole(failed="dense"), *Story("other").rejection(), Story("third").alert()]
    said = [gist(event) for event in events]
    assert all(said)
    assert not any(words.startswith("from ") for words in said)
    assert gist(envelope(DataExported(market="zl"))).startswith("by hand")


def test_lines_mark_simulated_data_once_and_count_models(capsys) -> None:
    lines, runs = Lines(), Runs()
    for event in Story().whole(failed="dense"):
        runs.apply(event)
        (run,) = runs.all()
        lines.update(run, event)
    told = capsys.readouterr().err
    assert told.count("SIMULATED") == 1
    assert "(5 of 5)" in told
    assert "(10 of 10)" in told
    assert "killed after 900 CPU seconds" in told


def test_bars_are_full_at_the_end() -> None:
    console = Console(file=io.StringIO(), width=120)
    bars = Progress(console=console, disable=True)
    live, runs = Live(bars, console), Runs()
    live.started(0.5, 9)
    for event in Story().whole():
        runs.apply(event)
        (run,) = runs.all()
        live.update(run, event)
    assert [(task.completed, task.total) for task in bars.tasks] == [(1, 1), (1, 1), (10, 10), (2, 2), (3, 3)]
    assert "SIMULATED" in console.file.getvalue()  # type: ignore[attr-defined]


def test_a_narrow_screen_leaves_out_the_extra_columns_and_folds_nothing() -> None:
    table = forecast_table(report_of(Story().whole()))
    wide, narrow = drawn(table, 140), drawn(table, 80)
    assert "target date" in wide
    assert "target date" not in narrow
    for horizon in Horizon:
        assert any(line.strip().startswith(f"{horizon} ") and "…" in line for line in narrow.splitlines())


def test_a_table_without_rows_is_one_line() -> None:
    assert drawn(Table("Runs", columns("<a", "b"), (), "none yet"), 80) == "Runs: none yet\n"


def test_text_in_square_brackets_is_not_markup() -> None:
    assert "[red]x[/red]" in drawn(Table("t", columns("<a"), (("[red]x[/red]",),)), 80)


def test_ranking_puts_the_best_mean_skill_first_and_the_unscored_last() -> None:
    story = Story()
    events = [story.request]
    for model, skill in (("bad", -0.2), ("good", 0.1), ("unscored", None)):
        events += [
            story.tell(trained(model, h).model_copy(update={"metrics": metrics(skill=skill)}), f"{model}{h}")
            for h in Horizon
        ]
    table = ranking(report_of(events))
    assert [row[0] for row in table.rows] == ["good", "bad", "unscored"]
    assert table.rows[0][1] == "+10.0 %"
    assert table.rows[2][1] == "–"
    assert "1w 3.4 %" in table.note


def test_a_forecast_table_names_what_is_missing() -> None:
    story = Story()
    events = [story.request, story.tell(exported()), story.tell(forecast_ready(without=Horizon.M12))]
    table = forecast_table(report_of(events))
    assert len(table.rows) == len(Horizon) - 1
    assert "12m: no forecast, no member has matured cutoffs" in table.note
