"""Pieces of a text, highlighted by their weights."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from markupsafe import Markup, escape

from luban.surfaces.render.text import clean, is_number

if TYPE_CHECKING:
    from luban.core.report import Evidence

_LEAST = 0.08  # weights that are not worth a colour
_STRONG = 0.5
_MOST = 1500  # pieces
_MARKS = re.compile(r"[\W_]+$")


def draw_spans(evidence: Evidence, key: str) -> Markup | None:
    """Return the text, what speaks for the answer underlined and coloured, what speaks against it by dots.

    The strength of the colour is that of the weight; in black and white strong pieces are underlined twice.
    """
    del key
    pieces = evidence.rows[:_MOST]
    if not any(clean(str(row[0])).strip() for row in pieces):
        return None
    parts = [_piece(str(row[0]), row[1]) for row in pieces]
    if len(evidence.rows) > len(pieces):
        parts.append(Markup('<span class="unread">…</span>'))
    return Markup('<p class="spans" dir="auto">{}</p>{}').format(Markup("").join(parts), _legend(evidence))


def _piece(text: str, weight: object) -> Markup:
    shown = clean(text)
    if weight is None:
        return Markup('<span class="unread" title="not read by the model">{}</span>').format(shown)
    if not is_number(weight) or abs(float(weight)) < _LEAST or not shown.strip():  # type: ignore[arg-type]
        return escape(shown)
    value = max(-1.0, min(1.0, float(weight)))  # type: ignore[arg-type]
    word = _MARKS.sub("", shown) or shown.rstrip()  # what stands behind a word is not coloured
    kind = "for" if value > 0 else "against"
    strong = " strong" if abs(value) >= _STRONG else ""
    mark = Markup('<mark class="{}{}" style="--w:{:.2f}" title="{:+.2f}">{}</mark>')
    return mark.format(kind, strong, abs(value), value, word) + shown[len(word) :]


def _legend(evidence: Evidence) -> Markup:
    kinds = {float(row[1]) > 0 for row in evidence.rows if is_number(row[1]) and abs(float(row[1])) >= _LEAST}
    words = []
    if True in kinds:
        words.append(Markup('<mark class="for strong" style="--w:.7">speaks for it</mark>'))
    if False in kinds:
        words.append(Markup('<mark class="against strong" style="--w:.7">speaks against it</mark>'))
    if any(row[1] is None for row in evidence.rows):
        words.append(Markup('<span class="unread">not read</span>'))
    more = escape(clean(evidence.y))
    return Markup('<p class="legend">{} {}</p>').format(Markup(" ").join(words), more)
