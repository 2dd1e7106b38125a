import socket
import threading
from pathlib import Path

import pytest

from cbi_common.core.errors import UsageError
from cbi_common.runtime.commands import checks
from cbi_common.runtime.commands.checks import Check
from cbi_common.runtime.settings import Settings


def test_a_lake_that_cannot_be_written_fails_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    check = checks._lake(Settings(lake=str(tmp_path / "file")))
    assert check.verdict == "fail"
    assert check.todo


def test_a_writable_lake_is_ok(tmp_path: Path) -> None:
    assert checks._lake(Settings(lake=str(tmp_path / "lake"))).verdict == "ok"


def test_a_warehouse_without_tables_fails(tmp_path: Path) -> None:
    check = checks._warehouse(Settings(warehouse=str(tmp_path)))
    assert (check.verdict, "no tables" in check.found) == ("fail", True)


@pytest.mark.parametrize(("value", "verdict"), [(10.0, "ok"), (2.0, "warn"), (0.5, "fail")])
def test_enough_of_something(value: float, verdict: str) -> None:
    check = checks._enough("disk", value, "found", fail=1.0, warn=5.0, todo="free some")
    assert check.verdict == verdict
    assert bool(check.todo) == (verdict != "ok")


def test_packages_of_this_environment_are_complete() -> None:
    assert checks._packages(Settings()).verdict == "ok"


def test_a_requirement_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = ["surely-not-installed-anywhere>=1", "surely-not-here; sys_platform == 'nowhere'"]
    monkeypatch.setattr(checks, "requires", lambda _name: wanted)
    check = checks._packages(Settings())
    assert check.verdict == "fail"
    assert "surely-not-installed-anywhere" in check.found
    assert "surely-not-here" not in check.found


def test_one_failure_is_counted_in_the_note() -> None:
    table = checks.table([Check("a", "ok", "x"), Check("b", "fail", "y", "do z")])
    assert table.note == "1 of 2 checks fail"


def test_our_own_errors_keep_their_hint() -> None:
    def fail() -> str:
        raise UsageError("wrong", where="here", hint="mend it")

    assert checks._attempt("x", fail, "other") == Check("x", "fail", "here: wrong", "mend it")


def test_mail_is_no_matter_where_none_is_set_up() -> None:
    check = checks._mail(Settings())
    assert (check.verdict, "nothing is mailed" in check.found) == ("ok", True)


def test_a_mail_server_that_does_not_answer_fails_and_one_that_greets_is_ok() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        settings = Settings(
            smtp_host="127.0.0.1", smtp_port=port, smtp_security="none", smtp_from="a@b.test", smtp_to=("c@d.test",)
        )
        greeter = threading.Thread(target=_greet, args=(server,))
        greeter.start()
        assert checks._mail(settings) == Check("mail", "ok", "127.0.0.1 answers, for c@d.test")
        greeter.join()
    check = checks._mail(settings)
    assert check.verdict == "fail"
    assert "CBI_SMTP_HOST" in check.todo


def _greet(server: socket.socket) -> None:
    connection, _ = server.accept()
    with connection:
        connection.sendall(b"220 here\r\n")
        connection.recv(100)
        connection.sendall(b"221 bye\r\n")
