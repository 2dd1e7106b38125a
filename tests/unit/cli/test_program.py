import subprocess
import sys

import click
import pytest

from cbi_common.core.errors import DataError, IncompleteError, UsageError
from cbi_common.runtime import cli
from cbi_common.runtime.cli import OneLine, main

HEAVY = {"pydantic", "numpy", "pandas", "pyarrow", "nats", "faststream", "rich", "fastapi", "mlflow", "lightgbm"}
OWN = {
    "run", "up", "service", "simulate", "publish", "status", "trace", "dead", "verify", "doctor", "backup", "restore",
}  # fmt: skip
BROUGHT = {
    "explain", "forecast", "gates", "leaderboard", "regime", "validate", "backtest", "benchmark", "card", "champion",
    "promote", "rollback", "shadow", "package", "serve",
}  # fmt: skip


def left_with(error: BaseException, *, debug: bool = False) -> object:
    with pytest.raises(SystemExit) as left, OneLine(debug=debug):
        raise error
    return left.value.code


def test_help_lists_the_commands_of_the_library_and_of_the_installed_services(capsys) -> None:
    assert main(["--help"]) == 0
    listed = {
        line.split()[0] for line in capsys.readouterr().out.splitlines() if line.startswith("  ") and line.split()
    }
    assert listed >= OWN | BROUGHT


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from cbi_common.runtime.cli import main; main(['--help']);"
        f"print(sorted({HEAVY!r} & set(sys.modules)), file=sys.stderr)"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert answer.stderr.strip() == "[]"


@pytest.mark.parametrize("command", sorted(OWN | BROUGHT))
def test_every_command_explains_itself(command: str, capsys) -> None:
    assert main([command, "--help"]) == 0
    text = capsys.readouterr().out
    assert text.startswith(f"Usage: cbi {command}")
    assert "Examples:" in text


def test_publish_help_lists_subjects_and_fields(capsys) -> None:
    main(["publish", "--help"])
    text = capsys.readouterr().out
    assert "data.requested" in text
    assert "as_of?" in text


def test_version(capsys) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("cbi 0.")


@pytest.mark.parametrize(
    ("error", "code"), [(UsageError("a"), 2), (DataError("a"), 3), (IncompleteError("a"), 4), (OSError("a"), 5)]
)
def test_errors_are_one_line_and_have_their_exit_codes(error: Exception, code: int, capsys) -> None:
    assert left_with(error) == code
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert told.startswith("cbi: ")
    assert "Traceback" not in told


def test_an_unexpected_error_says_how_to_see_more(capsys) -> None:
    assert left_with(ZeroDivisionError("division\nby zero")) == 5
    assert capsys.readouterr().err == (
        "cbi: ZeroDivisionError: division by zero; run again with --debug for the traceback and report it\n"
    )


def test_debug_shows_the_traceback(capsys) -> None:
    assert left_with(UsageError("wrong"), debug=True) == 2
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize("place", [0, 1, 2])
def test_debug_works_anywhere_on_the_line(place: int, capsys, tmp_path) -> None:
    line = ["run", "--warehouse", str(tmp_path / "none")]
    line.insert(min(place, 1) if place < 2 else len(line), "--debug")
    with pytest.raises(SystemExit) as left:
        main(line)
    assert left.value.code == 2
    assert "Traceback" in capsys.readouterr().err


def test_an_interrupt_is_130_without_noise(capsys) -> None:
    assert left_with(KeyboardInterrupt()) == 130
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("line", [["nosuch"], ["run", "--profile", "huge"], ["explain", "9m"], ["publish"]])
def test_usage_errors_are_one_line_and_name_the_help(line: list[str], capsys) -> None:
    with pytest.raises(SystemExit) as left:
        main(line)
    told = capsys.readouterr().err
    assert left.value.code == 2
    assert told.count("\n") == 1
    assert "--help" in told


def test_a_command_that_cannot_be_loaded_leaves_the_others_alone(monkeypatch, capsys) -> None:
    class Broken:
        def load(self) -> click.Command:
            raise ImportError("No module named 'gone'")

    monkeypatch.setattr(cli, "_brought", lambda: {"gone": Broken()})
    assert main(["--help"]) == 0
    assert "cannot be loaded" in capsys.readouterr().out
    with pytest.raises(SystemExit) as left:
        main(["gone"])
    assert left.value.code == 5
    assert "command gone" in capsys.readouterr().err


def test_a_folder_that_does_not_exist_is_a_usage_error_before_anything_starts(tmp_path, capsys) -> None:
    with pytest.raises(SystemExit) as left:
        main(["run", "--warehouse", str(tmp_path / "none"), "--lake", str(tmp_path / "lake")])
    assert left.value.code == 2
    assert "no such folder" in capsys.readouterr().err
    assert not (tmp_path / "lake").exists()
