"""Pictures with their captions, side by side."""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING

from markupsafe import Markup

from luban.surfaces.render.text import clean

if TYPE_CHECKING:
    from luban.core.report import Evidence

_PICTURE = re.compile(r"data:image/(?:png|jpeg);base64,([A-Za-z0-9+/]+={0,2})")
_SIGNS = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")
_MOST = 24


def draw_pictures(evidence: Evidence, key: str) -> Markup | None:
    """Return the pictures, None where there is none; what is no picture of its own bytes is left out."""
    del key
    shown = [(clean(str(row[0])), str(row[1])) for row in evidence.rows[:_MOST] if is_picture(row[1])]
    if not shown:
        return None
    across, upwards = clean(evidence.x), clean(evidence.y)
    one = Markup(
        '<div class="shot"><div class="frame">{up}<img src="{uri}" alt="{caption}"></div>{across}'
        '<p class="caption">{caption}</p></div>'
    )
    up = Markup('<span class="up">{}</span>').format(upwards) if upwards else ""
    below = Markup('<p class="across">{}</p>').format(across) if across else ""
    return Markup('<div class="shots">{}</div>').format(
        Markup("").join(one.format(up=up, uri=uri, caption=caption, across=below) for caption, uri in shown)
    )


def is_picture(value: object) -> bool:
    """Return whether a value is a PNG or JPEG picture written as a data URI."""
    found = _PICTURE.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        return False
    try:
        return base64.b64decode(found[1], validate=True).startswith(_SIGNS)
    except binascii.Error:
        return False
