"""The tree of events behind a run or an event."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rich.text import Text
from rich.tree import Tree

from cbi_common.reporting.lineage import Node, around, causation, lake_objects
from cbi_common.reporting.projection import Run, Runs
from cbi_common.runtime.commands.gist import gist


@dataclass(frozen=True)
class Lineage:
    """A run and the part of its events that was asked for."""

    run: Run
    nodes: tuple[Node, ...]

    @classmethod
    def of(cls, runs: Runs, prefix: str) -> Lineage:
        """Return the lineage of a run, or of one event when the prefix is that of exactly one that began no run.

        Raises
        ------
        UsageError
            When there is none, or the prefix fits several runs.
        """
        run = runs.find(prefix)
        trees = causation(run.events)
        whole = run.correlation_id.startswith(prefix) or (run.run_id or "").startswith(prefix)
        matching = [event.id for event in run.events if event.id.startswith(prefix)]
        return cls(run, trees if whole or len(matching) != 1 else around(trees, matching[0]))

    def as_json(self) -> dict[str, Any]:
        """Return the nested events."""
        return {"request_id": self.run.correlation_id, "run_id": self.run.run_id, "events": [*map(_json, self.nodes)]}

    def tree(self) -> Tree:
        """Return the events as a tree."""
        root = Tree(Text(f"run {self.run.run_id or 'not exported'} · request {self.run.correlation_id}", style="bold"))
        for node in self.nodes:
            _grow(root, node)
        return root


def _grow(parent: Tree, node: Node) -> None:
    event = node.event
    text = Text(f"{event.time:%Y-%m-%d %H:%M:%S} ")
    text.append(event.type, style="bold")
    text.append(f" {gist(event)} ")
    text.append(f"[{event.id}]", style="dim")
    branch = parent.add(text)
    for ref in lake_objects(event.data):
        branch.add(Text(f"{ref.key} sha256:{ref.sha256} {ref.size_bytes:,} bytes", style="dim"))
    for child in node.children:
        _grow(branch, child)


def _json(node: Node) -> dict[str, Any]:
    event = node.event
    return {
        "id": event.id,
        "type": event.type,
        "source": event.source,
        "time": event.time.isoformat(),
        "objects": [ref.model_dump() for ref in lake_objects(event.data)],
        "led_to": [_json(child) for child in node.children],
    }
