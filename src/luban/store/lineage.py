"""What came from what, read off the rows: data -> run -> model -> deployment -> labels, and back to the next run."""

from __future__ import annotations

import json
from collections import defaultdict, deque
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import Row, func, or_, select

from luban.core.errors import InputError, NotFound
from luban.core.lineage import Edge, Lineage, Node
from luban.store.names import parse_reference
from luban.store.tables import aliases, audit, chunks, datasets, deleted_datasets, deployments, models, run_tags, runs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from sqlalchemy import Connection

    from luban.core.lineage import NodeKind
    from luban.store.database import Database

KINDS: tuple[NodeKind, ...] = ("data", "run", "model", "deployment", "labels")
_TAGS = ("dataset", "champion", "labelled")


class Ancestry:
    """The lineage of all that a workspace holds."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, subject: str) -> Lineage:
        """Return what something came from, and what came of it.

        Parameters
        ----------
        subject : str
            A model (``"adult/3"``, ``"adult@champion"``, ``"adult"``), a data set version, a run or the beginning of
            its identifier, or a deployment; where a name means several, ``"data:adult/3"``, ``"run:..."``,
            ``"deployment:shop"``, ``"labels:shop"`` and ``"model:adult/3"`` say which. Without it the model comes
            first.

        Raises
        ------
        NotFound
            With the nearest names.
        """
        with self._database.reading() as connection:
            whole = _Whole(connection)
            return _around(whole, _meant(connection, whole, subject))


class _Whole:
    """Everything in a workspace that came from something, as nodes and edges."""

    def __init__(self, connection: Connection) -> None:
        self.nodes: dict[str, Node] = {}
        self.edges: dict[tuple[str, str], Edge] = {}
        self._of_data(connection)
        registered = self._of_models(connection)
        self._of_runs(connection, registered)
        self._of_deployments(connection)

    def add(self, kind: NodeKind, name: str, **told: Any) -> str:
        """Add a node, in place of one that was only named."""
        identifier = f"{kind}:{name}"
        if identifier not in self.nodes or self.nodes[identifier].gone:
            self.nodes[identifier] = Node(id=identifier, kind=kind, name=name, **told)
        return identifier

    def join(self, source: str, target: str, what: str, *, past: bool = False) -> None:
        """Add an edge; both ends get a node where they have none."""
        for end in (source, target):
            kind, _, name = end.partition(":")
            if end not in self.nodes:
                self.add(kind, name, detail="not in the workspace", gone=True)  # type: ignore[arg-type]
        there = self.edges.get((source, target))
        if there is None or (there.past and not past):
            self.edges[source, target] = Edge(source=source, target=target, what=what, past=past)

    def _of_data(self, connection: Connection) -> None:
        columns = (datasets.c.name, datasets.c.version, datasets.c.rows, datasets.c.parents, datasets.c.source)
        query = select(*columns, datasets.c.created, datasets.c.fingerprint, datasets.c.actor)
        for row in connection.execute(query.order_by(datasets.c.created)):
            told = f"{row.rows:,} rows" + (f", from {row.source}" if row.source else "")
            facts = {"rows": row.rows, "fingerprint": row.fingerprint, "actor": row.actor, "source": row.source}
            child = self.add("data", f"{row.name}/{row.version}", detail=told, moment=row.created, facts=facts)
            for parent in row.parents:
                self.join(f"data:{parent}", child, "made into")
        for row in connection.execute(select(deleted_datasets)):
            told = f"deleted by {row.actor}" + (f": {row.reason}" if row.reason else "")
            self.nodes.pop(f"data:{row.name}/{row.version}", None)  # named as a parent only
            self.add("data", f"{row.name}/{row.version}", detail=told, moment=row.moment, gone=True)

    def _of_models(self, connection: Connection) -> dict[str, list[tuple[str, Mapping[str, Any]]]]:
        """Add the models, and return by run which it made."""
        pointing: dict[str, list[str]] = defaultdict(list)
        for row in connection.execute(select(aliases).order_by(aliases.c.alias)):
            pointing[f"{row.name}/{row.version}"].append(row.alias)
        made: dict[str, list[tuple[str, Mapping[str, Any]]]] = defaultdict(list)
        columns = (models.c.name, models.c.version, models.c.run, models.c.dataset, models.c.tags, models.c.scores)
        rows: list[Any] = [*connection.execute(select(*columns, models.c.task, models.c.created, models.c.artifact))]
        for row in rows:
            reference = f"{row.name}/{row.version}"
            metric = row.task["metric"]
            score = row.scores.get(metric)
            told = [*([] if score is None else [f"{metric} {score:.4g}"]), *pointing[reference]]
            facts = {"artifact": row.artifact, "scores": row.scores, "aliases": pointing[reference]}
            node = self.add("model", reference, detail=", ".join(told), moment=row.created, facts=facts)
            self._made(node, row._mapping, made)
        for detail, moment, actor in _entries(connection, "model/", "model.delete"):
            record = detail["record"]
            told = [f"deleted by {actor}", *([detail["reason"]] if detail.get("reason") else [])]
            name = f"{record['name']}/{record['version']}"
            node = self.add("model", name, detail=": ".join(told), moment=moment, gone=True)
            self._made(node, record, made)
        return made

    def _made(self, node: str, row: Mapping[str, Any], made: dict[str, list[tuple[str, Mapping[str, Any]]]]) -> None:
        if row["run"] is not None:
            made[row["run"]].append((node, row))
            return
        if row["dataset"]:
            self.join(f"data:{row['dataset']}", node, "learnt from")
        if isinstance(row["tags"].get("source"), str):
            self.join(f"model:{row['tags']['source']}", node, "made into")

    def _of_runs(self, connection: Connection, made: Mapping[str, list[tuple[str, Mapping[str, Any]]]]) -> None:
        tags: dict[str, dict[str, Any]] = defaultdict(dict)
        for row in connection.execute(select(run_tags).where(run_tags.c.key.in_(_TAGS))):
            tags[row.run][row.key] = row.value
        wanted = {*tags, *made}
        found: dict[str, Row[Any]] = {}
        while wanted:  # and the runs that these are parts of
            new = {row.id: row for row in _runs(connection, wanted)}
            found |= new
            wanted = {row.parent for row in new.values() if row.parent is not None} - set(found)
        for row in sorted(found.values(), key=lambda one: one.id):
            told = f"{row.operation}, {row.actor}" + ("" if row.state == "finished" else f", {row.state}")
            facts = {"operation": row.operation, "state": row.state, "actor": row.actor}
            run = self.add("run", row.id, detail=told, moment=row.started, facts=facts)
            mine = tags[row.id]
            if row.parent is not None:
                self.join(f"run:{row.parent}", run, "began")
            if isinstance(mine.get("dataset"), str):
                self.join(f"data:{mine['dataset']}", run, "learnt from")
            if isinstance(mine.get("champion"), str):
                self.join(f"model:{mine['champion']}", run, "champion")
            if mine.get("labelled") and isinstance(row.request.get("name"), str):
                self.join(f"labels:{row.request['name']}", run, "learnt from")
            for node, model in made.get(row.id, ()):
                self.join(run, node, "made")
                if "dataset" not in mine and model["dataset"]:
                    self.join(f"data:{model['dataset']}", run, "learnt from")
                if isinstance(model["tags"].get("source"), str):
                    self.join(f"model:{model['tags']['source']}", run, "made into")

    def _of_deployments(self, connection: Connection) -> None:
        counted: dict[tuple[str, str], int] = {}
        sums = select(chunks.c.kind, chunks.c.deployment, func.sum(chunks.c.rows))
        for kind, name, rows in connection.execute(sums.group_by(chunks.c.kind, chunks.c.deployment)):
            counted[kind, name] = int(rows)
        for row in connection.execute(select(deployments).order_by(deployments.c.name)):
            logged = counted.get(("prediction", row.name), 0)
            node = self.add(
                "deployment",
                row.name,
                detail=f"{logged:,} predictions kept",
                facts={"traffic": row.traffic, "shadow": row.shadow, "predictions": logged},
            )
            for reference, share in row.traffic.items():
                self.join(f"model:{reference}", node, f"answers {share:.0%}")
            if row.shadow:
                self.join(f"model:{row.shadow}", node, "shadow")
        for detail, moment, _, name in _entries(connection, "deployment/", "deployment.change", named=True):
            before = detail.get("before") or {}
            for reference in (*before.get("traffic", {}), *([before["shadow"]] if before.get("shadow") else [])):
                node = f"deployment:{name}"
                if node not in self.nodes:
                    self.add("deployment", name, detail="removed", moment=moment, gone=True)
                self.join(f"model:{reference}", node, f"until {moment:%Y-%m-%d}", past=True)
        for (kind, name), rows in counted.items():
            if kind == "label":
                labels = self.add("labels", name, detail=f"{rows:,} labels", facts={"labels": rows})
                self.join(f"deployment:{name}", labels, "turned out")


def _runs(connection: Connection, wanted: Iterable[str]) -> list[Row[Any]]:
    identifiers = sorted(wanted)
    found: list[Any] = []
    columns = (runs.c.id, runs.c.operation, runs.c.state, runs.c.parent, runs.c.started, runs.c.actor, runs.c.request)
    for place in range(0, len(identifiers), 500):  # databases limit how much one query may list
        part = identifiers[place : place + 500]
        found.extend(connection.execute(select(*columns).where(runs.c.id.in_(part))).all())
    return found


def _entries(connection: Connection, beginning: str, action: str, *, named: bool = False) -> list[tuple[Any, ...]]:
    """Return (detail, moment, actor), and where it is `named` the subject's name, of the entries of one action."""
    from datetime import timedelta

    from luban.store.tables import EPOCH

    within = (audit.c.subject >= beginning) & (audit.c.subject < beginning[:-1] + "0")  # "0" comes after "/"
    columns = (audit.c.detail, audit.c.moment, audit.c.actor, audit.c.subject)
    query = select(*columns).where(within, audit.c.action == action).order_by(audit.c.number)
    told = []
    for row in connection.execute(query):
        one = (json.loads(row.detail), EPOCH + timedelta(microseconds=row.moment), row.actor)
        told.append((*one, row.subject.removeprefix(beginning)) if named else one)
    return told


