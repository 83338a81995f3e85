"""Updates: rows that judge are never learnt from, gates decide, one process works, and nothing moves half-way."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
import turning_rows as turning

from luban.core.errors import Conflict, InputError, LubanError, NotFound, Unsupported
from luban.core.progress import listening, stopping
from luban.core.update import UpdatePolicy
from luban.data import versions
from luban.execution.inline import InlineExecutor
from luban.execution.local import LocalExecutor
from luban.operations.approvals.approve import approvals_approve
from luban.operations.approvals.list_ import approvals_list
from luban.operations.approvals.reject import approvals_reject
from luban.operations.approvals.show import approvals_show
from luban.operations.data.import_ import data_import
from luban.operations.deploy import deploy
from luban.operations.deployments.remove import deployments_remove
from luban.operations.predictions.erase import PredictionsErased, predictions_erase
from luban.operations.update import update
from luban.operations.updates.list_ import updates_list
from luban.operations.updates.remove import updates_remove
from luban.operations.updates.set import updates_set
from luban.operations.updates.show import updates_show
from luban.operations.updating.continued import news
from luban.operations.updating.material import of_data, of_log
from luban.operations.updating.policy import policy_of
from luban.operations.updating.rows import Rows, joined
from luban.operations.updating.subject import subject
from luban.operations.updating.window import windows
from luban.store import Workspace
from luban.store.processes import this_process
from luban.surfaces.rest.openapi import need

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

QUICK: dict[str, Any] = {"rounds": 1, "gate": ("latency=off",), "way": "retrain"}


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    """A workspace with a champion that learnt before the turn; fits run in this process."""
    monkeypatch.setattr(LocalExecutor, "of_this_machine", classmethod(lambda cls: InlineExecutor()))
    with Workspace.open(tmp_path / ".luban", actor="ada") as opened:
        turning.champion(opened)
        yield opened


def _keys(table: pa.Table) -> set[tuple[float, float]]:
    return set(zip(table["x"].to_pylist(), table["y"].to_pylist(), strict=True))


def test_a_better_challenger_takes_over_and_never_learnt_from_what_judged_it(workspace: Workspace) -> None:
    """After the turn the challenger wins; the newest quarter of the rows is in no data set that it came from."""
    more = turning.rows(600, turned=True, seed=2)
    done = update(workspace, "weather", more, **QUICK)
    assert (done.outcome, done.model, done.challenger, done.fresh) == ("promoted", "weather/1", "weather/2", 150)
    assert workspace.models.get("weather").reference == "weather/2"
    made = workspace.models.get("weather/2")
    learnt = _keys(versions.table(workspace, str(made.dataset)))
    assert learnt.isdisjoint(_keys(more.slice(450)))
    assert _keys(more.slice(440, 10)) <= learnt
    pool = _keys(versions.table(workspace, made.tags["update"]["base"]))
    assert pool.isdisjoint(_keys(more.slice(450)))
    assert workspace.datasets.get(str(made.dataset)).parents == ("weather/1",)
    report = workspace.reports.get(made.reports["gates"])
    assert report.verdict == "pass"
    assert report.figures["gates"]["quality"]["value"] > 0.99
    (line,) = updates_list(workspace, "weather").updates
    assert (line.outcome, line.champion, line.challenger) == ("promoted", "weather/1", "weather/2")
    shown = updates_show(workspace, line.run)
    assert shown.fresh == 150
    assert shown.report == report
    (child,) = workspace.runs.list(parent=line.run)
    assert (child.operation, child.state, workspace.runs.tags(child.id)["model"]) == ("fit", "finished", "weather/2")
    told = workspace.runs.tags(child.id)
    assert (told["dataset"], told["process"]) == (made.dataset, this_process()), "killed, it holds its data no more"
    assert workspace.audit.verify() > 0


def test_after_a_turn_the_recent_window_is_chosen_by_rows_of_its_own(workspace: Workspace) -> None:
    """Learnt from all rows the old ones contradict the new; half or a quarter of them is better, and is taken."""
    done = update(workspace, "weather", turning.rows(600, turned=True, seed=2), **QUICK)
    choice = updates_show(workspace, str(done.run)).choice
    scores = {one["words"]: one["score"] for one in choice["tried"]}
    assert choice["window"]["words"] != "all rows"
    assert scores[f"learn anew from {choice['window']['words']}"] > scores["learn anew from all rows"] + 0.05
    assert choice["tested"] == 150
    assert choice["champion"] < 0.3


def test_a_challenger_that_is_no_better_is_refused_and_kept(workspace: Workspace) -> None:
    """Where the goal is chance alone nobody can be better: the champion stays, the report says which gate refused."""
    done = update(workspace, "weather", turning.rows(400, turned=False, seed=3, chance=True), **QUICK)
    assert (done.outcome, done.challenger) == ("refused", "weather/2")
    assert done.reason == "it did not pass: quality; weather/1 stays, weather/2 is kept"
    assert done.exit_code == 3  # a script does not go on as if it had been promoted
    assert done.report is not None
    assert [one.remedy for one in done.report.findings if one.verdict == "block"] == [
        "It is too close to call: give more labelled rows, or raise --rounds."
    ]
    assert workspace.models.get("weather").reference == "weather/1"
    assert "gates" in workspace.models.get("weather/2").reports


@pytest.mark.long
def test_labelled_predictions_are_learnt_from_once(workspace: Workspace) -> None:
    """The deployment swaps to the challenger; what came before its time is no news for the next update."""
    deploy(workspace, "weather", "weather")
    turning.logged(workspace, turning.rows(400, turned=True, seed=4))
    waits = update(workspace, "weather", on="labels", labels=500, **QUICK)
    assert (waits.outcome, waits.run) == ("waiting", None)
    assert "400 new labelled rows" in waits.reason
    assert update(workspace, "weather", on="labels", labels=300, **QUICK).outcome == "promoted"
    assert workspace.deployments.get("weather").champion == "weather/2"
    assert workspace.models.get("weather").reference == "weather/2"
    again = update(workspace, "weather", on="labels", labels=300, **QUICK)
    assert again.outcome == "waiting"
    assert "100 new labelled rows" in again.reason  # those that judged are later than all that was learnt from
    turning.logged(workspace, turning.rows(300, turned=True, seed=5), start=1000)
    found = of_log(workspace, subject(workspace, "weather"), 0.25)
    assert (len(found.known), len(found.new), len(found.fresh)) == (700, 300, 100)
    assert found.base == "weather/1"


@pytest.mark.long
@pytest.mark.parametrize("approve", [False, True])
def test_a_former_champion_that_is_better_since_answers_again(workspace: Workspace, approve: bool) -> None:
    """The world turns, and turns back: the next update has nothing to learn, it goes back to who was right before; or
    asks, where a person decides. A round later there is nobody better before, and it learns as ever."""
    deploy(workspace, "weather", "weather")
    turning.logged(workspace, turning.rows(400, turned=True, seed=4))
    assert update(workspace, "weather", **QUICK).outcome == "promoted"
    turning.logged(workspace, turning.rows(300, turned=False, seed=5), start=10_000)
    done = update(workspace, "weather", approve=approve, **QUICK)
    assert (done.challenger, done.way, done.learnt) == ("weather/1", "went back to a former champion", 0)
    assert done.fresh == 300
    assert done.outcome == ("asked" if approve else "promoted")
    assert [one.version for one in workspace.models.versions("weather")] == [1, 2]
    if approve:
        approvals_approve(workspace, str(done.approval))
    assert workspace.deployments.get("weather").champion == "weather/1"
    shown = updates_show(workspace, str(done.run))
    assert shown.report == done.report
    turning.logged(workspace, turning.rows(300, turned=False, seed=6), start=20_000)
    again = update(workspace, "weather", **QUICK)
    assert (again.challenger, again.outcome) == ("weather/3", "refused")


@pytest.mark.long
def test_who_erases_a_person_is_told_what_has_learnt_from_their_rows(workspace: Workspace) -> None:
    """The version of the data set that an update made, the model of it, and what to do; a stranger has none. An update
    afterwards learns from what is left."""
    deploy(workspace, "weather", "weather")
    turning.logged(workspace, turning.rows(300, turned=True, seed=4))
    turning.logged(workspace, turning.rows(3, turned=True, seed=7), start=-20, subject="alice")
    assert update(workspace, "weather", **QUICK).challenger == "weather/2"
    assert predictions_erase(workspace, "bob") == PredictionsErased(predictions=0)
    erased = predictions_erase(workspace, "alice")
    made = str(workspace.models.get("weather/2").dataset)
    assert erased.predictions == 3
    assert [(one.dataset, one.rows, one.models) for one in erased.learnt] == [(made, 3, ("weather/2",))]
    assert erased.remedy == (
        "luban update weather --way retrain",
        "luban models delete weather/2",
        f"luban data delete {erased.learnt[0].dataset}",
    )
    assert predictions_erase(workspace, "alice").learnt == ()
    known = turning.rows(30, turned=False, seed=9).append_column("who", pa.array(["alice", *["carol"] * 29]))
    data_import(workspace, known, name="asked", key="who")
    assert [(one.dataset, one.rows) for one in predictions_erase(workspace, "alice").learnt] == [("asked/1", 1)]


@pytest.mark.long
def test_where_the_next_update_would_begin_with_rows_of_the_person_they_are_told_to_fit_anew(
    workspace: Workspace,
) -> None:
    """An update from files leaves the data set that the next one begins with: to learn anew from it is no remedy."""
    known = turning.rows(30, turned=False, seed=9).append_column("who", pa.array(["alice", *["carol"] * 29]))
    data_import(workspace, known, name="weather.update", key="who")
    first = workspace.models.get("weather/1")
    for base, anew in (
        ("weather/1", "luban update weather --way retrain"),
        ("weather.update/1", "luban fit DATA_WITHOUT_THEM --name weather"),
    ):
        workspace.models.register(
            name="weather",
            artifact=first.artifact,
            signature=first.signature,
            task=first.task,
            dataset="weather.update/1",
            tags={"update": {"base": base}},
        )
        erased = predictions_erase(workspace, "alice")
        assert [one.dataset for one in erased.learnt] == ["weather.update/1"]
        assert erased.remedy[:2] == (anew, "luban models delete weather/2")


@pytest.mark.long
def test_a_person_is_asked_and_decides(workspace: Workspace) -> None:
    """Until the yes nothing moves and nobody is asked twice; then alias and deployment move with the answer."""
    deploy(workspace, "weather", "weather")
    turning.logged(workspace, turning.rows(400, turned=True, seed=4))
    asked = update(workspace, "weather", on="labels", labels=100, approve=True, **QUICK)
    assert (asked.outcome, asked.challenger) == ("asked", "weather/2")
    assert workspace.deployments.get("weather").champion == "weather/1"
    (question,) = approvals_list(workspace)
    assert question.id == asked.approval
    assert approvals_show(workspace, question.id[:12]).report == asked.report
    assert "waits for a person" in update(workspace, "weather", on="labels", labels=100, approve=True, **QUICK).reason
    second = update(workspace, "weather", approve=True, **QUICK)  # asked for now: it takes the older one's place
    assert approvals_list(workspace, "superseded")[0].id == question.id
    assert approvals_reject(workspace, str(second.approval), reason="not on a Friday").state == "rejected"
    assert workspace.deployments.get("weather").champion == "weather/1"
    third = update(workspace, "weather", approve=True, **QUICK)
    yes = approvals_approve(workspace.acting("bob"), str(third.approval), reason="go")
    assert (yes.approval.decider, yes.promoted.deployments) == ("bob", ("weather",))
    assert yes.note == f"{third.challenger} took over: the alias champion, weather"
    assert workspace.deployments.get("weather").champion == str(third.challenger)
    with pytest.raises(Conflict, match="not open"):
        approvals_approve(workspace, str(third.approval))


@pytest.mark.long
def test_a_yes_to_a_former_champion_is_refused(workspace: Workspace) -> None:
    """Somebody promoted another version meanwhile: the comparison no longer counts, and the question stays open."""
    asked = update(workspace, "weather", turning.rows(400, turned=True, seed=2), approve=True, **QUICK)
    turning.champion(workspace)
    with pytest.raises(Conflict, match="not the champion any more"):
        approvals_approve(workspace, str(asked.approval))
    assert approvals_list(workspace)[0].state == "open"
    assert workspace.models.get("weather").reference == "weather/3"


def test_two_do_not_update_at_once(workspace: Workspace) -> None:
    """Who finds the lease held leaves; who asked for it now is told by whom."""
    held = workspace.leases.take("update/weather", "process 1 on another machine")
    rows = turning.rows(400, turned=True, seed=2)
    with pytest.raises(Conflict, match="another machine"):
        update(workspace, "weather", rows, **QUICK)
    busy = update(workspace, "weather", rows, on="labels", **QUICK)
    assert busy.outcome == "busy"
    assert updates_list(workspace).updates == ()
    assert held is not None
    workspace.leases.release(held)
    assert update(workspace, "weather", rows, **QUICK).outcome == "promoted"


@pytest.mark.parametrize("moment", [pytest.param("before judging", marks=pytest.mark.long), "after judging"])
def test_a_stalled_updater_moves_nothing(workspace: Workspace, monkeypatch: pytest.MonkeyPatch, moment: str) -> None:
    """Its lease ran out and was taken over while it worked: its token is old, and its run ends as interrupted."""
    from luban.operations.updating import contest

    judged = contest.judged
    deploy(workspace, "weather", "weather")

    def taken_over() -> None:
        lease = workspace.leases.holder("update/weather")
        assert lease is not None
        workspace.leases.release(lease)
        assert workspace.leases.take("update/weather", "another") is not None

    def stalled(*given: Any, **options: Any) -> Any:
        found = judged(*given, **options)
        taken_over()
        return found

    monkeypatch.setattr(contest, "judged", stalled)
    if moment == "before judging":
        from luban.operations.updating import challenger

        make = challenger.make

        def slowly(*given: Any, **options: Any) -> Any:
            found = make(*given, **options)
            taken_over()
            return found

        monkeypatch.setattr(challenger, "make", slowly)
    with pytest.raises(Conflict, match="somebody else"):
        update(workspace, "weather", turning.rows(400, turned=True, seed=2), **QUICK)
    assert workspace.models.get("weather").reference == "weather/1"
    assert workspace.deployments.get("weather").champion == "weather/1"
    assert updates_list(workspace).updates[0].outcome == "interrupted"


@pytest.mark.long
def test_what_a_dead_process_left_is_marked_and_the_next_update_goes_on(workspace: Workspace) -> None:
    """Runs that are still running when somebody else holds the lease are ended as interrupted, their parts too."""
    left = workspace.runs.start("update", {"name": "weather"})
    part = workspace.runs.start("fit", {}, parent=left.id)
    other = workspace.runs.start("update", {"name": "another"})
    assert update(workspace, "weather", turning.rows(400, turned=True, seed=2), **QUICK).outcome == "promoted"
    states = [workspace.runs.get(run.id).state for run in (left, part, other)]
    assert states == ["interrupted", "interrupted", "running"]


def test_the_last_update_of_a_name_is_found_behind_those_of_others(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However often others were updated since: else a daily schedule would follow theirs."""
    from luban.operations.updating import trigger
    from luban.operations.updating.subject import subject

    monkeypatch.setattr(trigger, "_PAGE", 2)
    one = subject(workspace, "weather")
    assert trigger.last_update(workspace, one) is None
    runs = [workspace.runs.start("update", {"name": name}) for name in ("weather", "weather", *"abcde")]
    for run in runs:
        workspace.runs.finish(run.id, "finished")
    last = trigger.last_update(workspace, one)
    assert last is not None
    assert last.id == runs[1].id
    assert [run.id for run in trigger.subject_runs(workspace, one)] == [runs[1].id, runs[0].id]


