"""A page as a screen reader, a click and a content policy meet it."""

from __future__ import annotations

from html.parser import HTMLParser

VOID = frozenset({"meta", "br", "link", "input"})


class Outline(HTMLParser):
    """Collects from HTML; refuses elements that do not close in their order.

    Attributes
    ----------
    open : elements that never close
    ids, named : ids, and the ids that ``aria-labelledby`` refers to
    addresses : of links, sources and forms
    current : addresses that are marked as the current one
    headings : texts of h2 and h3
    scopes : of header cells
    forbidden : what a strict content policy stops: inline styles, scripts and handlers
    """

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.named: list[str] = []
        self.addresses: list[str] = []
        self.current: list[str] = []
        self.headings: list[str] = []
        self.scopes: set[str] = set()
        self.forbidden: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._look(tag, attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._look(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if self.open.pop() != tag:
            raise ValueError(f"</{tag}> closes another element at {self.getpos()}")

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("h2", "h3") and data.strip():
            self.headings.append(data.strip())

    def _look(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.addresses += [found[name] for name in ("href", "src", "action") if name in found]
        self.current += [found["href"]] if "aria-current" in found else []
        self.ids += [found["id"]] if "id" in found else []
        self.named += found.get("aria-labelledby", "").split()
        self.scopes |= {found.get("scope", "")} if tag == "th" else set()
        self.forbidden += [name for name in found if name == "style" or name.startswith("on")]
        self.forbidden += [tag] if tag == "style" or (tag == "script" and "src" not in found) else []
