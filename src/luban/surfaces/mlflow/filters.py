"""MLflow's filters and orders: ``metrics.rmse < 1 AND tags.`team` LIKE 'a%'``, ``params.depth DESC``."""

from __future__ import annotations

import operator
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from luban.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

LONGEST = 20_000
_TOKEN = re.compile(
    r"""\s*(?:
      (?P<text>'[^']*'|"[^"]*")
    | (?P<number>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)(?![\w.])
    | (?P<sign><=|>=|!=|<>|=|<|>)
    | (?P<mark>[(),])
    | (?P<word>(?:`[^`]+`|[A-Za-z_]\w*)(?:\.(?:`[^`]*`|"[^"]*"|[\w./:\-]+))?)
    )""",
    re.VERBOSE,
)
_ENTITIES = {
    "metric": "metric",
    "metrics": "metric",
    "param": "param",
    "params": "param",
    "parameter": "param",
    "parameters": "param",
    "tag": "tag",
    "tags": "tag",
    "attribute": "attribute",
    "attributes": "attribute",
    "attr": "attribute",
    "run": "attribute",
    "dataset": "dataset",
    "datasets": "dataset",
}
_ORDERS = {"=", "!=", "<", "<=", ">", ">="}
_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "IN": lambda value, those: value in those,
    "NOT IN": lambda value, those: value not in those,
}


@dataclass(frozen=True, kw_only=True)
class Term:
    """One condition: ``entity.key sign value``."""

    entity: str
    key: str
    sign: str
    value: Any = None


@dataclass(frozen=True, kw_only=True)
class Sorting:
    """One key of an order."""

    entity: str
    key: str
    descending: bool


def parse(given: str | None) -> list[Term]:
    """Return the conditions of a filter, all of which must hold.

    Raises
    ------
    InputError
        If it cannot be read.
    """
    words = _tokens(given or "")
    terms: list[Term] = []
    while words:
        terms.append(_term(words))
        if words:
            kind, word = words.pop(0)
            if kind != "word" or word.upper() != "AND" or not words:
                raise _unread("conditions are joined by AND", word)
    return terms


def parse_order(given: Iterable[str]) -> list[Sorting]:
    """Return the keys of an order, each ``entity.key [ASC|DESC]``."""
    keys = []
    for one in given:
        words = _tokens(one)
        if not words or words[0][0] != "word" or len(words) > 2:
            raise _unread("an order is a key, and ASC or DESC", one)
        direction = words[1][1].upper() if len(words) == 2 else "ASC"
        if direction not in ("ASC", "DESC"):
            raise _unread("an order is a key, and ASC or DESC", one)
        entity, key = _named(words[0][1])
        keys.append(Sorting(entity=entity, key=key, descending=direction == "DESC"))
    return keys


def holds(term: Term, value: Any) -> bool:
    """Return whether a condition holds for a value; what is not there fits no condition but IS NULL."""
    if term.sign in ("IS NULL", "IS NOT NULL"):
        return (value is None) == (term.sign == "IS NULL")
    if value is None:
        return False
    if term.sign in ("LIKE", "ILIKE"):
        return _like(str(value), str(term.value), ignore=term.sign == "ILIKE")
    try:
        return _COMPARE[term.sign](value, term.value)
    except TypeError:
        raise InputError(f"{term.key} is not compared with that", seen=repr(term.value)[:100]) from None


def arranged(rows: Sequence[Any], order: Iterable[Sorting], value: Callable[[Any, Sorting], Any]) -> list[Any]:
    """Return rows in order, those without a value last."""
    found = list(rows)
    for one in reversed(list(order)):
        there = [row for row in found if value(row, one) is not None]
        there.sort(key=lambda row: value(row, one), reverse=one.descending)
        found = there + [row for row in found if value(row, one) is None]
    return found


def _tokens(given: str) -> list[tuple[str, str]]:
    if len(given) > LONGEST:
        raise InputError(f"a filter has at most {LONGEST:,} characters", seen=f"{len(given):,}")
    found, place = [], 0
    end = len(given.rstrip())
    while place < end:
        match = _TOKEN.match(given, place)
        if match is None:
            raise _unread("the filter cannot be read", given[place : place + 40])
        kind = str(match.lastgroup)
        found.append((kind, match[kind]))
        place = match.end()
    return found


def _term(words: list[tuple[str, str]]) -> Term:
    kind, word = words.pop(0)
    if kind != "word":
        raise _unread("a condition begins with what it is about", word)
    entity, key = _named(word)
    sign = _sign(words)
    if sign in ("IS NULL", "IS NOT NULL"):
        return Term(entity=entity, key=key, sign=sign)
    if sign in ("IN", "NOT IN"):
        return Term(entity=entity, key=key, sign=sign, value=_list(words))
    kind, word = words.pop(0) if words else ("", "")
    if kind == "text":
        return Term(entity=entity, key=key, sign=sign, value=word[1:-1])
    if kind == "number" and sign in _ORDERS:
        return Term(entity=entity, key=key, sign=sign, value=_number(word))
    raise _unread("a condition ends with a quoted text or a number", word)


def _sign(words: list[tuple[str, str]]) -> str:
    kind, word = words.pop(0) if words else ("", "")
    if kind == "sign":
        return "!=" if word == "<>" else word
    sign = word.upper()
    if sign == "NOT" and words and words[0][1].upper() == "IN":
        words.pop(0)
        return "NOT IN"
    if sign == "IS" and words:
        if words[0][1].upper() == "NULL":
            words.pop(0)
            return "IS NULL"
        if [one[1].upper() for one in words[:2]] == ["NOT", "NULL"]:
            del words[:2]
            return "IS NOT NULL"
    if kind == "word" and sign in ("LIKE", "ILIKE", "IN"):
        return sign
    raise _unread("a condition needs =, !=, <, <=, >, >=, LIKE, ILIKE, IN, NOT IN, IS NULL or IS NOT NULL", word)


def _list(words: list[tuple[str, str]]) -> list[str]:
    values = []
    wanted = "("
    while words:
        kind, word = words.pop(0)
        if wanted == "text":
            if kind != "text":
                break
            values.append(word[1:-1])
            wanted = ",)"
        elif kind == "mark" and word in wanted:
            if word == ")":
                return values
            wanted = "text"
        else:
            break
    raise _unread("a list is quoted texts in brackets: ('a', 'b')", "")


def _named(word: str) -> tuple[str, str]:
    entity, dot, key = word.partition(".")
    if not dot or entity.startswith("`"):
        return "attribute", word.strip("`")
    if entity.lower() not in _ENTITIES:
        raise _unread(f"there is no {entity!r}; there are metrics, params, tags and attributes", word)
    return _ENTITIES[entity.lower()], key.strip('`"')


def _number(word: str) -> float | int:
    return int(word) if re.fullmatch(r"[-+]?\d+", word) else float(word)


def _like(value: str, pattern: str, *, ignore: bool) -> bool:
    parts = ("".join({"%": ".*", "_": "."}.get(mark) or re.escape(mark) for mark in pattern),)
    return re.fullmatch(parts[0], value, re.DOTALL | (re.IGNORECASE if ignore else 0)) is not None


def _unread(happened: str, seen: str) -> InputError:
    return InputError(f"Invalid filter or order: {happened}", seen=repr(seen)[:100])
