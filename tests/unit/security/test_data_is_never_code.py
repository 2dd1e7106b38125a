"""Nothing that is read can become a program: our own source calls nothing that would make it one."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SOURCES = sorted(
    path for folder in ("libs", "services", "tests", "deploy", "docs") for path in (ROOT / folder).rglob("*.py")
)
BANNED_MODULES = {
    "pickle",
    "_pickle",
    "cPickle",
    "cloudpickle",
    "dill",
    "joblib",
    "marshal",
    "shelve",
    "jsonpickle",
    "skops",
}
BANNED_CALLS = {
    "eval", "exec", "compile", "os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput",
    "torch.load", "yaml.load", "yaml.unsafe_load", "yaml.full_load", "asyncio.create_subprocess_shell",
    "create_subprocess_shell", "pandas.read_pickle", "pd.read_pickle", "keras.utils.enable_unsafe_deserialization",
    "xml.etree.ElementTree.fromstring", "ElementTree.parse",
}  # fmt: skip
BANNED_ARGUMENTS = {
    "shell": True, "allow_pickle": True, "safe_mode": False, "trust_remote_code": True, "verify": False,
    "check_hostname": False,
}  # fmt: skip


def offences(source: str) -> Iterator[str]:
    """Yield what a program does that could make a program of data."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (f"imports {alias.name}" for alias in node.names if is_banned(alias.name))
        elif isinstance(node, ast.ImportFrom) and is_banned(node.module or ""):
            yield f"imports {node.module}"
        elif isinstance(node, ast.Call):
            yield from called(node)


def called(node: ast.Call) -> Iterator[str]:
    name = ast.unparse(node.func)
    if name in BANNED_CALLS or name.endswith("extractall"):
        yield f"calls {name}"
    if name.endswith(("import_module", "__import__")) and is_banned(ast.unparse(node.args[0]).strip("'\"")):
        yield f"imports {ast.unparse(node.args[0])}"
    for keyword in node.keywords:
        given = ast.unparse(keyword.value)
        if keyword.arg in BANNED_ARGUMENTS and given != str(not BANNED_ARGUMENTS[keyword.arg]):
            yield f"passes {keyword.arg}={given}"


def is_banned(module: str) -> bool:
    return module.partition(".")[0] in BANNED_MODULES


ALLOWED = {
    "services/promoter/src/promoter/archive.py: calls whole.extractall",  # after a look at every member: test_bombs.py
}


def test_our_source_makes_no_program_of_data() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {offence}"
        for path in SOURCES
        if path != Path(__file__)
        for offence in offences(path.read_text(encoding="utf-8"))
    ]
    assert len(SOURCES) > 500
    assert sorted(found) == sorted(ALLOWED)


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from joblib import load",
        "import cloudpickle as safe",
        "importlib.import_module('dill')",
        "torch.load(f)",
        "np.load(f, allow_pickle=True)",
        "numpy.load(f, allow_pickle=flag)",
        "eval(text)",
        "exec(text)",
        "yaml.load(f, Loader=L)",
        "subprocess.run(line, shell=True)",
        "os.system(line)",
        "keras.models.load_model(p, safe_mode=False)",
        "AutoModel.from_pretrained(n, trust_remote_code=True)",
        "archive.extractall(folder)",
        "requests.get(url, verify=False)",
    ],
)
def test_each_of_these_would_be_found(source: str) -> None:
    assert list(offences(source))


def test_the_bus_and_the_library_load_without_pickle_of_their_own() -> None:
    # What a library imports is its own affair; ours must not reach for it at run time.
    program = (
        "import sys, cbi_common.events.base, cbi_common.storage.lake, cbi_common.runtime.delivery;"
        "print([m for m in ('dill', 'cloudpickle', 'joblib') if m in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"
