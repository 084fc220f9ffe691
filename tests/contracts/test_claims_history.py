"""What every listed claim says of itself: its words, its source, and what it was before."""

import csv
import datetime
import json
import re
from itertools import pairwise
from pathlib import Path

import pytest
import yaml

from advx.config.predicate import parse
from advx.report.claims import HOLDS
from tests.paths import REFERENCE, ROOT

LISTED = {
    (path.stem, claim["claim"]): claim
    for path in sorted((ROOT / "conf" / "experiment").glob("*.yaml"))
    for claim in yaml.safe_load(path.read_text(encoding="utf-8")).get("claims") or []
}
"""Every experiment's claims, as its YAML lists them."""

NAMES = ["-".join(name) for name in LISTED]

SOURCE = re.compile(r"chapter|ours|[A-Z]\w+( et al\.| and [A-Z]\w+)? 20\d\d[ab]?(, 20\d\d)?")

BRITISH = re.compile(
    r"grey|colour|favour|defence|labelled|centre|neighbour|(linear|general|normal|regular)is"
)

UNMEASURED = "to be measured"
"""In `added`, of a claim whose rows come when networks are trained again."""


@pytest.mark.parametrize("claim", LISTED.values(), ids=NAMES)
def test_a_claim_stands_in_full_words_and_names_its_source(claim) -> None:
    assert SOURCE.fullmatch(claim["source"])
    assert not claim["says"].startswith("the same")
    assert not BRITISH.search(f"{claim['claim']} {claim['says']}")


def test_no_two_claims_of_an_experiment_say_alike() -> None:
    """Pages show what a claim says, without its name."""
    said = [(experiment, claim["says"]) for (experiment, _), claim in LISTED.items()]
    assert len(set(said)) == len(said)


@pytest.mark.parametrize("claim", LISTED.values(), ids=NAMES)
def test_a_claims_history_has_dates_reasons_and_what_was_other(claim) -> None:
    dates = []
    if "added" in claim:
        date, _, why = claim["added"].partition(": ")
        assert why
        dates.append(date)
    changes = claim.get("changed") or []
    dates += [change["date"] for change in changes]
    days = [datetime.date.fromisoformat(date) for date in dates]
    assert days == sorted(days)
    predicates = [change["was"] for change in changes if "was" in change] + [claim["predicate"]]
    sentences = [change["said"] for change in changes if "said" in change] + [claim["says"]]
    assert parse(claim["predicate"]).cells
    assert all(before != after for before, after in pairwise(sentences))
    assert all("`" in predicate for predicate in predicates)  # as it was written then
    assert all(before != after for before, after in pairwise(predicates))


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


RUNS = sorted(path.parent for path in REFERENCE.glob("*/manifest.json"))


@pytest.mark.parametrize("folder", RUNS, ids=lambda folder: folder.name)
def test_what_a_claim_names_was_measured_or_it_says_so(folder) -> None:
    """A row whose name is spelled wrong would never be tested, and nobody would know."""
    outcomes = {row["claim"]: row["holds"] for row in rows_of(folder / "claims.csv")}
    experiment = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["config"]
    for claim, holds in outcomes.items():
        waits = UNMEASURED in LISTED[experiment["experiment"], claim].get("added", "")
        assert (holds == HOLDS[None]) == waits, claim


@pytest.mark.parametrize("folder", RUNS, ids=lambda folder: folder.name)
def test_a_claim_on_fewer_seeds_than_its_run_says_why(folder) -> None:
    config = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["config"]
    drawn = {row["seed"] for row in rows_of(folder / "results.csv")} != {""}
    for row in rows_of(folder / "claims.csv"):
        tried = int(row["seeds"].partition("/")[2])
        fewer = drawn and 0 < tried < min(3, len(config["seeds"]))
        listed = LISTED[config["experiment"], row["claim"]]
        assert fewer == ("fewer_seeds" in listed), row["claim"]