@pytest.mark.long
def test_triggers_wait_for_time_and_drift(workspace: Workspace) -> None:
    """By schedule the first update is due and the next is not; drift is what monitoring sees in the log."""
    deploy(workspace, "weather", "weather")
    turning.logged(workspace, turning.rows(400, turned=False, seed=6))
    assert "sees no drift" in update(workspace, "weather", on="drift", **QUICK).reason
    moved = turning.rows(400, turned=True, seed=7)
    moved = moved.set_column(0, "x", pa.array(moved["x"].to_numpy() + 3.0))
    turning.logged(workspace, moved, start=1000)
    done = update(workspace, "weather", on="drift", **QUICK)
    assert done.run is not None
    assert "inputs have moved: x" in updates_list(workspace).updates[0].why
    turning.logged(workspace, turning.rows(400, turned=True, seed=8), start=2000)
    assert "the last update began" in update(workspace, "weather", on="schedule", every=3600, **QUICK).reason
    assert update(workspace, "weather", on="schedule", every=0.001, **QUICK).run is not None


def test_a_canary_under_way_is_left_alone(workspace: Workspace) -> None:
    """The loop waits until a person's trial is over."""
    turning.champion(workspace)
    deploy(workspace, "weather", "weather/1")
    deploy(workspace, "weather", "weather/2", canary="10%")
    turning.logged(workspace, turning.rows(400, turned=True, seed=4))
    assert "a canary is under way" in update(workspace, "weather", on="labels", labels=100, **QUICK).reason


