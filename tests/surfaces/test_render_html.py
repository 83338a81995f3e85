"""The page of a report is complete, readable and safe, whatever names the data brings."""

from __future__ import annotations

import queue
import re
import shutil
import socket
import subprocess
import threading
import xml.etree.ElementTree as ElementTree
from contextlib import contextmanager, suppress
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from luban.core.report import Evidence, Finding, Report
from luban.surfaces.render import html
from luban.surfaces.render.charts.draw import draw
from luban.surfaces.render.charts.ticks import labels, rounded, ticks
from luban.surfaces.render.text import clean, fitted, shown, width

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

HOSTILE = [
    "<script>document.title='owned'</script>",
    '"><img src=x onerror="document.title=\'owned\'">',
    "</style><script>document.title='owned'</script>",
    "]]></svg><script>document.title='owned'</script>",
    "{{ 7 * 7 }}{% raw %}",
    "年收入（人民币）与教育程度的关系，一个很长的中文列名用于检查宽度和换行是否正确",
    "x" * 3000,
    "a\x00b\x1b[31mc\u202egnp.exe\u2028d\ud800",
    "& &amp; <b>",
    "",
]


def report_of(names: list[str], subject: str = "adult/1") -> Report:
    """A report that uses names everywhere a name can stand, in every drawing."""
    rows = tuple((name, 1.5 * i - 2, i) for i, name in enumerate(names))
    evidence = (
        Evidence(title=names[0] or "bars", columns=("label", names[1], names[2]), rows=rows, drawing="bar", y=names[3]),
        Evidence(title="one series", columns=("label", "push"), rows=tuple(row[:2] for row in rows), drawing="bar"),
        Evidence(
            title="lines",
            columns=("x", *names),
            rows=tuple((i, *range(len(names))) for i in range(4)),
            drawing="line",
            x=names[0],
            y=names[1],
        ),
        Evidence(
            title="named x",
            columns=("x", names[0]),
            rows=tuple((name, i) for i, name in enumerate(names)),
            drawing="line",
        ),
        Evidence(
            title="points", columns=(names[0], names[1]), rows=((1.0, 2.0), (3.0, None)), drawing="scatter", x=names[0]
        ),
        Evidence(
            title="bins",
            columns=("a", "b", names[0], names[1]),
            rows=((0, 1, 5, 6), (1, 2, 0, 7)),
            drawing="histogram",
            y=names[2],
        ),
        Evidence(
            title="matrix",
            columns=("true", *names),
            rows=tuple((name, *range(len(names))) for name in names),
            drawing="heatmap",
            x=names[0],
            y=names[1],
        ),
        Evidence(title=names[5], columns=tuple(names[:3]), rows=tuple(tuple(names[:3]) for _ in range(3))),
    )
    finding = Finding(
        what=f"seen {names[0]}", verdict="warn", value=names[1], threshold=0.5, remedy=names[2], evidence=evidence
    )
    return Report(check="profile", subject=subject, verdict="warn", findings=(finding, Finding(what=names[3] or "x")))


