"""Luban: one workshop for AI models, from a file to a model that is kept up to date.

Every verb of the command line is a function here: ``luban.fit("adult.csv", target="class")``.
``luban.load("adult@champion")`` returns a model that predicts.
"""

from __future__ import annotations

from typing import Any

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    # The verbs are found when they are asked for, so that `import luban` stays quick.
    if name.startswith("__"):
        raise AttributeError(name)
    from luban.surfaces import python

    return python.attribute(name)


def __dir__() -> list[str]:
    from luban.surfaces import python

    return sorted({*globals(), *python.attributes()})
