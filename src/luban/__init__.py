"""Luban: one workshop for AI models, from a file to a model that is kept up to date.

Every verb of the command line is a function here: ``luban.fit("adult.csv", target="class")``.
``luban.load("adult@champion")`` returns a model that predicts.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

from luban.version import __version__ as __version__


class _Package(ModuleType):
    """The package, in which a verb goes before a room of the same name (``luban.export``, ``luban.data``).

    Python binds every imported submodule as an attribute of its package; here that must not hide a verb.
    Import statements find the rooms as ever.
    """

    def __setattr__(self, name: str, value: Any) -> None:
        if not isinstance(value, ModuleType):
            super().__setattr__(name, value)

    def __getattr__(self, name: str) -> Any:
        # The verbs are found when they are asked for, so that `import luban` stays quick.
        if name.startswith("__"):
            raise AttributeError(name)
        from luban.surfaces.python import attribute

        return attribute(name)

    def __dir__(self) -> list[str]:
        from luban.surfaces.python import attributes

        return sorted({*super().__dir__(), *attributes()})


sys.modules[__name__].__class__ = _Package