def test_a_file_may_continue_the_one_before(workspace: Workspace) -> None:
    """Rows that were learnt from are no news, however the file holds them; a row that repeats is one each time."""
    new = turning.rows(300, turned=True, seed=2)
    whole = pa.concat_tables([turning.rows(400, turned=False, seed=1), new, new.slice(0, 50)])
    found = of_data(workspace, subject(workspace, "weather"), whole, 0.5)
    assert (len(found.known), len(found.new), len(found.fresh)) == (400, 175, 175)
    assert "400 of 750 rows had been learnt from" in found.notes[0]
    assert len(of_data(workspace, subject(workspace, "weather"), new, 0.5).fresh) == 150


@pytest.mark.long
def test_what_an_earlier_update_learnt_from_is_no_news(workspace: Workspace) -> None:
    """Data A, then B, then A again, and the rows of the fit: of A are left those that judged, of the fit none."""
    first, second = turning.rows(400, turned=True, seed=2), turning.rows(400, turned=True, seed=3)
    asked = {**QUICK, "way": "continue", "gate": ("quality=0", "latency=off")}
    for place, more in enumerate((first, second)):
        done = update(workspace, "weather", more, **asked)
        assert (done.outcome, done.challenger, done.exit_code) == ("promoted", f"weather/{place + 2}", 0)
    found = of_data(workspace, subject(workspace, "weather"), first, 0.5)
    assert len(found.known) == 400 + 300 + 300
    assert "300 of 400 rows had been learnt from before" in found.notes[-1]
    left = pa.concat_tables([found.new.table, found.fresh.table])
    assert left["x"].to_pylist() == first["x"].slice(300).to_pylist()
    with pytest.raises(InputError, match=r"400 of 400 rows had been learnt from before.*has not learnt from"):
        update(workspace, "weather", turning.rows(400, turned=False, seed=1), **asked)
    workspace.models.delete("weather/1")  # what it learnt from is known all the same
    assert len(of_data(workspace, subject(workspace, "weather"), turning.rows(400, turned=False, seed=1), 0.5).new) == 0