class Elements(HTMLParser):
    """Collects the names and attributes of all elements."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        """Remember an element."""
        self.found.append((tag, dict(attributes)))


def test_hostile_names_stay_text() -> None:
    """No name becomes an element, an attribute that runs, or a template expression; all of the text is there."""
    page = html.render(report_of(HOSTILE), title=HOSTILE[0])
    elements = Elements(page)
    assert not {"script", "img", "b", "iframe", "object", "link"} & {name for name, _ in elements.found}
    assert not [key for _, attributes in elements.found for key in attributes if key.startswith("on")]
    assert "{{ 7 * 7 }}" in page
    assert "&lt;script&gt;" in page
    assert "\x1b" not in page
    assert "\u202e" not in page
    assert page.count("</html>") == 1
    page.encode("utf-8")


@given(st.lists(st.text(max_size=30), min_size=6, max_size=8))
@settings(max_examples=40, deadline=None)
def test_any_text_leaves_the_structure_alone(names: list[str]) -> None:
    """The elements of the page do not depend on what the texts are, and every drawing is well-formed XML."""
    page = html.render(report_of(names))
    assert "script" not in {name for name, _ in Elements(page).found}
    for evidence in report_of(names).findings[0].evidence:
        drawn = draw(evidence, "k")
        if drawn is not None:
            ElementTree.fromstring(str(drawn))


def test_the_page_asks_nothing_of_the_network() -> None:
    """No address to fetch stands in the page, and its policy forbids requests and scripts."""
    page = html.render(report_of(HOSTILE[:6]))
    for _, attributes in Elements(page).found:
        for key in ("src", "href", "data", "action"):
            assert (attributes.get(key) or "#").startswith("#")
    assert "@import" not in page
    assert not re.search(r"url\(", page)
    assert "default-src 'none'" in page


def test_every_chart_is_told_in_words_and_figures() -> None:
    """Each drawing has a title, a description and its table, and no two elements share an id."""
    page = html.render([report_of(HOSTILE[:6]), report_of(HOSTILE[:6], "other/2")])
    found = Elements(page).found
    ids = [attributes["id"] for _, attributes in found if "id" in attributes]
    assert len(ids) == len(set(ids))
    charts = [attributes for name, attributes in found if name == "svg" and attributes.get("class") == "chart"]
    assert len(charts) == 14
    assert all(set((one["aria-labelledby"] or "").split()) <= set(ids) for one in charts)
    assert page.count("<details>") == 14
    assert sum(name == "desc" for name, _ in found) == 14


@pytest.mark.parametrize("drawing", ["line", "bar", "scatter", "histogram", "heatmap", "table"])
def test_degenerate_evidence(drawing: str) -> None:
    """No rows, one row, equal values, missing values, NaN and infinities draw something or nothing, never an error."""
    columns = ("a", "b", "c")
    for rows in (
        (),
        ((0.0, 1.0, 2.0),),
        ((1, 1, 1), (1, 1, 1)),
        ((None, None, None), (1, None, 2)),
        ((float("nan"), float("inf"), 1.0), (2.0, 3.0, float("-inf"))),
        (("2024-01-01", 1e300, -1e300), ("2024-01-02", 1e-300, 0)),
        ((0, 0, 0), (0, 0, 0)),
        ((True, False, True),),
    ):
        evidence = Evidence(title="t", columns=columns, rows=rows, drawing=drawing)
        drawn = draw(evidence, "k")
        if drawn is not None:
            ElementTree.fromstring(str(drawn))
            assert "nan" not in str(drawn).lower().replace("nan:", "")
        report = Report(check="c", subject="s", verdict="info", findings=(Finding(what="w", evidence=(evidence,)),))
        assert "<figure" in html.render(report)


@given(st.floats(-1e12, 1e12), st.floats(1e-9, 1e12))
@example(68719476737.0, 0.00006)  # a width of a few units in the last place
@settings(max_examples=150, deadline=None)
def test_ticks_are_round_ordered_and_told_apart(low: float, reach: float) -> None:
    """Ticks rise, lie within the widened range, and where the range is not tiny beside its place, differ in words."""
    high = low + reach
    start, end = rounded(low, high)
    places = ticks(start, end)
    assert start <= low + 1e-6 * reach
    assert end >= high - 1e-6 * reach
    assert places == sorted(places)
    if reach > 1e-9 * abs(low):
        assert 2 <= len(places) <= 12
        assert len(set(labels(places))) == len(places)


def test_tick_labels_say_the_number() -> None:
    """The letter stands for its power of ten."""
    assert labels([0.0, 5000.0, 10000.0, 15000.0]) == ["0", "5k", "10k", "15k"]
    assert labels([0.0, 500000.0, 1000000.0]) == ["0", "0.5M", "1.0M"]
    assert labels([-0.2, 0.0, 0.2]) == ["−0.2", "0", "0.2"]


def test_values_as_text() -> None:
    """Four significant digits, thousands apart, a dash for what is missing."""
    assert [shown(one) for one in (None, True, 1234567, 0.123456, 1234.5678, float("nan"), 0.0, 2.5e-7, -3.0)] == [
        "–", "yes", "1,234,567", "0.1235", "1,235", "–", "0", "2.50e−07", "−3",
    ]  # fmt: skip
    assert clean("a\x00b\nc\u202e") == "ab c"
    assert width("中文") == 2.0
    assert fitted("abcdefghij", 3).endswith("…")
    assert fitted("中文中文中文", 4) == "中文中…"


# --- in a browser -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def chromium() -> str:
    """The command of an installed Chromium."""
    for name in ("chromium", "chromium-browser", "google-chrome", "chrome"):
        found = shutil.which(name)
        if found:
            return found
    pytest.skip("no Chromium is installed; pages are checked without a browser only")


def browse(chromium: str, folder: Path, page: Path, *options: str) -> str:
    """Open a page without a window and return what Chromium prints."""
    profile = folder / "profile"
    command = [
        chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync",
        f"--user-data-dir={profile}", *options, page.as_uri(),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_hostile_names_in_a_browser(chromium: str, tmp_path: Path) -> None:
    """A browser builds the page with every name as text: nothing ran, all charts stand, and a picture comes out."""
    page = tmp_path / "report.html"
    page.write_text(html.render(report_of(HOSTILE)), encoding="utf-8")
    built = browse(chromium, tmp_path, page, "--dump-dom")
    assert "owned</title>" not in built
    assert "<script" not in built.lower()
    assert built.count('class="chart"') == 7
    picture = tmp_path / "report.png"
    browse(chromium, tmp_path, page, "--window-size=1100,1600", f"--screenshot={picture}")
    assert picture.stat().st_size > 20_000


def test_the_browser_makes_no_request(chromium: str, tmp_path: Path) -> None:
    """With all traffic sent to a listening proxy, opening the page connects to it for nothing of ours.

    A page that does ask, opened the same way, is seen: the test can fail.
    """
    with listening() as (port, asked):
        through = f"--proxy-server=http://127.0.0.1:{port}"
        page = tmp_path / "report.html"
        page.write_text(html.render(report_of(HOSTILE)), encoding="utf-8")
        browse(chromium, tmp_path, page, through, "--dump-dom")
        assert not [one for one in asked() if b"probe.invalid" in one or b"luban" in one.lower()]
        asking = tmp_path / "asking.html"
        asking.write_text('<img src="http://probe.invalid/x.png">', encoding="utf-8")
        browse(chromium, tmp_path, asking, through, "--dump-dom")
        assert any(b"probe.invalid" in one for one in asked())


@contextmanager
def listening() -> Iterator[tuple[int, Callable[[], list[bytes]]]]:
    """Listen on a port; gives it, and a function that returns what has been sent there since it was asked last."""
    heard: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    hearing: list[threading.Thread] = []

    def hear(connection: socket.socket) -> None:
        with connection, suppress(OSError):  # who connects and sends nothing
            connection.settimeout(60)
            heard.put(connection.recv(2000))

    def listen() -> None:
        with suppress(OSError):  # it was closed
            while True:
                hearing.append(threading.Thread(target=hear, args=server.accept()[:1], daemon=True))
                hearing[-1].start()

    def asked() -> list[bytes]:
        with socket.create_connection(server.getsockname()) as last:
            last.sendall(b"that was all")  # whoever came before has been accepted then
            found = [heard.get(timeout=180)]
            while found[-1] != b"that was all":
                found.append(heard.get(timeout=180))
        for one in [*hearing]:
            one.join()
        while not heard.empty():
            found.append(heard.get())
        return found

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=listen, daemon=True).start()
        yield server.getsockname()[1], asked


def test_distributions_stand_side_by_side_and_counts_upon_each_other() -> None:
    """Shares of two wholes, before and now, are compared bin by bin: none begins where the other ends."""

    def bars(rows: tuple[tuple[float, ...], ...]) -> list[tuple[float, float]]:
        drawn = Evidence(title="age", columns=("from", "to", "before", "now"), rows=rows, drawing="histogram")
        report = Report(
            check="drift", subject="d", verdict="info", findings=(Finding(what="age has moved", evidence=(drawn,)),)
        )
        found = re.findall(r'<rect[^>]*class="bar[^>]*>', html.render(report))
        return [
            (float(_attribute(one, "x")), float(_attribute(one, "y")) + float(_attribute(one, "height")))
            for one in found
        ]

    shares = bars(((0, 1, 0.4, 0.7), (1, 2, 0.6, 0.3)))
    assert len({x for x, _ in shares}) == 4
    assert len({round(foot, 2) for _, foot in shares}) == 1
    counts = bars(((0, 1, 4, 7), (1, 2, 6, 3)))
    assert len({x for x, _ in counts}) == 2
    assert len({round(foot, 2) for _, foot in counts}) > 1


def _attribute(tag: str, name: str) -> str:
    found = re.search(rf'\b{name}="([^"]+)"', tag)
    assert found is not None, tag
    return found[1]
