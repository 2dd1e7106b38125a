"""Every command in the documents is one: its program knows it, with these options and values of this kind."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import yaml
from starlette.routing import Match, Router

from cbi_common.reporting.projection import Runs
from cbi_common.storage.lake import Lake
from cbi_common.testing.documents import Command, documents
from cbi_common.testing.typed import misunderstood
from dashboard.adapters.guard import Access
from dashboard.domain.known import Known
from dashboard.handlers import create_api
from promoter.serving.app import create_app

ROOT = Path(__file__).parents[2]
COMMANDS = [command for document in documents(ROOT) for command in document.commands()]
OTHERS_PORTS = {"8222": "nats", "9090": "prometheus", "9093": "alertmanager", "3000": "grafana", "8025": "mailpit"}


def of(*programs: str) -> list[Command]:
    found = [command for command in COMMANDS if command.words[0] in programs]
    assert found, f"the documents show no {programs[0]}"
    return found


def complaints(found: Sequence[Command], complaint: Callable[[Command], str]) -> str:
    return "\n".join(f"{command} -> {told}" for command in found if (told := complaint(command)))


def test_cbi_understands_every_line(tmp_path: Path) -> None:
    def told(command: Command) -> str:
        return misunderstood(command.words[1:], tmp_path, mentioned=command.mentioned)

    found = of("cbi")
    assert len(found) > 100
    assert complaints(found, told) == ""


def test_make_has_every_target_and_variable() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z][a-z-]*):", makefile, flags=re.MULTILINE))

    def told(command: Command) -> str:
        names = [word.partition("=") for word in command.words[1:] if not word.startswith("-")]
        odd = [name for name, equals, _ in names if not equals and name not in targets]
        odd += [name for name, equals, _ in names if equals and f"$({name})" not in makefile]
        return f"not in the Makefile: {', '.join(odd)}" if odd else ""

    assert complaints(of("make"), told) == ""


def test_every_target_of_make_says_what_it_does_or_is_in_a_document() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    silent = re.findall(r"^([a-z][a-z-]*):(?![^\n]*##)", makefile, flags=re.MULTILINE)
    shown = {word for command in of("make") for word in command.words[1:]}
    assert [target for target in silent if target not in shown] == []


def test_every_module_and_script_that_python_is_to_run_exists() -> None:
    def told(command: Command) -> str:
        words = command.words[1:]
        if words[0] == "-m":
            return "" if importlib.util.find_spec(words[1]) else f"no module {words[1]}"
        return "" if words[0] == "-c" or (ROOT / words[0]).is_file() else f"no file {words[0]}"

    assert complaints(of("python", "python3"), told) == ""


def test_every_folder_of_tests_exists() -> None:
    def told(command: Command) -> str:
        named = [word.partition("::")[0] for word in command.words[1:] if word.startswith("tests/")]
        return ", ".join(name for name in named if not (ROOT / name).exists())

    assert complaints(of("pytest"), told) == ""


def test_every_address_that_curl_is_to_ask_is_answered() -> None:
    page = create_api(Known(Runs()), lambda: None, Lake("memory://docs"), access=Access())
    served = create_app(lambda: None)
    routers = {"8050": page.router, "8080": served.router}

    def told(command: Command) -> str:
        (address,) = (word for word in command.words[1:] if re.match(r"(https?://|127\.|localhost)", word))
        url = urlparse(address if "://" in address else f"http://{address}")
        if url.hostname not in ("127.0.0.1", "localhost"):
            return "not on this machine"
        port = str(url.port)
        if port in routers:
            return "" if _answers(routers[port], url.path or "/") else f"no route {url.path}"
        return "" if port in OTHERS_PORTS else f"nobody listens on {port}"

    assert complaints(of("curl"), told) == ""


def _answers(router: Router, path: str) -> bool:
    scope = {"type": "http", "path": path, "root_path": "", "method": "GET", "headers": []}
    return any(route.matches(scope)[0] is not Match.NONE for route in router.routes)


VERBS = {
    "build",
    "config",
    "down",
    "exec",
    "images",
    "kill",
    "logs",
    "ps",
    "pull",
    "restart",
    "run",
    "start",
    "stop",
    "up",
}


def test_docker_compose_has_every_service_profile_and_file(tmp_path: Path) -> None:
    composed = [c for c in COMMANDS if c.words[:2] == ("docker", "compose") and (len(c.words) > 2 or not c.mentioned)]
    composed += [c for c in COMMANDS if c.words[0] == "docker-compose"]
    stack: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
    profiles = {profile for service in stack["services"].values() for profile in service.get("profiles", ())}

    def told(command: Command) -> str:
        rest = list(command.words[1 if command.words[0] == "docker-compose" else 2 :])
        while rest and rest[0].startswith("-"):
            option, value = rest.pop(0), rest.pop(0)
            if option == "--profile" and value not in profiles:
                return f"no profile {value}"
            if option == "-f" and not (ROOT / value).is_file():
                return f"no file {value}"
        if not rest or rest[0] not in VERBS:
            return f"no verb {rest[:1]}"
        return _service(stack, rest[0], [w for w in rest[1:] if not w.startswith("-")], tmp_path)

    assert complaints(composed, told) == ""


def _service(stack: dict[str, Any], verb: str, words: list[str], files: Path) -> str:
    scaled = [word.partition("=")[0] for word in words if "=" in word]
    named = [word for word in words if re.fullmatch(r"[a-z][a-z-]*", word)]
    chosen = [*scaled, *(named[:1] if verb in ("run", "exec") else named)]
    unknown = [name for name in chosen if name not in stack["services"]]
    if unknown:
        return f"no service {', '.join(unknown)}"
    if verb == "run" and named[:1] == ["cli"]:
        return misunderstood(words[words.index("cli") + 1 :], files, mentioned=True)
    return ""