def test_rows_that_are_often_equal_are_not_taken_for_those_of_before() -> None:
    """Answers to three questions repeat in any file: only a continuation of the whole fit is told by its rows."""

    def asked(seed: int, count: int) -> Rows:
        table = pa.table({"a": np.random.default_rng(seed).integers(0, 3, count).astype(float)})
        return Rows(table=table, target=np.zeros(count, np.int64))

    fit, other = asked(1, 200), asked(2, 100)
    assert news(other, [fit]) is None
    more = news(joined([fit, other]), [fit])
    assert more is not None
    assert len(more) == 100


def test_labels_that_are_no_class_are_left_out_and_named(workspace: Workspace) -> None:
    """A third class among the labels is for a new fit, not for an update."""
    deploy(workspace, "weather", "weather")
    table = turning.rows(200, turned=True, seed=4)
    strange = table.set_column(2, "goal", pa.array(["perhaps"] * 10 + table["goal"].to_pylist()[10:]))
    turning.logged(workspace, strange)
    found = of_log(workspace, subject(workspace, "weather"), 0.25)
    assert len(found.new) + len(found.fresh) == 190
    assert "10 labels are none of the model's classes" in found.notes[0]


def test_the_challenger_never_answers_by_being_the_newest(workspace: Workspace) -> None:
    """A model without the alias champion means its newest version: the alias is set before there is a newer one."""
    workspace.models.set_alias("weather", "champion", None)
    done = update(workspace, "weather", turning.rows(400, turned=False, seed=3, chance=True), **QUICK)
    assert done.outcome == "refused"
    assert workspace.models.get("weather").reference == "weather/1"


