"""Which character encoding a text file is in."""

from __future__ import annotations

import codecs
from typing import Any

from luban.core.errors import InputError
from luban.data.sources.location import empty, no_table, open_binary, what_is_it

_BLOCK = 1 << 20


def detect_encoding(location: Any) -> str:
    """Return the encoding of a text file: utf-8, utf-8-sig, utf-16, utf-16-le, utf-16-be, gb18030 or cp1252.

    The whole file is checked, in blocks, so that a stray byte in the last row is found before work begins.

    Raises
    ------
    InputError
        If the file is empty or is no text.
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    with open_binary(location) as stream:
        head = stream.read(_BLOCK)
        what = what_is_it(head)
        if what:
            raise no_table(location, what)
        if not head.strip(b" \t\r\n\0\xef\xbb\xbf"):
            raise empty(location)
        mark = _by_mark(head)
        if mark:
            return mark
        if b"\0" in head:
            raise no_table(location, "binary content")
        block = head
        while block:
            try:
                decoder.decode(block)
            except UnicodeDecodeError as error:
                # Judge by the neighbourhood of the offending byte as well as by the start.
                return _national(head + block[max(0, error.start - 4096) : error.start + 65_536])
            block = stream.read(_BLOCK)
    return "utf-8"


def _by_mark(head: bytes) -> str | None:
    if head.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    sample = head[: 4096 - len(head[:4096]) % 2]
    even, odd = sample[::2].count(0), sample[1::2].count(0)
    if even + odd > len(sample) // 8:
        if odd > 4 * even:
            return "utf-16-le"
        if even > 4 * odd:
            return "utf-16-be"
    return None


def _national(sample: bytes) -> str:
    """Tell Chinese from Western text: Chinese characters come as pairs of high bytes in the range of GB 2312."""
    pairs = lonely = 0
    place = 0
    while place < len(sample):
        first = sample[place]
        second = sample[place + 1] if place + 1 < len(sample) else 0
        if first < 0x80:
            place += 1
        elif (0xB0 <= first <= 0xF7 or 0xA1 <= first <= 0xA9) and second >= 0xA1:
            pairs += 1
            place += 2
        else:
            lonely += 1
            place += 1
    return "gb18030" if pairs > 2 * lonely else "cp1252"


def check_encoding(location: Any, encoding: str) -> None:
    """Raise `InputError` if the file is not in `encoding`, naming the line and an encoding that fits."""
    decoder = codecs.getincrementaldecoder(encoding)()
    lines = 1
    with open_binary(location) as stream:
        while block := stream.read(_BLOCK):
            try:
                decoder.decode(block)
            except UnicodeError as error:
                place = getattr(error, "start", 0)
                line = lines + block.count(b"\n", 0, place)
                raise InputError(
                    f"{str(location)!r} is not in the encoding {encoding}",
                    seen=f"line {line}: {block[place : place + 4]!r}",
                    remedy=f"It looks like {detect_encoding(location)}: leave the encoding out, or give that one.",
                ) from error
            lines += block.count(b"\n")
