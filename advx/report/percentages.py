"""Percentages that are no share of the examples behind them: no binomial error is theirs."""

CERTAINTY = "percent of certainty"
AVERAGE = "percent on average"

UNITS = {
    "mean_confidence": CERTAINTY,
    "median_confidence": CERTAINTY,
    "least_confidence": CERTAINTY,
    "fgsm_confidence_on_mistakes": CERTAINTY,
    "confidence_before": CERTAINTY,
    "confidence_after": CERTAINTY,
    "agreement": AVERAGE,
    "discriminator_error": AVERAGE,
    "larger_share": AVERAGE,
    "line_accuracy": AVERAGE,
    "mean_output": AVERAGE,
    "same_class_by_chance": AVERAGE,
    "units_on_another_piece": AVERAGE,
    "beyond": "percent of a pair",
    "changed_bits": "percent of all pixels",
    "gray_rate": "percent of inked pixels",
    "highest_rate": "percent of a group",
    "lowest_rate": "percent of a group",
    "nearer": AVERAGE,
    "p_value": "percent of divisions",
    "relaxed": "percent of intervals",
    "rose": "percent of looks",
    "demographic_parity_difference": "points",
    "equalized_odds_difference": "points",
    "lost_by_choice": "points",
    "unreached": "percent of rounds",
}
"""By metric. All other metrics without a unit are shares: `percent`."""

OF_A_HUNDRED = {"percent", *UNITS.values()} - {"points"}
"""Units of numbers from 0 to 100."""


def unit_of(metric: str) -> str:
    """The unit of a metric that is given none."""
    return UNITS.get(metric, "percent")
