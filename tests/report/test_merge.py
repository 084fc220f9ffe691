"""Runs joined over their seeds, and two runs side by side."""

import csv
import json
import math
import shutil
from pathlib import Path

import pytest

from advx.config.cells import Cell
from advx.errors import AdvxError, ConfigError
from advx.report import merge as merging
from advx.report.compare import Side, compare
from advx.report.finished import Unfinished
from advx.report.merge import merge, read
from advx.report.results import Row
from tests.printed import ALL, kind
from tests.processes import advx
from tests.running import ran

WORDS = ["experiment=transfer_table", "scale=smoke", "device.threads=1", "protocols=[unclipped]"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> dict[str, Path]:
    """The same experiment on seeds 0 and 1 apart and together, and on 2, in one store."""
    base = tmp_path_factory.mktemp("runs")
    folders = {}
    for seeds in ("[0]", "[1]", "[0,1]", "[2]"):
        place = base / seeds
        place.mkdir()
        words = [*WORDS, f"seeds={seeds}", f"store={base / 'store'}"]
        folders[seeds] = ran(place, words).folder
    return folders


def rows(folder: Path) -> list[tuple[str, ...]]:
    with (folder / "results.csv").open(encoding="utf-8") as file:
        return [tuple(line.values()) for line in csv.DictReader(file)]


def test_joined_runs_are_the_run_over_all_seeds(runs, tmp_path) -> None:
    into = tmp_path / "joined"
    merge([runs["[1]"], runs["[0]"]], into)  # in any order
    together = runs["[0,1]"]
    assert sorted(rows(into)) == sorted(rows(together))
    for name in ("summary.csv", "claims.csv", "summary.md"):
        assert (into / name).read_bytes() == (together / name).read_bytes(), name
    manifest = json.loads((into / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["config"]["seeds"] == [0, 1]
    assert len(manifest["joined"]) == 2
    whole = json.loads((together / "manifest.json").read_text(encoding="utf-8"))
    assert set(manifest["store_keys"]) == set(whole["store_keys"])


def test_a_run_joins_the_folder_that_grows(runs, tmp_path) -> None:
    into = tmp_path / "grown"
    shutil.copytree(runs["[0]"], into)
    merge([into, runs["[1]"]], into)
    assert (into / "summary.csv").read_bytes() == (runs["[0,1]"] / "summary.csv").read_bytes()
    merge([into, runs["[2]"]], into)
    joined, *alone = (
        json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        for folder in (into, *(runs[seeds] for seeds in ("[0]", "[1]", "[2]")))
    )
    assert joined["joined"] == [each["command"] for each in alone]  # what ran, not what joined it


def test_a_seed_that_joins_late_stands_in_its_place(runs, tmp_path) -> None:
    for name, order in (("in order", "012"), ("late", "021")):
        into = tmp_path / name
        merge([runs[f"[{order[0]}]"], runs[f"[{order[1]}]"]], into)
        merge([into, runs[f"[{order[2]}]"]], into)
    late = json.loads((into / "manifest.json").read_text(encoding="utf-8"))
    assert late["config"]["seeds"] == [0, 1, 2]
    for each in ("summary.csv", "summary.md", "claims.csv"):
        assert (into / each).read_bytes() == (tmp_path / "in order" / each).read_bytes()


def test_a_network_that_two_runs_share_was_trained_once(runs, tmp_path) -> None:
    folders = [tmp_path / "0", tmp_path / "1"]
    alone = 0.0
    for folder in folders:
        shutil.copytree(runs[f"[{folder.name}]"], folder)
        alone += json.loads((folder / "manifest.json").read_text())["seconds"]["train"]
        with (folder / "timing.csv").open("a", encoding="utf-8") as timing:
            timing.write('train,"maxout, seed 0, 1234",3600.0\nmeasure,both,2.0\n')
    merge(folders, tmp_path / "both")
    written = (tmp_path / "both" / "timing.csv").read_text(encoding="utf-8")
    assert '"maxout, seed 0, 1234",3600' in written
    seconds = json.loads((tmp_path / "both" / "manifest.json").read_text())["seconds"]
    assert seconds["train"] == pytest.approx(alone + 3600, abs=0.2)
    assert seconds["measure"] == pytest.approx(4.0, abs=0.2)


def changed(folder: Path, to: Path, **manifest: object) -> Path:
    """A copy of a run with another manifest."""
    shutil.copytree(folder, to)
    path = to / "manifest.json"
    found = json.loads(path.read_text(encoding="utf-8"))
    for key, value in manifest.items():
        found[key] = found[key] | value if isinstance(value, dict) else value
    path.write_text(json.dumps(found), encoding="utf-8")
    return to


def test_claims_that_were_mended_between_two_runs_are_those_of_the_run_named_last(
    runs, tmp_path
) -> None:
    """They change no number: it would be a pity to measure again for a word."""
    claim = json.loads((runs["[1]"] / "manifest.json").read_text(encoding="utf-8"))
    mended = claim["config"]["claims"][0] | {"claim": "mended", "says": "so it says now"}
    later = changed(runs["[1]"], tmp_path / "later", config={"claims": [mended]})
    for order, wanted in (([runs["[0]"], later], 1), ([later, runs["[0]"]], 0)):
        into = tmp_path / str(wanted)
        merge(order, into)
        text = (into / "claims.csv").read_text(encoding="utf-8")
        assert text.count("so it says now") == wanted
        assert sorted(rows(into)) == sorted(rows(runs["[0,1]"]))


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"config": {"figure_examples": 5}}, r"figure_examples=5"),
        ({"config": {"device": {"name": "cpu", "threads": 2}}}, r"device="),
        ({"versions": {"torch": "2.0.0"}}, r"torch .* and 2\.0\.0; valid: one version"),
        ({"data": {"test": "0" * 16}}, r"their data differ"),
        ({"versions": {"numpy": None}}, r"numpy .* and None; valid: one version"),
        ({"own_code": {"modules": {"mine": "1"}}}, r"their own code differ"),
    ],
)
def test_runs_that_differ_otherwise_are_refused(runs, tmp_path, change, complaint) -> None:
    other = changed(runs["[1]"], tmp_path / "other", **change)
    with pytest.raises(ConfigError, match=complaint):
        merge([runs["[0]"], other], tmp_path / "into")
    assert not (tmp_path / "into").exists()


