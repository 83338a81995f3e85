"""The two spellings of a request's id: as it is meant, and as a header can hold it.

A header of HTTP holds visible ASCII (RFC 9110, section 5.5). An id that is more goes there percent-encoded, as UTF-8
(RFC 3986, section 2.5), and means the same wherever it comes in: in a request, in labels, in the log.
"""

from __future__ import annotations

from urllib.parse import quote, unquote

LONGEST = 200
"""Characters of an id."""


def meant(given: str) -> str:
    """Return the id that a text means: of one that is percent-encoded because no header can hold it, that one.

    All other text means itself, percent signs too.
    """
    if "%" not in given or _encoded(given):
        return given
    try:
        found = unquote(given, errors="strict")
    except UnicodeDecodeError:
        return given
    return found if _encoded(found) and found.isprintable() and len(found) <= LONGEST else given


def as_header(request_id: str) -> str:
    """Return how a header spells an id, of which `meant` makes the id again."""
    return quote(request_id, safe="") if _encoded(request_id) else request_id


def _encoded(request_id: str) -> bool:
    """Return whether no header can hold an id as it is: at its ends a header has no spaces."""
    return not request_id.isascii() or request_id[:1] == " " or request_id[-1:] == " "
