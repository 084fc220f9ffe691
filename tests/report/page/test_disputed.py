"""The disputed numbers beside every protocol: one row by its settings, or every row of a run."""

import csv

from advx.report.page.explorers import disputed
from tests.paths import REFERENCE


def test_a_star_in_place_of_a_row_stands_for_every_row(runs) -> None:
    found = {d.what: d for d in disputed.explorer(runs).shown["disputes"]}
    smoothed = found["Smoothed nearest neighbor"]
    by_run = [one for one in smoothed.tried if one.run.folder.name == "smoothed_neighbor_precision"]
    with (REFERENCE / "smoothed_neighbor_precision/summary.csv").open(encoding="utf-8") as stream:
        rows = [row for row in csv.DictReader(stream) if row["metric"] == "error_rate"]
    assert [one.protocol for one in by_run] == [row["row"] for row in rows]
    assert [one.number.mean for one in by_run] == [float(row["mean"]) for row in rows]
    assert "printed in float32" in {one.protocol for one in smoothed.reached}
    assert "exact" not in {one.protocol for one in smoothed.reached}


def test_a_setting_stands_for_itself_and_a_star_for_all(runs) -> None:
    found = {d.what: d for d in disputed.explorer(runs).shown["disputes"]}
    searched = [
        one.protocol
        for one in found["Adversarially trained, gradient descent, ε = .1"].tried
        if one.run.folder.name == "search_strength"
    ]
    assert len(searched) == 6
    assert "path = 1, steps = 40" in searched
    by_run: dict[str, list[str]] = {}
    for one in found["ReLU network"].tried:
        by_run.setdefault(one.run.folder.name, []).append(one.protocol)
    assert list(by_run) == ["transfer_table", "table_protocols"]
    for protocols in by_run.values():
        assert protocols[0] == disputed.PLAIN
        assert disputed.PLAIN not in protocols[1:]