def test_another_version_of_a_library_whose_attack_was_run_is_refused(runs, tmp_path) -> None:
    one, other, without = (
        changed(runs[seed], tmp_path / name, versions=versions)
        for seed, name, versions in (
            ("[0]", "one", {"foolbox": "3.3.3"}),
            ("[1]", "other", {"foolbox": "3.3.4"}),
            ("[1]", "without", {"foolbox": None}),
        )
    )
    with pytest.raises(ConfigError, match=r"foolbox 3\.3\.3 and 3\.3\.4; valid: one version"):
        merge([one, other], tmp_path / "into")
    merge([one, without], tmp_path / "into")


def test_a_seed_stands_in_one_run_only(runs, tmp_path) -> None:
    with pytest.raises(ConfigError, match="all have seed 0; valid: each seed once"):
        merge([runs["[0]"], runs["[0,1]"]], tmp_path / "into")
    with pytest.raises(ConfigError, match="two runs at least"):
        merge([runs["[0]"]], tmp_path / "into")


def test_a_number_without_a_seed_must_be_the_same(runs, tmp_path) -> None:
    other = changed(runs["[1]"], tmp_path / "other")
    path = other / "results.csv"
    lines = path.read_text(encoding="utf-8").splitlines()
    place = next(i for i, line in enumerate(lines) if line.startswith("transfer_table,smoothed"))
    parts = lines[place].split(",")
    parts[6] = "99.5"
    lines[place] = ",".join(parts)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"is 99\.5, which rests on no seed"):
        merge([runs["[0]"], other], tmp_path / "into")


