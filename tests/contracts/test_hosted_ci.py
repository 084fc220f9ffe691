"""The workflow for hosted CI: its Pythons, its make targets, its actions."""

import re
from typing import Any

import pytest
import yaml

from advx.reproduce.plan import FOLDER
from tests.paths import ROOT, pythons


@pytest.fixture
def workflow() -> dict[str, Any]:
    text = (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
    return yaml.load(text, yaml.BaseLoader)  # every scalar is text: "on" is no truth, 3.10 no 3.1


def steps(workflow: dict[str, Any], key: str) -> list[str]:
    """What the steps of all jobs have under a key."""
    jobs = workflow["jobs"].values()
    return [step[key] for job in jobs for step in job["steps"] if key in step]


def test_every_python_that_is_supported_is_tested(workflow) -> None:
    (job,) = workflow["jobs"].values()
    assert job["strategy"]["matrix"]["python"] == pythons()
    (chosen,) = [
        step["with"]["python-version"]
        for step in job["steps"]
        if step.get("uses", "").startswith("actions/setup-python")
    ]
    assert chosen == "${{ matrix.python }}"


def test_it_runs_targets_that_there_are(workflow) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([\w-]+):", makefile, re.MULTILINE))
    lines = steps(workflow, "run")
    called = [re.fullmatch(r"make ([\w-]+)(?: \w+=\w+)*", line).group(1) for line in lines]
    assert called[0] == "setup"
    assert {"lint", "test", "reproduce-all", "docs"} <= set(called) <= targets


def test_the_experiments_run_once_and_the_tests_read_what_they_left(workflow) -> None:
    lines = steps(workflow, "run")
    assert lines.index("make reproduce-all SCALE=smoke") < lines.index("make test")
    (job,) = workflow["jobs"].values()
    assert job["env"]["ADVX_REPRODUCED"] == str(FOLDER / "smoke")


def test_actions_are_pinned_and_the_cache_follows_the_lock_file(workflow) -> None:
    used = steps(workflow, "uses")
    assert all(re.fullmatch(r"actions/[\w-]+@v\d+", action) for action in used)
    (key,) = [given["key"] for given in steps(workflow, "with") if "key" in given]
    assert "hashFiles('requirements.lock')" in key
    assert "matrix.python" in key
    assert workflow["concurrency"]["cancel-in-progress"] == "true"
    assert set(workflow["on"]) == {"push", "pull_request"}