def _meant(connection: Connection, whole: _Whole, subject: str) -> str:
    """Return the identifier of the node that a word means."""
    kind, colon, name = subject.partition(":")
    if colon:
        if kind not in KINDS:
            raise InputError(
                f"there is no lineage of a {kind[:30]!r}", remedy=f"Write {', '.join(f'{one}:NAME' for one in KINDS)}."
            )
        found = _FINDERS[kind](connection, whole, name)
        if found is None:
            known = [one.name for one in whole.nodes.values() if one.kind == kind]
            raise NotFound.named(kind, name, known)
        return found
    for find in ("model", "data", "deployment", "run"):
        node = _FINDERS[find](connection, whole, subject)
        if node is not None:
            return node
    known = [one.name for one in whole.nodes.values() if one.kind in ("model", "data", "deployment")]
    raise NotFound.named("model, data set, run or deployment", subject, dict.fromkeys(known))


def _model(connection: Connection, whole: _Whole, name: str) -> str | None:
    wanted = _parsed("model", name)
    if wanted is None:
        return None
    if wanted.version is not None:
        return _known(whole, f"model:{wanted.name}/{wanted.version}")
    key = (aliases.c.name == wanted.name) & (aliases.c.alias == (wanted.alias or "champion"))
    version = connection.scalar(select(aliases.c.version).where(key))
    if version is None and wanted.alias is None:
        version = connection.scalar(select(func.max(models.c.version)).where(models.c.name == wanted.name))
    return _known(whole, f"model:{wanted.name}/{version}")


def _dataset(connection: Connection, whole: _Whole, name: str) -> str | None:
    wanted = _parsed("data set", name)
    if wanted is None or wanted.alias is not None:
        return None
    version = wanted.version
    if version is None:
        version = connection.scalar(select(func.max(datasets.c.version)).where(datasets.c.name == wanted.name))
    return _known(whole, f"data:{wanted.name}/{version}")


def _deployment(_connection: Connection, whole: _Whole, name: str) -> str | None:
    return _known(whole, f"deployment:{name}")


def _labels(_connection: Connection, whole: _Whole, name: str) -> str | None:
    return _known(whole, f"labels:{name}")


def _run(connection: Connection, whole: _Whole, name: str) -> str | None:
    if not name.isalnum():
        return None
    beginning = or_(runs.c.id == name, runs.c.id.startswith(name.lower(), autoescape=True))
    found = connection.scalars(select(runs.c.id).where(beginning).limit(2)).all()
    if len(found) != 1:
        return None
    node = f"run:{found[0]}"
    if node not in whole.nodes:  # one that neither learnt from a data set nor made a model
        (row,) = _runs(connection, found)
        whole.add("run", row.id, detail=f"{row.operation}, {row.actor}, {row.state}", moment=row.started)
    return node


_FINDERS: dict[str, Callable[[Connection, _Whole, str], str | None]] = {
    "model": _model,
    "data": _dataset,
    "deployment": _deployment,
    "labels": _labels,
    "run": _run,
}


def _parsed(what: str, name: str) -> Any:
    try:
        return parse_reference(what, name)
    except InputError:  # it is no reference, so it may be something else
        return None


def _known(whole: _Whole, node: str) -> str | None:
    return node if node in whole.nodes else None


def _around(whole: _Whole, subject: str) -> Lineage:
    """Return what leads to a node and what it leads to."""
    into: dict[str, list[Edge]] = defaultdict(list)
    out: dict[str, list[Edge]] = defaultdict(list)
    for edge in whole.edges.values():
        into[edge.target].append(edge)
        out[edge.source].append(edge)
    kept: dict[tuple[str, str], Edge] = {}
    names = {subject: None}
    for near, end in ((into, "source"), (out, "target")):
        seen, waiting = {subject}, deque([subject])
        while waiting:
            for edge in near[waiting.popleft()]:
                kept[edge.source, edge.target] = edge
                other = getattr(edge, end)
                if other not in seen:
                    seen.add(other)
                    waiting.append(other)
        names |= dict.fromkeys(seen)
    idle = {name for name in names if name != subject and name.startswith("run:") and not out[name]}
    nodes = []
    for name in names:
        if name in idle:
            continue
        node = whole.nodes[name]
        dropped = sum(edge.target in idle for edge in out[name])
        if dropped:
            more = f"{dropped} run{'s' if dropped > 1 else ''} on it made no model"
            node = replace(node, detail=f"{node.detail}; {more}" if node.detail else more)
        nodes.append(node)
    edges = [edge for edge in kept.values() if edge.source not in idle and edge.target not in idle]
    return Lineage(subject=subject, nodes=tuple(nodes), edges=tuple(edges))