@pytest.mark.parametrize("fact", ["sha256", "validation_error_rate"])
def test_a_network_of_both_runs_must_have_the_same_weights(runs, tmp_path, fact) -> None:
    """As where one was trained on a CPU and one on a GPU; older manifests have no digest."""
    key, network = next(
        (key, facts)
        for key, facts in read(runs["[0]"]).manifest["store_keys"].items()
        if "sha256" in facts
    )
    other = tmp_path / "other"
    shutil.copytree(runs["[1]"], other)
    manifest = json.loads((other / "manifest.json").read_text(encoding="utf-8"))
    manifest["store_keys"][key] = network
    (other / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    merge([runs["[0]"], other], tmp_path / "shared")
    changed = dict(network) | {fact: 99.5 if fact != "sha256" else "0" * 64}
    if fact != "sha256":
        del changed["sha256"]
    manifest["store_keys"][key] = changed
    (other / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(ConfigError, match=rf"{key}\) was trained for each of them.*{fact}"):
        merge([runs["[0]"], other], tmp_path / "mixed")
    assert not (tmp_path / "mixed").exists()


def test_a_failed_run_is_refused(runs, tmp_path) -> None:
    other = changed(runs["[1]"], tmp_path / "other")
    (other / "FAILED").write_text("ValueError: no\n", encoding="utf-8")
    with pytest.raises(AdvxError, match="failed: ValueError: no"):
        merge([runs["[0]"], other], tmp_path / "into")


def test_a_join_that_was_cut_short_counts_no_seed_twice(runs, tmp_path, monkeypatch) -> None:
    """Whether the disk was full or the process was killed between two files."""
    whole = tmp_path / "whole"
    merge([runs["[0]"], runs["[1]"]], whole)
    into = tmp_path / "grown"
    shutil.copytree(runs["[0]"], into)
    before = {path.name: path.read_bytes() for path in into.iterdir() if path.is_file()}
    write = merging.write_text

    def full(path: Path, text: str) -> None:
        if path.name == "manifest.json":
            raise OSError(28, "No space left on device")
        write(path, text)

    monkeypatch.setattr(merging, "write_text", full)
    with pytest.raises(OSError, match="No space left"):
        merge([into, runs["[1]"]], into)
    assert {p.name: p.read_bytes() for p in into.iterdir() if p.name in before} == before
    assert not list(into.glob(".joined-*"))
    monkeypatch.undo()
    merge([into, runs["[1]"]], into)
    assert (into / "results.csv").read_bytes() == (whole / "results.csv").read_bytes()
    for name in ("results.csv", "summary.csv"):  # one file alone was replaced
        halfway = tmp_path / f"halfway {name}"
        shutil.copytree(runs["[0]"], halfway)
        shutil.copy(whole / name, halfway / name)
        if name == "results.csv":
            with pytest.raises(Unfinished, match="has rows of seed 1, its manifest has not"):
                merge([halfway, runs["[1]"]], halfway)
        else:
            merge([halfway, runs["[1]"]], halfway)
            assert (halfway / name).read_bytes() == (whole / name).read_bytes()


def test_rows_that_are_not_those_of_the_manifest_are_refused(runs, tmp_path) -> None:
    other = changed(runs["[1]"], tmp_path / "other", config={"seeds": [7]})
    with pytest.raises(Unfinished, match=r"results\.csv has rows of seed 1, its manifest has not"):
        merge([runs["[0]"], other], tmp_path / "into")
    other = changed(runs["[1]"], tmp_path / "twice")
    path = other / "results.csv"
    text = path.read_text(encoding="utf-8")
    line = next(each for each in text.splitlines() if "maxout -> relu" in each)
    path.write_text(text + line + "\n", encoding="utf-8")
    with pytest.raises(Unfinished, match=r"maxout -> relu.* of seed 1 2 times"):
        merge([runs["[0]"], other], tmp_path / "into")
    path.write_text(text.replace("transfer_table,", "imperceptible,"), encoding="utf-8")
    with pytest.raises(Unfinished, match="rows of imperceptible, not transfer_table"):
        merge([runs["[0]"], other], tmp_path / "into")


def test_nothing_of_another_run_is_overwritten(runs, tmp_path) -> None:
    other = tmp_path / "other"
    shutil.copytree(runs["[0,1]"], other)
    for into in (other, runs["[0,1]"] / "manifest.json"):
        with pytest.raises(ConfigError, match=r"into=.*; valid: a new folder, or that of one"):
            merge([runs["[0]"], runs["[1]"]], into)
    assert rows(other) == rows(runs["[0,1]"])


@pytest.mark.parametrize(
    ("path", "value"),
    [
        *((key, None) for key in ("command", "seconds", "store_keys")),
        ("store_keys", [1]),
        ("store_keys", {"a": "b"}),
        ("seconds", {"train": "1"}),
        ("versions", [1]),
        ("remarks", "none"),
        *(("config.seeds", seeds) for seeds in (None, [], "1", ["1"], [True])),
        ("config.device", None),
        ("config.title", None),
    ],
)
def test_a_manifest_without_what_is_joined_is_one_line(runs, tmp_path, path, value) -> None:
    other = tmp_path / "other"
    shutil.copytree(runs["[1]"], other)
    manifest = json.loads((other / "manifest.json").read_text(encoding="utf-8"))
    *above, key = path.split(".")
    place = manifest["config"] if above else manifest
    place.pop(key)
    if value is not None:
        place[key] = value
    (other / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(Unfinished, match=rf"manifest\.json has no {path} that can be joined"):
        merge([runs["[0]"], other], tmp_path / "into")


def test_the_commands_of_the_pages_join_and_compare(tmp_path) -> None:
    shown = {}
    for words in (words for words in ALL if kind(words) == "its own runs"):
        more = ["scale=smoke", "device.threads=1"] if words[0] == "run" else []
        done = advx(tmp_path, *words, *more)
        assert done.returncode == 0, done.stderr
        shown[words[0], "--merge" in words] = done.stdout
    assert "maxout -> relu" in shown["report", True]
    assert "settings: the same" in shown["compare", False]


def test_where_to_join_must_be_said(tmp_path) -> None:
    done = advx(tmp_path, "report", "--merge", "one", "two")
    assert done.returncode == 2
    assert "--merge and --into belong together" in done.stderr


def side(*values: float, n: int | None = 100, unit: str = "percent") -> Side:
    seeds = [None] if len(values) == 1 else range(len(values))
    return Side.of(
        [Row("e", "r", "m", None, "", s, v, unit, n) for s, v in zip(seeds, values, strict=True)]
    )


def test_a_single_number_has_the_interval_of_its_examples() -> None:
    one = side(50.0)
    assert one.low == pytest.approx(40.38, abs=0.01)  # Wilson's, by hand
    assert one.high == pytest.approx(59.62, abs=0.01)
    assert one.holds(59.0)
    assert not one.holds(60.0)
    bare = side(3.0, n=None, unit="ratio")
    assert math.isnan(bare.low)
    assert bare.holds(3.0)
    assert not bare.holds(3.1)


def test_what_differs_stands_first(runs, tmp_path) -> None:
    pairs = compare(runs["[0]"], runs["[0]"])
    assert {pair.verdict for pair in pairs} == {"same"}
    other = changed(runs["[0]"], tmp_path / "other")
    path = other / "results.csv"
    lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join(lines[:-1]) + "\n", encoding="utf-8")  # one number less
    summary = (other / "summary.csv").read_text(encoding="utf-8").splitlines()
    (other / "summary.csv").write_text("\n".join(summary[:-1]) + "\n", encoding="utf-8")
    pairs = compare(runs["[0]"], other)
    assert pairs[0].verdict == "only in the first"
    assert isinstance(pairs[0].cell, Cell)
    assert math.isnan(pairs[0].difference)


def test_runs_in_which_nothing_has_a_seed_keep_their_title(tmp_path) -> None:
    folders = []
    for seed in (0, 1):
        place = tmp_path / str(seed)
        place.mkdir()
        words = ["experiment=smoothed_neighbor_precision", "scale=smoke", "device.threads=1"]
        folders.append(
            ran(place, [*words, f"seeds=[{seed}]", f"store={tmp_path / 'store'}"]).folder
        )
    merge(folders, tmp_path / "joined")
    titles = {
        (folder / "summary.md").read_text(encoding="utf-8").splitlines()[0]
        for folder in (*folders, tmp_path / "joined")
    }
    assert len(titles) == 1
    assert ", seeds" not in titles.pop()
