"""Names that may stand in files of other tools as they are, whatever the model is called."""

from __future__ import annotations

import re
import unicodedata

_SEPARATORS = re.compile(r"[^a-z0-9]+")
_FOLDER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")


def plain_name(name: str) -> str:
    r"""Return a name that may stand in an image's, in a Dockerfile and in YAML as it is: letters, digits and ``-``.

    Examples
    --------
    >>> plain_name('Adult.v2"]\nRUN evil')
    'adult-v2-run-evil'
    >>> plain_name("客户")
    'model'
    """
    ascii_ = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return _SEPARATORS.sub("-", ascii_.lower()).strip("-")[:60].strip("-") or "model"


def folder_name(name: str) -> str:
    """Return a name that may be a folder's and stand in a URL: the model's own where it is plain, else `plain_name`.

    Examples
    --------
    >>> folder_name("Adult_2"), folder_name("../etc"), folder_name("客户")
    ('Adult_2', 'etc', 'model')
    """
    return name if _FOLDER.fullmatch(name) else plain_name(name)
