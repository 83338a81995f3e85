"""The challenger: learnt anew or gone on learning, registered with all it came from, and nobody's champion yet."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from luban.core.errors import LubanError
from luban.core.progress import Progress, asked_to_stop, tell
from luban.core.recipe import Recipe, Step
from luban.core.schema import Column, Schema
from luban.core.serial import to_json
from luban.operations import deciding
from luban.operations.updating.choice import Choice, choose, examples
from luban.operations.updating.rows import joined
from luban.operations.updating.subject import TAG

if TYPE_CHECKING:
    from luban.core.dataset import Dataset
    from luban.core.model import ModelVersion
    from luban.core.run import Run
    from luban.core.schema import Kind
    from luban.core.update import UpdatePolicy
    from luban.execution.deadline import Plan
    from luban.learners.fitted import Fitted
    from luban.operations.fit import Fit
    from luban.operations.updating.material import Material
    from luban.operations.updating.rows import Rows
    from luban.operations.updating.subject import Subject
    from luban.search.candidate import Candidate
    from luban.search.result import StudyResult
    from luban.store import Workspace


@dataclass(frozen=True, kw_only=True)
class Challenger:
    """A version that was made to take the champion's place, and how."""

    fit: Fit
    choice: Choice
    learnt: int


def make(
    workspace: Workspace, subject: Subject, material: Material, policy: UpdatePolicy, run: Run, *, plan: Plan
) -> Challenger:
    """Make the challenger and register it; its run is a child of the update's.

    The fresh rows are not given to anything that learns or chooses here.
    """
    from luban.execution.local import LocalExecutor
    from luban.operations.loading import fitted
    from luban.operations.updating.warm import candidates
    from luban.search.study import warm

    executor = LocalExecutor.of_this_machine()
    warm(executor)
    try:
        champion = fitted(workspace, subject.champion.reference)
        warmers = candidates(subject.champion, champion)
        choice = choose(
            champion,
            material,
            warmers,
            way=policy.way,
            window=policy.window,
            seconds=plan.remaining,
            threads=max(1, executor.workers * executor.threads),
            seed=policy.seed,
            cache=str(workspace.root / "cache"),
        )
        everything = joined([material.known, material.new])
        rows = material.new if choice.window is None else choice.window.of(everything)
        dataset = _kept(workspace, subject, rows)
        base = material.base if material.until is not None else _pool(workspace, subject, everything, rows, dataset)
        left = {
            "champion": subject.champion.reference,
            "way": choice.words,
            "base": base,
            "until": None if material.until is None else material.until.isoformat(),
            "fresh_rows": len(material.fresh),
            "run": run.id,
        }
        maker = _Maker(workspace, subject, champion, policy, run, executor, plan, left)
        goes_on = choice.window is None
        fit = maker.goes_on(material, rows, dataset) if goes_on else maker.anew(rows, dataset, warmers)
    finally:
        executor.close()
    return Challenger(fit=fit, choice=choice, learnt=len(rows))


