"""A third party adds a learner with one file and one entry point: installed for real, used by its name."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SAMPLE = Path(__file__).parent / "sample"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment in which the sample package is installed by pip, beside this one."""
    target = tmp_path_factory.mktemp("site")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "--target", str(target), str(SAMPLE)], check=True)
    assert list(target.glob("luban_naive_bayes-*.dist-info"))
    workspace = str(tmp_path_factory.mktemp("workspace"))
    return {**os.environ, "PYTHONPATH": str(target), "LUBAN_WORKSPACE": workspace}


def luban(environment: dict[str, str], *arguments: str) -> dict[str, object]:
    done = subprocess.run(
        [sys.executable, "-m", "luban", *arguments, "--json"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    result: dict[str, object] = json.loads(done.stdout)
    return result


def test_plugin_is_listed_with_its_package(installed: dict[str, str]) -> None:
    parts = luban(installed, "plugins", "learners")["parts"]
    assert {
        "group": "learners",
        "name": "naive_bayes",
        "package": "luban-naive-bayes",
        "usable": True,
        "remedy": "",
    } in parts


def test_plugin_learns_predicts_and_says_what_it_cannot(installed: dict[str, str], tmp_path: Path) -> None:
    from sklearn.datasets import load_diabetes, load_wine

    load_wine(as_frame=True).frame.to_csv(tmp_path / "wine.csv", index=False)
    load_diabetes(as_frame=True).frame.to_csv(tmp_path / "diabetes.csv", index=False)
    wine = str(tmp_path / "wine.csv")
    fitted = luban(installed, "fit", wine, "--target", "target", "--rounds", "1", "--learners", "naive_bayes")
    used = [line for line in fitted["leaderboard"] if line["weight"] > 0]
    assert {line["learner"] for line in used} == {"naive_bayes"}
    metrics = luban(installed, "evaluate", "wine", wine)["metrics"]
    assert metrics["accuracy"] > 0.95
    assert any("ONNX" in note for note in fitted["notes"]), "it cannot be exported, and the user is told"
    numbers = luban(installed, "fit", str(tmp_path / "diabetes.csv"), "--target", "target", "--rounds", "1")
    reasons = {line["learner"]: line["reason"] for line in numbers["leaderboard"]}
    assert reasons["naive_bayes"] == "naive Bayes predicts classes, not numbers"


def test_plugin_passes_the_conformance_checks_that_luban_ships(installed: dict[str, str], tmp_path: Path) -> None:
    test = tmp_path / "test_conformance.py"
    test.write_text(
        "from luban.testing.learner import LearnerConformance\n"
        "from luban_naive_bayes import NaiveBayesLearner\n\n\n"
        "class TestNaiveBayes(LearnerConformance):\n"
        "    learner = NaiveBayesLearner\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(test)],
        env=installed,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout
