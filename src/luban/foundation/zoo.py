"""Where backbones are found: those of the zoo by name, folders, the Hugging Face hub, packages that carry weights."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from luban.core import plugins
from luban.core.errors import InputError, NotFound, Refused

if TYPE_CHECKING:
    from collections.abc import Iterable

    from luban.foundation.backbone import Card, Zoo

_HUB = re.compile(r"[A-Za-z0-9][\w.\-]*/[\w.\-]+(@[\w.\-/]+)?")
_ENOUGH = 2_000


def names() -> tuple[str, ...]:
    """Return the names of all backbones that installed packages provide, sorted."""
    return plugins.names("backbones")


def cards() -> tuple[Card, ...]:
    """Return what is known of each of them, by kind and then from the smallest to the largest."""
    found = [find(name).card() for name in names()]
    return tuple(sorted(found, key=lambda card: (card.kind, card.bytes, card.name)))


def find(name: str) -> Zoo:
    """Return a backbone without loading it.

    Parameters
    ----------
    name : str
        A name of the zoo, the path of a folder, an identifier of the Hugging Face hub (``owner/name``), or the name of
        an installed package that carries weights.

    Raises
    ------
    InputError
        If the name is empty, which as a path would be the current folder.
    NotFound
        If it is none of them.
    Refused
        If a client over the network names a folder of this machine or something to download.
    """
    from luban.core.paths import paths_allowed

    if not name.strip():
        raise InputError(
            "a backbone is asked for by an empty name",
            seen=repr(name),
            remedy="Name one (luban zoo list; for the current folder write ./), or leave --backbone out.",
        )
    if name in names():
        zoo: Zoo = plugins.create("backbones", name)
        return zoo
    if not paths_allowed():
        raise Refused(
            "over the network only backbones of the zoo can be named", remedy=f"Name one of {', '.join(names())}."
        )
    if Path(name).is_dir():
        from luban.foundation.backbones.folder import Folder

        return Folder(name)
    if _HUB.fullmatch(name) and not name.startswith("."):
        from luban.foundation.backbones.hub import Hub

        return Hub(name)
    packaged = _packaged(name)
    if packaged is not None:
        return packaged
    raise NotFound.named(
        "backbone",
        name,
        names(),
        remedy=f"Name one of {', '.join(names())}; a folder; an installed package that carries weights; or an "
        "identifier of the hub, such as owner/name.",
    )


def _packaged(name: str) -> Zoo | None:
    """Return the backbone whose weights a package of this name carries: one of the zoo, or a network in its folder."""
    from luban.foundation.backbones import package
    from luban.foundation.backbones.folder import Folder

    source = package.source(re.sub(r"[-_.]+", "-", name).lower())
    for one in names():
        found = find(one)
        if found.card().source == source:
            return found
    place = package.model(name)
    return None if place is None else Folder(place, name=name, source=source)


def default(kind: str, sample: Iterable[str | None] = ()) -> Zoo:
    """Return the backbone to take for a kind of column where none is named.

    Of those that are installed: for texts the one for English where most letters of the sample are Latin, else the
    one for most languages; of several the largest.

    Parameters
    ----------
    kind : str
        ``text``, ``image`` or ``audio``.
    sample : iterable of str
        Some values of the column.

    Raises
    ------
    InputError
        If no backbone of that kind is known or installed.
    """
    known = [card for card in cards() if card.kind == kind]
    ready = [card for card in known if not card.needs]
    if not ready:
        raise InputError(
            f"no backbone for {kind} is installed",
            seen=", ".join(card.name for card in known) or "none known",
            remedy=f"Run: {known[0].needs}" if known else "luban zoo list shows what there is.",
        )
    if kind == "text" and len(ready) > 1:
        many = not mostly_latin(sample)
        ready.sort(key=lambda card: (len(card.languages) > 1) == many)
    return find(ready[-1].name)


def mostly_latin(texts: Iterable[str | None]) -> bool:
    """Return whether at least half of the letters of some texts are of Latin script (true where there is no letter).

    Examples
    --------
    >>> mostly_latin(["Das Zimmer war schön"]), mostly_latin(["房间很大, very good"])
    (True, True)
    >>> mostly_latin(["房间很大"])
    False
    """
    from luban.modalities.text.scripts import scripts

    sample = [one for one, _ in zip((text for text in texts if text), range(_ENOUGH), strict=False)]
    shares = scripts(sample)
    return not shares or shares.get("Latin", 0.0) >= 0.5
