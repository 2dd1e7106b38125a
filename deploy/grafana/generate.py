"""Write the dashboards: ``python deploy/grafana/generate.py deploy/grafana/dashboards``, which is `make dashboards`."""

from __future__ import annotations

import sys
from pathlib import Path

from boards import data, overview, processes, promotion, quality, runs
from boards.made import as_json

ALL = (overview.BOARD, runs.BOARD, processes.BOARD, quality.BOARD, data.BOARD, promotion.BOARD)


def main(folder: Path) -> None:
    """Write every dashboard into ``folder``; one that is no more is taken away."""
    folder.mkdir(parents=True, exist_ok=True)
    for stale in folder.glob("*.json"):
        stale.unlink()
    for board in ALL:
        (folder / f"{board.uid}.json").write_text(as_json(board), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
