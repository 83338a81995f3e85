"""Single rows of a model that can show which parts of a value its predictions rest on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from luban.core.progress import Progress, tell
from luban.core.report import Finding, Report, worst
from luban.trust.explain.parts import Parts, explained_entries, figures_of, shown_parts
from luban.trust.explain.reasons import plain, prediction_said, truth_said, with_parts
from luban.trust.explain.subject import decided

if TYPE_CHECKING:
    import numpy as np

    from luban.trust.explain.subject import Clock, Fitted

# Of the time, for the parts of values: where there are shares of several columns to find too, and where there are not.
_SHOWING, _ALONE = 0.4, 0.6


@dataclass(frozen=True, kw_only=True)
class Looked:
    """Rows that were looked at closely: what is said of each, and what the model shows of its parts."""

    rows: np.ndarray
    said: tuple[str, ...]
    truth: tuple[str, ...]
    predictions: np.ndarray
    parts: Parts

    def finding(self, place: int, finding: Finding, *, alone: bool) -> Finding:
        """Return the finding of one of the rows with its parts; `alone` where there is one column only."""
        return with_parts(finding, self.parts.evidence[place], self.said[place], self.truth[place], alone=alone)


def look(
    fitted: Fitted, inputs: pa.Table, target: np.ndarray | None, asked: np.ndarray, clock: Clock, seed: int
) -> Looked:
    """Return what is said of rows, and what the model shows of the parts of their values."""
    tell(Progress(stage="explain", message="parts of the values", done=0.02))
    task, model = fitted.task, fitted.model
    chosen = inputs.take(pa.array(asked))
    predictions = model.predict(chosen)
    codes = decided(model, task, predictions)
    entries = explained_entries(task, predictions, codes)
    texts = [str(one or "") for one in chosen.column(task.inputs[0]).to_pylist()]
    parts = shown_parts(
        model, chosen, entries, clock=clock.share(_SHOWING if inputs.num_columns > 1 else _ALONE), seed=seed
    )
    return Looked(
        rows=asked,
        said=tuple(
            prediction_said(task, int(row), prediction, code, entry=int(entry), text=text)
            for row, prediction, code, entry, text in zip(asked, predictions, codes, entries, texts, strict=True)
        ),
        truth=tuple(
            truth_said(task, code, None if target is None else target[row])
            for row, code in zip(asked, codes, strict=True)
        ),
        predictions=predictions,
        parts=parts,
    )


def of_rows(looked: Looked, subject: str) -> Report:
    """Return the report of a task whose columns have no shares: single rows alone."""
    rows = [looked.finding(place, Finding(what=said), alone=True) for place, said in enumerate(looked.said)]
    findings = (*rows, *limits(looked))
    figures = [
        {"row": int(row), "prediction": plain(prediction), "parts": figures_of(evidence)}
        for row, prediction, evidence in zip(looked.rows, looked.predictions, looked.parts.evidence, strict=True)
    ]
    return Report(
        check="explanation", subject=subject, verdict=worst(findings), findings=findings, figures={"rows": figures}
    )


def limits(looked: Looked) -> list[Finding]:
    """Return what the parts of the values do not tell: of whom they speak, and what there was no time for."""
    found = []
    if looked.parts.note:
        found.append(Finding(what=f"The parts of values are shown {looked.parts.note}"))
    late = [str(row) for row, one in zip(looked.rows, looked.parts.evidence, strict=True) if not one]
    if late:
        what = f"Nothing is shown of the parts of row {', '.join(late)}: there is no value, or no time was left"
        found.append(Finding(what=what, remedy="Give a longer budget to be sure of the time."))
    return found