@dataclass(frozen=True)
class _Maker:
    """What both ways share: the run, and the registration under the champion's name."""

    workspace: Workspace
    subject: Subject
    champion: Fitted
    policy: UpdatePolicy
    parent: Run
    executor: Any
    plan: Plan
    left: dict[str, Any]

    def anew(self, rows: Rows, dataset: Dataset, warmers: tuple[Candidate, ...]) -> Fit:
        """Search from the champion's own candidates on, each fold learning from earlier rows only."""
        import numpy as np

        from luban.search.study import run_study

        run = self._run(dataset, rounds=self.policy.rounds)
        folder = self.workspace.scratch(run.id)
        few = self.policy.rounds is not None and self.policy.rounds <= len(warmers)
        try:
            result = run_study(
                task=self.champion.task,
                schema=Schema(columns=self.champion.signature.inputs),
                table=rows.table,
                target=rows.target,
                moments=np.arange(len(rows)),
                folder=folder,
                executor=self.executor,
                plan=self.plan,
                rounds=self.policy.rounds,
                # Where no more is tried than the champion's own candidates, what others would take is not measured.
                learners=tuple(dict.fromkeys(one.learner for one in warmers)) if few else None,
                seed=self.policy.seed,
                first=warmers,
                cache=self.workspace.root / "cache",
                on_event=lambda event: tell(
                    Progress(stage="learn", message=event.message, done=event.done, remaining=self._left())
                ),
                stop=asked_to_stop,
            )
            return self._finish(run, rows, dataset, result, threshold=self._asked)
        except BaseException as error:
            self._ended(run, error)
            raise
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def goes_on(self, material: Material, rows: Rows, dataset: Dataset) -> Fit:
        """Go on from the champion with the new rows; the newest of them score what was learnt from the others."""
        import time

        import numpy as np

        from luban.core.budget import Effort
        from luban.evaluation.metrics import metric
        from luban.search.result import LeaderboardRow, StudyResult

        run = self._run(dataset)
        try:
            began = time.monotonic()
            tell(Progress(stage="learn", message="going on from what the champion knows"))
            threads = max(1, self.executor.workers * self.executor.threads)
            half = began + 0.45 * self.plan.study_remaining()
            cache = str(self.workspace.root / "cache")
            effort = Effort(deadline=half, threads=threads, seed=self.policy.seed, cache=cache)
            tested = max(1, len(material.new) // 3)
            task = self.champion.task
            replay = examples(material.replay(len(rows), self.policy.seed))
            earlier = self.champion.model.update(examples(rows.part(0, -tested)), replay=replay, effort=effort)
            prediction = earlier.predict(rows.part(-tested).table)
            effort = replace(effort, deadline=self.plan.study_deadline)
            composite = self.champion.model.update(examples(rows), replay=replay, effort=effort)
            target = rows.target[-tested:]
            seconds = time.monotonic() - began
            score = metric(task.metric)(task, target, prediction)
            members = tuple(
                LeaderboardRow(
                    learner=member.learner,
                    parameters="went on learning",
                    score=score,
                    fit_seconds=seconds,
                    weight=float(share),
                    state="finished",
                    folds=1,
                )
                for member, share in zip(composite.members, composite.shares, strict=True)
            )
            before = self.subject.champion.recipe
            step = Step(component="continue", name="continue", parameters={"from": self.subject.champion.reference})
            steps = (*(() if before is None else before.steps), step)
            result = StudyResult(
                composite=composite,
                leaderboard=members,
                predictions=prediction,
                target=target,
                rows=np.arange(len(rows) - tested, len(rows)),
                score=float(score),
                recipe=Recipe(steps=steps, seed=self.policy.seed),
                seconds=seconds,
            )
            return self._finish(run, rows, dataset, result)
        except BaseException as error:
            self._ended(run, error)
            raise

    def _left(self) -> float | None:
        return self.plan.remaining if self.plan.timed else None

    def _run(self, dataset: Dataset, *, rounds: int | None = None) -> Run:
        from luban.operations.environment import environment

        request = {
            "source": dataset.reference,
            "target": self.champion.task.target,
            "name": self.subject.champion.name,
            "budget": self.policy.budget if self.policy.rounds is None else None,
            "rounds": rounds,
            "seed": self.policy.seed,
            "update": self.left["way"],
        }
        run = self.workspace.runs.start("fit", request, parent=self.parent.id, environment=environment())
        self.workspace.datasets.hold(dataset.reference, run.id)
        return run

    @property
    def _asked(self) -> float | str | None:
        """The threshold that a person asked for, or the metric that chooses it; what goes on learning keeps its own."""
        asked: float | str | None = self.subject.champion.tags.get(deciding.TAG)
        return asked

    def _finish(
        self, run: Run, rows: Rows, dataset: Dataset, result: StudyResult, *, threshold: float | str | None = None
    ) -> Fit:
        from luban.operations.fitting.finish import finish
        from luban.operations.fitting.prepare import Prepared
        from luban.operations.origin import Origin
        from luban.operations.registering import register, signer

        prepared = Prepared(
            dataset=dataset,
            task=self.champion.task,
            schema=Schema(columns=self.champion.signature.inputs),
            table=rows.table,
            target=rows.target,
            groups=None,
            moments=None,
            notes=(),
        )
        asked = {} if self._asked is None else {deciding.TAG: self._asked}
        register_signed = partial(register, self.workspace, Origin(), sign=signer(self.workspace))

        def registered(**values: Any) -> ModelVersion:
            return register_signed(**{**values, "tags": {**values["tags"], **asked, TAG: self.left}})

        return finish(
            self.workspace,
            prepared,
            result,
            run,
            self.subject.champion.name,
            self.executor,
            registered,
            plan=self.plan,
            threshold=threshold,
        )

    def _ended(self, run: Run, error: BaseException) -> None:
        """Record how a run ended where it did not end with a model."""
        if isinstance(error, LubanError):
            self.workspace.runs.finish(run.id, "failed", error=error.to_dict())
        elif isinstance(error, Exception):
            defect = {"code": "defect", "happened": f"{type(error).__name__}: {error}"}
            self.workspace.runs.finish(run.id, "failed", error=defect)
        else:
            self.workspace.runs.finish(run.id, "interrupted")


def _kept(workspace: Workspace, subject: Subject, rows: Rows) -> Dataset:
    """Keep rows as a version of a data set, whose parent is the one that the champion learnt from."""
    from luban.data import versions
    from luban.data.infer import kind_of_type

    table = _whole(subject.champion, rows)
    target = subject.champion.task.target
    kind: Kind = "category" if subject.champion.task.classifies else kind_of_type(table.schema.field(target).type)
    columns = (
        *subject.champion.signature.inputs,
        Column(name=target, kind=kind, role="target", storage=str(table.schema.field(target).type)),
    )
    return versions.add_version(
        workspace,
        table.to_batches(),
        name=f"{subject.name}.update",
        schema=Schema(columns=columns),
        parents=(str(subject.champion.dataset),),
        source=f"update of {subject.name}",
    )


def _pool(workspace: Workspace, subject: Subject, everything: Rows, rows: Rows, dataset: Dataset) -> str:
    """Return the data set that the next update begins with: all rows, not only those of the window."""
    return dataset.reference if len(rows) == len(everything) else _kept(workspace, subject, everything).reference


def _whole(version: ModelVersion, rows: Rows) -> Any:
    """Return the inputs with the target as its labels or numbers."""
    from luban.learners.predictions import of_target

    return rows.table.append_column(version.task.target, of_target(version.task, rows.target))


def described(challenger: Challenger) -> dict[str, Any]:
    """Return how the challenger was made, as JSON values."""
    return {"way": challenger.choice.words, "learnt": challenger.learnt, "choice": to_json(challenger.choice)}
