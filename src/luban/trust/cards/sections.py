"""The sections of a model card."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from luban.trust.cards.markdown import block, code, number, table, text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from luban.trust.cards.record import Record

MOST_COLUMNS = 100
MOST_CLASSES = 50
MOST_SLICES = 10
MOST_IMPORTANT = 15
MOST_FINDINGS = 3


def what_it_is(record: Record) -> str:
    """Return what the model predicts, from what, and what it is made of."""
    version, task = record.version, record.version.task
    made = f"{version.created:%Y-%m-%d}" if version.created else "at a time that is not recorded"
    by = f" by {text(record.actor)}" if record.actor else ""
    parts: dict[str, float] = {}
    for learner, weight in record.parts:
        parts[learner] = parts.get(learner, 0.0) + weight
    what = f"{code(version.reference)} predicts {code(task.target)} ({task.kind}) from {_columns(len(task.inputs))}."
    registered = f"It was registered on {made}{by}"
    if task.kind == "foreign":
        said = [f"{code(version.reference)} was made by another tool and is kept as it came. {registered}."]
    else:
        said = [f"{what} {registered}; {code(task.metric)} is the metric that was optimised."]
    if record.description:
        said.append(f"Its description on record:\n\n> {text(record.description)}")
    if version.aliases:
        said.append(f"Aliases that point at it: {', '.join(map(code, version.aliases))}.")
    if record.deployments:
        said.append(f"It answers in: {', '.join(map(text, record.deployments))}.")
    if parts:
        ranked = sorted(parts.items(), key=lambda part: -part[1])
        said.append(table(("learner", "weight"), [(name, round(weight, 4)) for name, weight in ranked]))
    files = [] if record.size is None else [f"Its files have {record.size:,} bytes."]
    if record.graph and record.parity is not None:
        files.append(f"Its ONNX graph differs from it by {number(record.parity)} at most, measured on real rows.")
    elif record.graph:
        files.append("It has an ONNX graph.")
    return "\n\n".join([*said, *([" ".join(files)] if files else [])])


def intended_use(record: Record) -> str:
    """Return what is known of what it is meant for."""
    task = record.version.task
    if task.kind == "foreign" and not record.intended:
        return "Nothing is on record of what it is meant for."
    known = f"On record is the task it was fitted for: to predict {code(task.target)}"
    known += f" from a row of {code(record.version.dataset)}." if record.version.dataset else "."
    if record.intended:
        by = f"In the words of {text(record.author)}" if record.author else "In the words of its owner"
        return f"{by}:\n\n> {text(record.intended)}\n\n{known}"
    return f"{known} Nobody has recorded a use beyond that, nor one that it must not be put to."


def data(record: Record) -> str:
    """Return what it learnt from."""
    dataset, version = record.dataset, record.version
    if dataset is None:
        if not version.dataset:
            return "The data set that it learnt from was not recorded."
        return f"It learnt from {code(version.dataset)}, which is not in the workspace."
    rows: list[tuple[str, Any]] = [
        ("version", dataset.reference),
        ("fingerprint", dataset.fingerprint),
        ("rows", dataset.rows),
        ("columns", len(dataset.schema.columns)),
        ("read from", dataset.source or None),
        ("made from", ", ".join(dataset.parents) or None),
        ("order in time", dataset.schema.time),
        ("groups kept together", dataset.schema.group),
    ]
    return table(("", "value"), [row for row in rows if row[1] is not None])


def metrics(record: Record) -> str:
    """Return how good it is, with intervals, and against what."""
    report = record.reports.get("evaluation")
    if report is None:
        scores = [(name, value) for name, value in record.version.scores.items()]
        if not scores:
            return "No evaluation is on record."
        return "Scores at registration; no intervals are on record.\n\n" + table(("metric", "score"), scores)
    figures = report.figures
    intervals, baseline = figures.get("intervals", {}), figures.get("baseline", {})
    rows = [
        (name, value, *(intervals.get(name) or (None, None)), baseline.get(name))
        for name, value in own_first(record, figures.get("metrics", {}))
    ]
    said = f"Measured on {figures.get('rows', 0):,} rows that were not learnt from by what answered them. "
    said += "Intervals are of 95 %, by the bootstrap; the last column is what predicting the same for every row scores."
    calibration = figures.get("calibration", {}).get("expected_calibration_error")
    more = "" if calibration is None else f"\n\nExpected calibration error: {number(calibration)}."
    if "threshold" in figures:
        more += f"\n\nA row counts as {code(record.version.task.classes[-1])} from a probability of "
        more += f"{number(figures['threshold'])} on."
    return f"{said}\n\n{table(('metric', 'score', 'low', 'high', 'same for every row'), rows)}{more}"


def own_first(record: Record, scores: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Return scores with the one that was optimised first."""
    own = record.version.task.metric
    return sorted(scores.items(), key=lambda score: score[0] != own)


