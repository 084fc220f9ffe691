"""What a predicate means, its margin and its evidence."""

import math

import pytest

from advx.report.claims import HOLDS, judge_claim
from advx.report.results import Results, Row
from tests.made_up import results


@pytest.mark.parametrize(
    ("predicate", "holds"),
    [
        ("`a` < 9e1", True),
        ("`a` < 1e0", False),
        ("`a` > -.5", True),
        ("`a` > 5.", True),
        ("`a`>1e+1", False),
        ("0 < `a` < 10", True),
        ("0 < `a` < 5", False),  # once read as 0 < `a` and 0 < 5
        ("50 > `b` > `a` > 5", True),
        ("50 > `a` > `b`", False),
        ("0 < `a` < `b`, 10", True),
        ("  `a`.error_rate<`b` ,9 ", True),
        ("`a`.error_rate[clipped,epsilon=.1] > `a`[epsilon=0.1, clipped] - 1", True),
        ("`a`[epsilon=1e-1,clipped] < `a`", False),
    ],
)
def test_a_predicate_means_all_that_it_says(predicate, holds) -> None:
    made = results(a=[8.0, 8.5], b=[30.0, 30.0])
    for seed in (0, 1):
        made.add(Row("demo", "a", "error_rate", 0.1, "clipped", seed, 9.0))
    assert judge_claim({"claim": "c", "predicate": predicate}, made).holds == HOLDS[holds]


def test_a_comparison_of_infinities_is_no_answer() -> None:
    made = results(a=[math.inf], b=[math.inf], c=[5.0])
    for predicate in ("0 < `c`, `a` - `b`", "0 < `a` - `b`, `c`"):
        assert judge_claim({"claim": "c", "predicate": predicate}, made).holds == "not tested"
    assert judge_claim({"claim": "c", "predicate": "`a` < `b`"}, made).holds == "does not hold"


def test_the_last_bits_of_a_difference_decide_nothing() -> None:
    made = results(a=[17.44], b=[17.14])
    for sign in "<>":
        outcome = judge_claim({"claim": "c", "predicate": f"`a` - `b` {sign} 0.3"}, made)
        assert (outcome.holds, outcome.margin) == ("does not hold", 0.0)


@pytest.mark.parametrize(
    ("predicate", "margin"),
    [
        ("`a` < `b`", 22.0),  # the worst seed's: 30 − 8
        ("`a` < 5", -3.5),
        ("`b` - `a` > 21", 1.0),
        ("`b` - `a` > 22.5", -0.5),
        ("`a` + 1 < 9.25", -0.25),
        ("7 < `a` < 9", 0.5),
        ("`missing` < 9", math.nan),
    ],
)
def test_a_margin_is_the_worst_seeds_distance_to_the_other_outcome(predicate, margin) -> None:
    made = results(a=[8.0, 8.5], b=[30.0, 30.5])
    outcome = judge_claim({"claim": "c", "predicate": predicate}, made)
    assert outcome.margin == pytest.approx(margin, nan_ok=True)
    assert outcome.holds == ("not tested" if math.isnan(margin) else HOLDS[margin > 0])


def test_evidence_has_digits_enough_to_be_compared() -> None:
    made = Results("demo")
    for name, value, unit in (
        ("a", 0.9926, "cosine"),
        ("b", 0.078123, "max norm"),
        ("c", 12345.678, "nats"),
        ("d", 24.816667, "percent"),
        ("e", 0.00213, "percent"),
        ("f", 0.0, "percent"),
        ("g", math.inf, "max norm"),
        ("h", -1.386294, "nats"),
    ):
        made.add(Row("demo", name, "error_rate", None, "", 0, value, unit))
    claim = {"claim": "c", "predicate": "`a` < `b`, `c`, `d`, `e`, `f`, `g`, `h`"}
    assert judge_claim(claim, made).evidence == (
        "a 0.9926; b 0.07812; c 12,346; d 24.82; e 0.0021; f 0.00; g ∞; h -1.386"
    )
