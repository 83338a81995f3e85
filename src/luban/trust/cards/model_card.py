"""The card of one model version, in the format of the Hugging Face Hub."""

from __future__ import annotations

from typing import TYPE_CHECKING

from luban.trust.cards import sections
from luban.trust.cards.head import head
from luban.trust.cards.markdown import text

if TYPE_CHECKING:
    from luban.trust.cards.record import Record

_SECTIONS = (
    ("What it is", sections.what_it_is),
    ("Intended use", sections.intended_use),
    ("Data", sections.data),
    ("Metrics", sections.metrics),
    ("Slices", sections.slices),
    ("Explanation", sections.explanation),
    ("Limits", sections.limits),
    ("How to use", sections.how_to_use),
    ("Lineage", sections.lineage),
    ("Environment", sections.environment),
)


def model_card(record: Record) -> str:
    """Return the card: a head in YAML between lines of dashes, then Markdown.

    Each sentence states what is on record, or that nothing is.
    """
    body = "\n\n".join(f"## {title}\n\n{write(record)}" for title, write in _SECTIONS)
    return f"---\n{head(record)}---\n\n# {text(record.version.reference)}\n\n{body}\n"