def slices(record: Record) -> str:
    """Return where it is worst."""
    report = record.reports.get("evaluation")
    found = None if report is None else report.figures.get("slices")
    if found is None:
        return "No slices are on record."
    if not found:
        return "No slice was found in which it is clearly worse than elsewhere."
    own = record.version.task.metric
    rows = [(one["slice"], one["rows"], one.get("score"), one.get("times")) for one in found[:MOST_SLICES]]
    return (
        "The rows among which it was wrong most. The last column: how many times the average row's loss.\n\n"
        + table(("slice", "rows", own, "times"), rows)
    )


def explanation(record: Record) -> str:
    """Return what matters to it, where that was looked at."""
    report = record.reports.get("explanation")
    if report is None:
        return f"No explanation is on record. To make one: {code(f'luban explain {record.version.reference}')}"
    said = [f"- {text(finding.what)}" for finding in report.findings[:MOST_FINDINGS]]
    importance = report.figures.get("importance")
    if not isinstance(importance, dict) or not importance:
        return "\n".join(said)
    rows = [
        (name, *value) if isinstance(value, list) else (name, value, None, None) for name, value in importance.items()
    ]
    ranked = sorted(rows, key=lambda row: -(row[1] or 0.0))[:MOST_IMPORTANT]
    unit = str(report.figures.get("importance_is", "importance"))
    return "\n".join(said) + "\n\n" + table(("column", unit, "low", "high"), ranked)


def limits(record: Record) -> str:
    """Return what was found wanting, what was not looked at, and what it cannot answer."""
    task = record.version.task
    said = []
    for name, report in record.reports.items():
        for finding in report.findings:
            if finding.verdict in ("warn", "block"):
                remedy = f" {text(finding.remedy)}" if finding.remedy else ""
                said.append(f"- {text(name)}: {text(finding.what)}.{remedy}")
    if task.classes:
        named = ", ".join(code(one) for one in task.classes[:MOST_CLASSES])
        more = f" and {len(task.classes) - MOST_CLASSES} more" if len(task.classes) > MOST_CLASSES else ""
        said.append(f"- It answers with {named}{more}, and with nothing else.")
    checks = ", ".join(map(text, record.reports)) or "none"
    said.append(f"- Checks on record: {checks}. What is not in this list was not examined.")
    if record.dataset is not None:
        said.append(f"- It was measured on rows of {code(record.dataset.reference)}; of others nothing is on record.")
    return "\n".join(said)


def how_to_use(record: Record) -> str:
    """Return the commands, and the columns that go in and come out."""
    version = record.version
    if version.task.kind == "foreign":
        return f"Load it with the tool that made it: {code(f'models:/{version.reference}')} of a `luban server`."
    shell = [f"luban predict {version.reference} rows.csv -o predictions.parquet", f"luban serve {version.reference}"]
    python = ["import luban", "", f'model = luban.load("{version.reference}")', "predictions = model.predict(rows)"]
    columns = [(one.name, one.kind, one.nullable) for one in version.signature.inputs]
    more = f"\n\nand {len(columns) - MOST_COLUMNS} more" if len(columns) > MOST_COLUMNS else ""
    return "\n\n".join(
        [
            block(shell, "bash"),
            block(python, "python"),
            "`rows` is a data frame, an Arrow table, a dictionary or a list of dictionaries with these columns:",
            table(("column", "kind", "missing values were seen"), columns[:MOST_COLUMNS]) + more,
            "It returns:",
            table(("column", "kind"), [(one.name, one.kind) for one in version.signature.outputs[:MOST_COLUMNS]]),
        ]
    )


def lineage(record: Record) -> str:
    """Return where it comes from, with the digests that prove it, and what uses it."""
    version, found = record.version, record.code or {}
    rows = [
        ("artefact", version.artifact),
        ("data", version.data),
        ("code", version.code),
        ("environment", version.environment),
        ("commit", found.get("commit")),
        ("state of the code", found.get("state")),
        ("changes since the commit", found.get("diff")),
        ("run", version.run),
        ("signed by", ", ".join(record.signed_by) or None),
    ]
    parts = [table(("", "value"), [row for row in rows if row[1] is not None])]
    if record.lineage:
        parts.insert(0, block(record.lineage))
    return "\n\n".join(parts)


def environment(record: Record) -> str:
    """Return what it was made with."""
    found = record.environment
    if found is None:
        return "The environment was not recorded."
    rows = [(name, found[name]) for name in ("luban", "python", "platform", "machine", "processors") if found.get(name)]
    packages = found.get("packages", {})
    listed = table(("package", "version"), sorted(packages.items(), key=lambda item: item[0].lower()))
    folded = f"<details><summary>{len(packages)} packages</summary>\n\n{listed}\n\n</details>"
    return f"{table(('', 'value'), [(name, str(value)) for name, value in rows])}\n\n{folded}"


def _columns(count: int) -> str:
    return f"{count} column{'' if count == 1 else 's'}"