@pytest.mark.long
def test_boosted_trees_may_go_on_instead(workspace: Workspace) -> None:
    """The new version has the champion's trees and more, and learnt from the new rows alone."""
    turning.champion(workspace, "lightgbm", name="trees")
    done = update(workspace, "trees", turning.rows(600, turned=True, seed=2), **{**QUICK, "way": "continue"})
    assert (done.outcome, done.way, done.learnt) == ("promoted", "went on learning", 450)
    made = workspace.models.get("trees/2")
    assert made.recipe is not None
    assert made.recipe.steps[-1].parameters["from"] == "trees/1"
    turning.champion(workspace, "nearest_neighbours", name="near")
    with pytest.raises(LubanError, match="cannot go on learning"):
        update(workspace, "near", turning.rows(600, turned=True, seed=2), **{**QUICK, "way": "continue"})


@pytest.mark.long
@pytest.mark.parametrize("learner", ["linear", "neural_network"])
def test_lines_and_networks_may_go_on_instead(workspace: Workspace, learner: str) -> None:
    """They learn from the new rows alone, old ones beside them where they need that, and the version answers."""
    turning.champion(workspace, learner, name="other")
    done = update(workspace, "other", turning.rows(600, turned=True, seed=2), **{**QUICK, "way": "continue"})
    assert (done.outcome, done.way, done.learnt) == ("promoted", "went on learning", 450)
    assert workspace.models.get("other").reference == "other/2"


