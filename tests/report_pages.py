"""What the tests of the HTML report share: pages of runs, and a strict reader of pages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from tempfile import TemporaryDirectory

from report_subjects import CORPUS, OUTCOMES, Outcome

from mlp_ref.corpus import Corpus
from mlp_ref.gate.report_html import render
from mlp_ref.gate.report_jsonl import header_line, result_lines, summary_line
from mlp_ref.gate.results import Report, read_report

_VOID = {"meta", "link", "br", "hr", "img", "input"}


def saved(done: Outcome, path: Path, corpus: Corpus = CORPUS) -> Report:
    """The report of a run, written and read again."""
    n = len(done.reports)
    lines = [header_line(done.subject, corpus, ("float64", "float32"), n)]
    lines += [line for report in done.reports for line in result_lines(report)]
    path.write_text("".join([*lines, summary_line(done.summary)]), "utf-8")
    return read_report(path)


def page(folder: Path, *runs: Outcome) -> str:
    """The page about runs."""
    return render([saved(done, folder / f"r{k}.jsonl") for k, done in enumerate(runs)])


@cache
def page_about(name: str) -> str:
    """The page about one of the runs that all tests share."""
    with TemporaryDirectory() as folder:
        return page(Path(folder), OUTCOMES[name])


@dataclass
class Table:
    """The texts of a table: its name, and its rows."""

    name: str
    rows: list[list[str]] = field(default_factory=list)


class Reader(HTMLParser):
    """Everything a page consists of. Tags must be balanced."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags = Counter[str]()
        self.attributes: list[tuple[str, dict[str, str]]] = []
        self.tables: list[Table] = []
        self._open: list[str] = []
        self._texts: list[str] = []
        self._cell: list[str] | None = None
        self.feed(text)
        self.close()
        assert not self._open, f"left open: {self._open}"

    @property
    def text(self) -> str:
        """What a reader reads, without styles."""
        return " ".join(" ".join(self._texts).split())

    def of(self, tag: str) -> list[dict[str, str]]:
        """The attributes of every element of that name."""
        return [found for name, found in self.attributes if name == tag]

    def table(self, name: str) -> list[list[str]]:
        """The rows of the table of that name, header included."""
        (found,) = [table for table in self.tables if table.name == name]
        return found.rows

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        """An element begins."""
        found = {key: value or "" for key, value in attrs}
        assert len(found) == len(attrs), f"twice the same attribute in {tag}"
        self.tags[tag] += 1
        self.attributes.append((tag, found))
        if tag == "table":
            self.tables.append(Table(found.get("aria-label", "")))
        elif tag == "tr":
            self.tables[-1].rows.append([])
        elif tag in ("td", "th", "caption"):
            self._cell = []
        if tag not in _VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        """An element of SVG without content."""
        assert tag in _VOID | {"use", "path", "rect", "circle"}, f"<{tag}/> is no end in HTML"
        self.handle_starttag(tag, attrs)
        if tag not in _VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        """An element ends."""
        assert self._open, f"</{tag}> ends nothing"
        assert self._open.pop() == tag, f"</{tag}> ends another element"
        if tag in ("td", "th", "caption") and self._cell is not None:
            text = " ".join(" ".join(self._cell).split())
            if tag == "caption":
                self.tables[-1].name = text
            else:
                self.tables[-1].rows[-1].append(text)
            self._cell = None

    def handle_data(self, data: str) -> None:
        """A text."""
        if self._open and self._open[-1] != "style":
            self._texts.append(data)
            if self._cell is not None and self._open[-1] != "title":
                self._cell.append(data)


def require_sound(text: str) -> None:
    """What no reader of a page would notice before something does not work."""
    read = Reader(text)
    ids = [found["id"] for _, found in read.attributes if "id" in found]
    assert len(ids) == len(set(ids))
    targets = [found["href"] for _, found in read.attributes if "href" in found]
    assert {target[1:] for target in targets if target.startswith("#")} <= set(ids)
    assert {target for target in targets if not target.startswith("#")} == {"data:,"}
    assert {found["aria-labelledby"] for found in read.of("section")} <= set(ids)
    assert read.of("html") == [{"lang": "en"}]
    assert text.partition("</head>")[0].count("<title>") == read.tags["h1"] == 1
    assert all(table.name for table in read.tables)
    assert all(found["aria-label"] for found in read.of("figure"))
    regions = [found for found in read.of("div") if "scroll" in found.get("class", "")]
    assert len(regions) == len(read.tables)
    assert all(found["tabindex"] == "0" and found["aria-label"] for found in regions)
