"""The head of a card: the metadata that the Hugging Face Hub reads, in YAML.

Source: https://github.com/huggingface/hub-docs/blob/main/modelcard.md, the specification of model cards.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from luban.core.kinds import MEANINGS, modalities
from luban.trust.cards.sections import own_first

if TYPE_CHECKING:
    from luban.core.model import ModelVersion
    from luban.core.task import TaskKind
    from luban.trust.cards.record import Record

_ANSWERS: dict[TaskKind, str] = {
    "binary": "classification",
    "multiclass": "classification",
    "multilabel": "classification",
    "tokens": "classification",
    "regression": "regression",
    "quantile": "regression",
}


def head(record: Record) -> str:
    """Return the head, without the lines of dashes around it."""
    import yaml

    version, task = record.version, record.version.task
    data: dict[str, Any] = {"library_name": "luban"}
    if record.license:
        data["license"] = record.license
    pipeline = pipeline_tag(version)
    if pipeline:
        data["pipeline_tag"] = pipeline
    data["tags"] = ["luban", task.kind, *sorted({learner for learner, _ in record.parts}), *(["onnx"] * record.graph)]
    results = _results(record, pipeline)
    if results:
        data["metrics"] = [one["type"] for one in results]
        data["model-index"] = [{"name": version.name, "results": [_result(record, pipeline, results)]}]
    return str(yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=10_000))


def pipeline_tag(version: ModelVersion) -> str | None:
    """Return the Hub's name of the kind of task, or None where it has none for it."""
    answer = _ANSWERS.get(version.task.kind)
    if answer is None:
        return None
    if version.task.kind == "tokens":
        return "token-classification"
    kinds = [column.kind for column in version.signature.inputs]
    found = modalities(kinds)
    # The Hub has a name for numbers that are predicted from cells alone, and none for what reads several modalities.
    named = answer == "classification" or all(MEANINGS[kind].cell for kind in kinds)
    return f"{found[0]}-{answer}" if len(found) == 1 and named else None


def _results(record: Record, pipeline: str | None) -> list[dict[str, Any]]:
    report = record.reports.get("evaluation")
    if report is None or pipeline is None:
        return []
    intervals = report.figures.get("intervals", {})
    results = []
    for name, value in own_first(record, report.figures.get("metrics", {})):
        if isinstance(value, int | float) and math.isfinite(value):
            one: dict[str, Any] = {"type": name, "name": name, "value": float(value)}
            low, high = intervals.get(name, (None, None))
            if low is not None and high is not None:
                one["args"] = {"low": float(low), "high": float(high), "confidence": 0.95}
            results.append(one)
    return results


def _result(record: Record, pipeline: str | None, metrics: list[dict[str, Any]]) -> dict[str, Any]:
    reference = record.version.dataset or "unknown"
    dataset = {"type": reference.partition("/")[0], "name": reference, "split": "cross-validation"}
    if record.version.data:
        dataset["revision"] = record.version.data
    return {"task": {"type": pipeline, "name": record.version.task.kind}, "dataset": dataset, "metrics": metrics}
