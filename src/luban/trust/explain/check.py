"""The explanation as a check."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from luban.trust.explain.explain import explain

if TYPE_CHECKING:
    from luban.core.protocols import Examples
    from luban.core.report import Report


class ExplanationCheck:
    """What matters to a model, in which direction, and why for single rows (see `explain`)."""

    name = "explanation"

    def run(self, model: Any, examples: Examples, **options: Any) -> Report:
        """Explain a loaded model on examples; options are those of `explain`."""
        return explain(model, examples.table, examples.target, **options)
