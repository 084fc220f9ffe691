"""`advx run`: Hydra composes the configuration, then the experiment's `main` runs on it.

Imported only when work starts, since it brings in torch.
"""

import inspect
import os
import sys
import traceback
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import hydra
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.types import RunMode
from hydra.utils import get_method
from omegaconf import DictConfig, OmegaConf

from advx.config.check import check_plain
from advx.config.messages import one_line
from advx.errors import ConfigError

INFO = ("all", "config", "defaults", "defaults-tree", "plugins", "searchpath")
"""What Hydra's `--info` can be asked for."""


def launch(arguments: list[str]) -> None:
    """Run `hydra.main` with these command-line arguments; errors are raised, not printed."""
    os.environ["HYDRA_FULL_ERROR"] = "1"
    sys.path.insert(0, os.getcwd())
    flags, overrides = flags_and_overrides(arguments)
    for word in overrides:
        key, equals, _ = word.partition("=")
        if not key or not (equals or word.startswith("~")):
            raise ConfigError(f"{word}: not key=value, e.g. experiment=transfer_table")
    if {"-m", "--multirun"} & set(flags):
        check_sweep(overrides)
        overrides = with_sweep_folder(overrides)
    sys.argv = ["advx", *flags, *overrides]
    hydra.main(version_base="1.3", config_path="pkg://advx.conf", config_name="config")(task)()


def task(config: DictConfig) -> None:
    """Check the configuration, then run the experiment it names."""
    sys.path.insert(0, os.getcwd())
    job = HydraConfig.get()
    folder = Path(os.path.relpath(job.runtime.output_dir))
    try:
        values: dict[str, Any] = OmegaConf.to_container(config, resolve=True)  # type: ignore[assignment]
        check_plain(values)
        from advx.run import Run, check  # with torch, which takes seconds to import

        main = get_method(values["main"])
        check(values, main)
        run = Run(values, folder, "advx run " + " ".join(job.overrides.task))
        run.check_models()
        own = list(inspect.signature(main).parameters)[1:]
        main(run, **{key: values[key] for key in own if key in values})
    except BaseException as error:
        (folder / "FAILED").write_text(traceback.format_exc())
        line = one_line(error)
        if line is None or job.mode is RunMode.MULTIRUN or wants_traceback(job.overrides.hydra):
            raise
        print(f"advx: {line}", file=sys.stderr)  # here, or Hydra would print a line of its own too
        sys.exit(2)


def wants_traceback(overrides: Iterable[str]) -> bool:
    """Whether the user asked for more than one line."""
    return os.environ.get("ADVX_TRACEBACK") == "1" or "hydra.verbose=true" in overrides


def check_sweep(overrides: list[str]) -> None:
    """Check a sweep's jobs before the first one trains anything.

    Jobs that differ from the first one in a single choice are enough to meet every choice once.

    Raises:
        ConfigError: the first job that cannot run.
    """
    from advx.config.compose import composed
    from advx.run import check

    if any(word.startswith("hydra/sweeper=") for word in overrides):
        return  # another sweeper makes its jobs as it goes
    parsed = OverridesParser.create().parse_overrides(overrides)
    jobs = [job for batch in BasicSweeper.split_arguments(parsed, None) for job in batch]
    for job in jobs:
        if sum(ours != first for ours, first in zip(job, jobs[0], strict=True)) <= 1:
            check(*composed([word for word in job if not word.startswith("hydra")]))


def with_sweep_folder(overrides: list[str]) -> list[str]:
    """Put a sweep's runs beside the experiment's others.

    Hydra cannot: it names the folder before it has composed any job's configuration.
    """
    named = [word.split("=", 1)[1] for word in overrides if word.startswith("experiment=")]
    if not named or "," in named[0] or any(w.startswith("hydra.sweep.dir=") for w in overrides):
        return overrides
    return [
        *overrides,
        f"hydra.sweep.dir=outputs/runs/{named[0]}/sweep_${{now:%Y-%m-%d_%H-%M-%S-%f}}",
    ]


def flags_and_overrides(arguments: list[str]) -> tuple[list[str], list[str]]:
    """Flags (with their values) and overrides apart: Hydra takes overrides on one side only."""
    with_value = {
        "--cfg", "-c", "--package", "-p", "--config-path", "-cp", "--config-name", "-cn",
        "--config-dir", "-cd", "--experimental-rerun",
    }  # fmt: skip
    flags, overrides = [], []
    words = iter(arguments)
    for word in words:
        if word in with_value:
            flags += [word, next(words, "")]
        elif word in ("--info", "-i"):  # its value may be left out
            flags.append("--info=all")
        elif word in INFO and flags[-1:] == ["--info=all"]:
            flags[-1] = f"--info={word}"
        elif word.startswith("-"):
            flags.append(word)
        else:
            overrides.append(word)
    return flags, overrides
