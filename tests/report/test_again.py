"""Kept runs judged again by the claims listed now."""

import json
import shutil
from pathlib import Path

import pytest
import yaml

from advx.report.again import judge_again
from tests.paths import REFERENCE, ROOT
from tests.running import table

REFERENCES = sorted(REFERENCE.rglob("manifest.json"))


@pytest.mark.parametrize(
    "manifest", REFERENCES, ids=lambda path: str(path.parent.relative_to(REFERENCE))
)
def test_the_reference_runs_keep_their_outcomes_and_verdicts(manifest, tmp_path) -> None:
    """Judging the kept rows again, by the claims listed now, writes the files that are there."""
    folder = tmp_path / manifest.parent.name
    shutil.copytree(manifest.parent, folder)
    config = json.loads(manifest.read_text(encoding="utf-8"))["config"]
    drawn = judge_again(folder)
    assert [o.claim for o in drawn.outcomes] == [c["claim"] for c in listed_claims(config)]
    for name in ("results.csv", "summary.csv", "summary.md", "claims.csv"):
        assert (folder / name).read_bytes() == (manifest.parent / name).read_bytes()
    refused = [limit for limit in drawn.limits if limit.startswith("no verdicts")]
    assert bool(refused) == (config["scale"] != "chapter")


def test_judging_again_prints_what_a_run_prints(advx, tmp_path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(REFERENCE / "quick" / "transfer_table", folder)
    status, printed, said = advx("report", "--judge", str(folder))
    assert (status, said) == (0, "")
    outcomes = [line for line in printed.splitlines() if " seeds)  " in line]
    claims = table(folder / "claims.csv")
    assert [line.split("  ")[-1] for line in outcomes] == [claim["claim"] for claim in claims]
    assert "holds, narrowly (3/3 seeds)  tanh above softmax regression" in outcomes
    assert len({line.index(" (") for line in outcomes}) == 1  # aligned


def listed_claims(config: dict) -> list[dict]:
    """The claims of an experiment's YAML."""
    path = ROOT / "conf" / "experiment" / f"{config['experiment']}.yaml"
    return yaml.safe_load(path.read_text(encoding="utf-8")).get("claims") or []


def test_judging_again_changes_no_number(tmp_path) -> None:
    """Values stay, and so does what an experiment's code noted beside them."""
    folder = tmp_path / "gan_samples"
    shutil.copytree(REFERENCE / "gan_samples", folder)
    before = [tuple(r.values()) for r in table(folder / "results.csv")]
    page = folder / "summary.md"
    text = page.read_text(encoding="utf-8")
    page.write_text(text.replace("Generated", "Ggenerated", 1), encoding="utf-8")  # an old title
    judge_again(folder)
    assert page.read_text(encoding="utf-8") == text
    assert [tuple(r.values()) for r in table(folder / "results.csv")] == before
    notes = {(r["row"], r["metric"]): r["note"] for r in table(folder / "summary.csv")}
    assert notes["classifier", "error_rate"].startswith("store key ")


def copied(name: str, tmp_path: Path) -> Path:
    """A reference run's tables in a folder that may be changed."""
    folder = tmp_path / name
    shutil.copytree(
        REFERENCE / name, folder, ignore=shutil.ignore_patterns("*.png", "*.pdf", "*.npz")
    )
    return folder


def edited(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


FAULTS = {
    "another model": (
        lambda folder: edited(folder / "manifest.json", '"epsilon": 0.25', '"epsilon": 0.2'),
        "run with attack.epsilon=0.2, which its experiment's YAML does not have",
    ),
    "claims of its own": (
        lambda folder: edited(folder / "manifest.json", "device.threads=1", "+claims=[]"),
        "run with +claims=[], which",
    ),
    "an experiment of one's own": (
        lambda folder: edited(
            folder / "manifest.json", '"experiment": "transfer_table"', '"experiment": "mine"'
        ),
        "its experiment cannot be read",
    ),
    "rows cut off": (
        lambda folder: (folder / "results.csv").write_text(
            "".join((folder / "results.csv").read_text(encoding="utf-8").splitlines(True)[:5]),
            encoding="utf-8",
        ),
        "results.csv and summary.csv do not have the same rows",
    ),
    "a seed that is none": (
        lambda folder: edited(folder / "results.csv", "error_rate,,,0,", "error_rate,,,abc,"),
        "results.csv cannot be read",
    ),
    "a failed run": (
        lambda folder: (folder / "FAILED").write_text("ValueError: boom\n", encoding="utf-8"),
        "failed: ValueError: boom",
    ),
    "no experiment": (
        lambda folder: edited(
            folder / "manifest.json", '"experiment": "transfer_table"', '"name": "x"'
        ),
        "manifest.json cannot be read",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_cannot_be_judged_again_is_left_as_it_is(advx, fault, tmp_path) -> None:
    folder = copied("transfer_table", tmp_path)
    spoil, why = FAULTS[fault]
    spoil(folder)
    before = {path: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    status, printed, said = advx("report", "--judge", str(folder))
    assert (status, printed, said.count("\n")) == (2, "", 1)
    assert why in said
    assert {path: path.read_bytes() for path in before} == before


def test_judging_again_keeps_a_note_of_the_code_and_a_row_called_na(tmp_path) -> None:
    folder = copied("transfer_table", tmp_path)
    for name in ("results.csv", "summary.csv"):
        text = (folder / name).read_text(encoding="utf-8")
        (folder / name).write_text(text.replace(",relu,", ",NA,"), encoding="utf-8")
    text = (folder / "summary.csv").read_text(encoding="utf-8").splitlines()
    at = next(k for k, line in enumerate(text) if ",NA,clean_error_rate," in line)
    text[at] += "by code"
    (folder / "summary.csv").write_text("\n".join(text) + "\n", encoding="utf-8")
    judge_again(folder)
    lines = table(folder / "summary.csv")
    notes = {(r["row"], r["metric"], r["setting"]): r["note"] for r in lines}
    assert notes["NA", "clean_error_rate", ""] == "by code"