def test_policies_are_set_listed_and_removed(workspace: Workspace, tmp_path: Path) -> None:
    """A policy has the limits of its file, and options before those; deploy --update is the short form."""
    (tmp_path / "gates.yaml").write_text("quality: 0.8\nsize: off\n")
    updates_set(workspace, "weather", on="labels", labels=50, gates=tmp_path / "gates.yaml", gate=("quality=0.7",))
    policy = workspace.policies.list()["weather"]
    assert (policy.on, policy.labels, dict(policy.gates)) == ("labels", 50, {"quality": "0.7", "size": None})
    assert [one.name for one in updates_list(workspace).policies] == ["weather"]
    updates_remove(workspace, "weather")
    deploy(workspace, "shop", "weather", update="drift")
    assert workspace.policies.list() == {"shop": UpdatePolicy(on="drift")}
    deploy(workspace, "shop", "weather", update="off")
    assert workspace.policies.list() == {}


def test_a_watch_looks_until_it_is_stopped(workspace: Workspace) -> None:
    """It tells what each look came to, and the last result is returned."""
    deploy(workspace, "weather", "weather")
    turning.logged(workspace, turning.rows(60, turned=True, seed=4))
    looks, told = iter([False] * 8 + [True] * 50), []
    with stopping(lambda: next(looks)), listening(lambda news: told.append(news.message)):
        done = update(workspace, "weather", on="labels", watch=1.0, **QUICK)
    assert done.outcome == "waiting"
    assert sum("60 new labelled rows" in message for message in told) >= 2


