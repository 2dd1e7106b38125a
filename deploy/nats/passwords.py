"""Makes the passwords of the stack at its first start, each in a volume that only its owner is given.

``passwords.py`` makes what is missing and writes the bus's configuration; ``passwords.py show USER`` prints one. It
runs as root in a container without a network, whose volumes lie under ``/secrets``, and in ``/own`` those that their
owner has to write to.
"""

from __future__ import annotations

import os
import re
import secrets
import sys
from pathlib import Path

HERE = Path(__file__).parent
SECRETS = Path(os.environ.get("SECRETS", "/secrets"))
OWN = Path(os.environ.get("OWN", "/own"))
_USER = re.compile(r'user: "([^"]+)", password: \$(\w+)')
_GRAFANA = ("grafana", 472)


def main(words: list[str]) -> int:
    """Make everything, or show one password."""
    accounts = (HERE / "accounts.conf").read_text(encoding="utf-8")
    variables = dict(_USER.findall(accounts))
    if words[:1] == ["show"] and len(words) == 2 and words[1] in {*variables, _GRAFANA[0]}:
        sys.stdout.write((SECRETS / words[1] / "password").read_text(encoding="utf-8") + "\n")
        return 0
    if words:
        sys.stderr.write(f"passwords.py [show {'|'.join([*variables, _GRAFANA[0]])}]\n")
        return 2
    owner, group = map(int, os.environ.get("OWNER", "10000:10000").split(":"))
    lines = [f'{variable}: "{password(user, owner, group)}"' for user, variable in variables.items()]
    password(*_GRAFANA, _GRAFANA[1])
    # A variable is known only in the file that gives it.
    write(SECRETS / "nats" / "accounts.conf", "\n".join([*lines, accounts]), owner, group)
    write(SECRETS / "nats" / "nats.conf", (HERE / "nats.conf").read_text(encoding="utf-8"), owner, group)
    for folder in sorted(OWN.iterdir() if OWN.is_dir() else ()):
        hand_over(folder, owner, group)
    sys.stdout.write(f"{len(variables) + 1} passwords are in their volumes\n")
    return 0


def password(user: str, owner: int, group: int) -> str:
    """Return a user's password, made now if there is none."""
    folder = SECRETS / user
    if not folder.is_dir():
        raise SystemExit(f"passwords.py: no volume for {user}; give the service `secrets` one at {folder}")
    file = folder / "password"
    if not file.exists():
        write(file, secrets.token_urlsafe(32), owner, group)
    os.chown(file, owner, group)
    return file.read_text(encoding="utf-8")


def hand_over(folder: Path, owner: int, group: int) -> None:
    """Give a new volume, which belongs to root, to whoever works in it; a folder that somebody has made stays his."""
    if folder.stat().st_uid == 0:
        os.chown(folder, owner, group)
    if not any(folder.iterdir()):
        # Docker gives an empty volume to the owner of the folder that it hides in an image.
        kept = folder / ".stack"
        kept.mkdir()
        os.chown(kept, owner, group)


def write(file: Path, text: str, owner: int, group: int) -> None:
    """Write a file whole, readable by its owner alone."""
    draft = file.with_suffix(".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400), "w", encoding="utf-8") as opened:
        opened.write(text)
        opened.flush()
        os.fsync(opened.fileno())
    os.chown(draft, owner, group)
    draft.replace(file)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
