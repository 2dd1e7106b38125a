"""Objects of the lake as a crash, a power failure or a bad disk leaves them."""

from __future__ import annotations

import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from cbi_common.testing.chaos.proxy import Publish
from cbi_common.testing.chaos.scenario import Fault
from cbi_common.testing.chaos.stage import Stage


@asynccontextmanager
async def half_written(stage: Stage, fault: Fault, _publish: Publish) -> AsyncIterator[None]:
    """Leave what is left when the power fails between two steps of storing an object."""
    chosen = _choose(stage, fault)
    if chosen is not None:
        _leave(stage.crew.lake, fault.how, chosen)
    yield


@asynccontextmanager
async def corrupt(stage: Stage, fault: Fault, _publish: Publish) -> AsyncIterator[None]:
    """Damage an object that has been stored whole."""
    chosen = _choose(stage, fault)
    if chosen is not None:
        _damage(_blob(stage.crew.lake, chosen), fault.how)
    yield


def _choose(stage: Stage, fault: Fault) -> Path | None:
    """Return the reference of one object of the pass."""
    found = [ref for ref in stage.objects("refs") if _blob(stage.crew.lake, ref).is_file()]
    if not found:
        stage.missed.append(f"{fault}: the lake is empty")
        return None
    return random.Random(fault.amount).choice(found)


def _leave(lake: Path, how: str, ref: Path) -> None:
    blob = _blob(lake, ref)
    if how == "part_file":
        (blob.parent / ".part-left").write_bytes(blob.read_bytes()[: blob.stat().st_size // 2])
        (ref.parent / ".part-left").write_bytes(b'{"key"')
    elif how == "orphan_blob":
        ref.unlink()
    elif how == "no_blob":
        blob.unlink(missing_ok=True)
    elif how == "half_blob":
        _damage(blob, "truncated")
    else:
        _overwrite(ref, ref.read_bytes()[: 0 if how == "empty_ref" else 40])


def _damage(blob: Path, how: str) -> None:
    if how == "missing":
        blob.unlink(missing_ok=True)
        return
    data = bytearray(blob.read_bytes())
    if how == "bit_flipped" and data:
        data[len(data) // 2] ^= 1
    elif how == "truncated":
        data = data[: len(data) // 2]
    else:
        data.clear()
    _overwrite(blob, bytes(data))


def _overwrite(path: Path, data: bytes) -> None:
    """Change a file under the name that it has, as a bad disk does."""
    with path.open("r+b") as file:
        file.truncate(0)
        file.write(data)


def _blob(lake: Path, ref: Path) -> Path:
    try:
        sha256 = str(json.loads(ref.read_bytes())["sha256"])
    except (ValueError, FileNotFoundError):
        sha256 = "0" * 64  # another fault has been here
    return lake / "cas" / sha256[:2] / sha256