def test_a_deployment_that_is_gone_is_updated_no_more(workspace: Workspace) -> None:
    """Its policy goes with it."""
    deploy(workspace, "shop", "weather", update="labels")
    deployments_remove(workspace, "shop")
    assert workspace.policies.list() == {}


def test_what_cannot_be_is_said(workspace: Workspace, tmp_path: Path) -> None:
    """Too few rows, unknown names and gates, versions instead of names, options that contradict each other."""
    rows = turning.rows(60, turned=True, seed=2)
    with pytest.raises(InputError, match="60 new labelled rows, and 100 are needed"):
        update(workspace, "weather", rows)
    with pytest.raises(InputError, match="luban feedback"):
        update(workspace, "weather")
    with pytest.raises(NotFound):
        update(workspace, "wether")
    with pytest.raises(InputError, match="not one version"):
        update(workspace, "weather/1", rows)
    with pytest.raises(NotFound, match="quality"):
        update(workspace, "weather", rows, gate=("qualiti=1",))
    with pytest.raises(InputError, match="not in the data"):
        update(workspace, "weather", rows.drop_columns("goal"))
    with pytest.raises(InputError, match="--on drift"):
        update(workspace, "weather", watch=5.0)
    for wrong in ({"fresh": "99%"}, {"labels": 0}, {"window": "some"}, {"window": "120%"}, {"rounds": 0}):
        with pytest.raises(InputError):
            policy_of(**wrong)
    (tmp_path / "gates.yaml").write_text("- quality")
    with pytest.raises(InputError, match="a limit for each name"):
        policy_of(gates=tmp_path / "gates.yaml")
    version = workspace.models.get("weather")
    picture = replace(version.signature, inputs=(replace(version.signature.inputs[0], kind="image"),))
    workspace.models.register(
        name="pictures", artifact=version.artifact, signature=picture, task=version.task, dataset=version.dataset
    )
    with pytest.raises(Unsupported, match=r"prediction log.*luban update pictures DATA"):
        update(workspace, "pictures")


def test_who_may_answer_is_decided_by_the_scope_of_the_token() -> None:
    """To say yes or no needs the scope approve, to see what is asked read; a policy needs write."""
    wanted = {approvals_approve: "approve", approvals_reject: "approve", updates_set: "write", update: "write"}
    wanted |= {approvals_list: "read", approvals_show: "read", updates_list: "read", updates_show: "read"}
    assert {need(operation) for operation in wanted} == {"read", "write", "approve"}
    assert all(need(operation) == scope for operation, scope in wanted.items())


def test_windows_are_the_newest_rows() -> None:
    """Shares and numbers are read; what is chosen for the user is never smaller than a model needs."""
    assert [one.rows for one in windows("auto", 1000)] == [1000, 500, 250]
    assert [one.rows for one in windows("auto", 300)] == [300]
    assert [one.rows for one in windows("20%", 1000)] == [200]
    assert [one.rows for one in windows("5000", 1000)] == [1000]


def test_rows_of_one_moment_are_not_torn_apart() -> None:
    """The rows of a request are all learnt from, or all judge."""
    from luban.operations.updating.material import _boundary

    moments = np.array([0, 1, 2, 2, 2, 3], "datetime64[us]")
    assert _boundary(moments, 4, 0) == 2
    assert _boundary(moments, 5, 0) == 5
    assert _boundary(np.zeros(6, "datetime64[us]"), 3, 0) == 3
