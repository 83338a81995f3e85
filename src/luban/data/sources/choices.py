"""What may be said about how a text table is written: each choice is checked before the file is opened."""

from __future__ import annotations

import codecs

from luban.core.errors import InputError

# How people write a tab where a shell, a form or JSON makes it hard to give one.
_TABS = frozenset({"\\t", "tab", "TAB"})
# Encodings of names and of source code, not of files.
_NO_FILES = frozenset({"idna", "punycode", "undefined", "unicode_escape", "raw_unicode_escape"})


def check_delimiter(delimiter: str | None) -> str | None:
    """Return the delimiter, a tab where it is spelt out.

    Raises
    ------
    InputError
        If it is not one character, or one that cells and lines need for themselves.
    """
    if delimiter is None:
        return None
    plain = "\t" if delimiter in _TABS else delimiter
    if len(plain) != 1 or not plain.isascii() or plain in "\r\n\"'":
        raise InputError(
            "a delimiter is one ASCII character, and neither a quote nor the end of a line",
            seen=repr(delimiter),
            remedy="Give ',', ';', '|' or tab, or leave it out: it is found from the text.",
        )
    return plain


def check_quote(quote: str | None, delimiter: str | None) -> None:
    """Raise `InputError` if the quote is not one ASCII character, or is the delimiter."""
    if quote is None:
        return
    if len(quote) != 1 or not quote.isascii() or quote in "\r\n" or quote == delimiter:
        raise InputError(
            "a quote is one ASCII character, other than the delimiter",
            seen=repr(quote),
            remedy="Leave it out: it is found from the text.",
        )


def check_decimal(decimal: str | None) -> None:
    """Raise `InputError` if the decimal mark is neither a point nor a comma."""
    if decimal not in (None, ".", ","):
        raise InputError(
            "a decimal mark is '.' or ','", seen=repr(decimal), remedy="Leave it out: it is found from the numbers."
        )


def check_bad_rows(choice: str) -> None:
    """Raise `InputError` if what to do with bad rows is neither ``error`` nor ``skip``."""
    if choice not in ("error", "skip"):
        raise InputError("bad_rows is 'error' or 'skip'", seen=repr(choice))


def check_count(name: str, value: int | None, least: int) -> None:
    """Raise `InputError` if a count is no whole number from `least` on."""
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < least):
        raise InputError(f"{name} is a whole number from {least}", seen=repr(value))


def check_codec(encoding: str | None) -> None:
    """Raise `InputError` if there is no such encoding of text: Python also names codecs that are none (base64)."""
    if encoding is None:
        return
    try:
        known = codecs.lookup(encoding)._is_text_encoding  # type: ignore[attr-defined]  # as open() itself asks
    except (LookupError, ValueError):
        known = False
    if not known or encoding.lower() in _NO_FILES:
        raise InputError(
            f"there is no encoding {encoding!r}",
            remedy="Known: utf-8, utf-16, gb18030, gbk, latin-1, cp1252; left out, it is found from the text.",
        )
