"""Highlighted texts and pictures: on the page, in the terminal, and safe whatever they hold."""

from __future__ import annotations

import base64
import io
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from luban.core.report import Evidence, Finding, Report
from luban.surfaces.render import html, result, terminal
from luban.surfaces.render.charts.pictures import is_picture
from luban.testing.check import check_report

if TYPE_CHECKING:
    from collections.abc import Mapping

PICTURE = "data:image/png;base64," + base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"0" * 40).decode()
PIECES = (("位置", 1.0), ("不错，", 0.3), ("<b>bold</b> ", -0.7), ("plain ", 0.01), ("the rest", None))


def report(*evidence: Evidence) -> Report:
    """Return a report with this evidence."""
    return Report(
        check="explanation", subject="m/1", verdict="info", findings=(Finding(what="Row 1", evidence=evidence),)
    )


SPANS = Evidence(title="Words", columns=("piece", "weight"), rows=PIECES, drawing="spans", y="1 is 2.5 of log-odds")
SHOTS = Evidence(
    title="Places",
    columns=("caption", "picture"),
    rows=(("<i>it</i>", PICTURE), ("a script", 'data:image/svg+xml;base64,PHN2Zz4="><script>'), ("a file", "file:///etc/passwd")),
    drawing="picture",
    x="0 to 1 s",
    y="0 to 4,000 Hz",
)  # fmt: skip


def test_the_text_is_whole_and_marked_by_sign_and_strength() -> None:
    """Every piece is there in order; what speaks for and against differ in more than colour; markup stays text."""
    check_report(report(SPANS))
    page = html.render(report(SPANS))
    shown = re.search(r'<p class="spans".*?</p>', page, re.DOTALL)
    assert shown is not None
    text = re.sub(r"<[^>]+>", "", shown[0]).replace("&lt;", "<").replace("&gt;", ">")
    assert text == "".join(piece for piece, _ in PIECES)
    assert re.search(r'<mark class="for strong"[^>]*>位置</mark>', page)
    assert re.search(r'<mark class="for"[^>]*>不错</mark>，', page)
    assert '<mark class="against strong"' in page
    assert "<b>" not in page
    assert '<span class="unread"' in page
    assert "1 is 2.5 of log-odds" in page


def test_only_pictures_become_pictures() -> None:
    """A PNG is shown with caption and axes; another address or another format never reaches the page."""
    page = html.render(report(SHOTS))
    assert page.count("<img") == 1
    assert f'src="{PICTURE}"' in page
    assert "&lt;i&gt;it" in page
    assert "0 to 4,000 Hz" in page
    assert "0 to 1 s" in page
    assert "svg+xml" not in page
    assert "passwd" not in page
    assert "img-src data:" in page
    assert not is_picture("data:image/png;base64," + base64.b64encode(b"GIF89a").decode())
    assert not is_picture("data:image/png;base64,AAA")


def test_the_terminal_shows_the_words_and_says_where_the_pictures_are() -> None:
    """Without colours strong pieces stand in brackets with their sign; pictures are in the page, said once."""
    buffer = io.StringIO()
    terminal.render(report(SPANS, SHOTS, SHOTS), Console(file=buffer, width=100))
    told = buffer.getvalue()
    assert "<b>bold</b>" in told
    assert "位置" in told
    assert told.count("--html") == 1
    assert "2 pictures" in told
    with terminal.beside(Path("a folder/page.html")):
        other = io.StringIO()
        terminal.render(report(SPANS, SHOTS, SHOTS), Console(file=other, width=100))
    assert "2 pictures are in a folder/page.html" in other.getvalue()
    assert "--html" not in other.getvalue(), "who has a page is not told to make one"
    assert "base64" not in told
    plain = io.TextIOWrapper(io.BytesIO(), encoding="ascii", errors="replace")
    console = Console(file=plain, width=100)
    short = Evidence(title="W", columns=("p", "w"), rows=(("good ", 0.9), ("bad", -0.8)), drawing="spans")
    terminal.render(report(short), console)
    plain.seek(0)
    assert "[+good] [-bad]" in plain.read()


@dataclass(frozen=True, kw_only=True)
class Found:
    """A result of a verb."""

    environment: Mapping[str, Any]


def test_a_long_mapping_inside_another_is_counted_and_nothing_is_said_to_be_none() -> None:
    """The packages of a run fill no page; a verb that found nothing does not end without a word."""
    packages = {f"package{n}": "1.0" for n in range(200)}
    stream = io.StringIO()
    result.render(Found(environment={"python": "3.11", "packages": packages}), Console(file=stream, width=80))
    assert "200; --json has all" in stream.getvalue()
    assert "package7" not in stream.getvalue()
    stream = io.StringIO()
    result.render(Found(environment={}), Console(file=stream, width=80))
    assert stream.getvalue().strip() == "none"
