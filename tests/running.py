"""Experiments in this process, on overrides, as the command line runs them."""

from pathlib import Path

from advx.config.check import keywords
from advx.config.compose import composed
from advx.run import Run, check


def ran(folder: Path, overrides: list[str]) -> Run:
    """The run that these overrides make, over, with its files in `folder/out`."""
    config, main = composed(overrides)
    check(config, main)
    out = folder / "out"
    out.mkdir(exist_ok=True)
    run = Run(config, out, "advx run")
    run.check_models()
    main(run, **keywords(config, main))
    return run
