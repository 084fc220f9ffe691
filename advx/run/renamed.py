"""The message to an own experiment written for an earlier Run: where each method is now."""

RENAMED = {
    "recipe": 'run.model("maxout", seed)',
    "trained": "run.model(...).value, or the model itself as an argument of run.measure",
    "played": "run.game(...).value, or the game itself as an argument of run.measure",
    "key": "run.model(...).key",
    "error_rate": "run.measure(error_rate, target, run.craft(attack, source))",
    "measured": "run.measure(function, ...), with a function marked by advx.evaluation.measurement",
    "crafted": "run.craft(attack, source)",
    "tested": "run.test(examples)",
    "record": "run.table.add(row, metric=value, seed=seed, n=n)",
    "record_all": "run.table.add(row, numbers, seed=seed, n=n)",
    "results": "run.table.results",
    "check_models": "advx.run.check_models(run)",
}
"""By the old name."""


def gone(name: str) -> str:
    """The message for a name that Run does not have."""
    if name in RENAMED:
        return f"run.{name}: now {RENAMED[name]}; see docs/own-models.md"
    return f"'Run' object has no attribute '{name}'"
