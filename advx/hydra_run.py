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
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from hydra.utils import get_method
from omegaconf import DictConfig, OmegaConf

from advx.config.messages import one_line


def launch(arguments: list[str]) -> None:
    """Run `hydra.main` with these command-line arguments; errors are raised, not printed."""
    os.environ["HYDRA_FULL_ERROR"] = "1"
    sys.path.insert(0, os.getcwd())
    sys.argv = ["advx", *with_sweep_folder(flags_first(arguments))]
    hydra.main(version_base="1.3", config_path="pkg://advx.conf", config_name="config")(task)()


def task(config: DictConfig) -> None:
    """Check the configuration, then run the experiment it names."""
    from advx.run import Run, check

    sys.path.insert(0, os.getcwd())
    job = HydraConfig.get()
    folder = Path(os.path.relpath(job.runtime.output_dir))
    try:
        values: dict[str, Any] = OmegaConf.to_container(config, resolve=True)  # type: ignore[assignment]
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


def with_sweep_folder(arguments: list[str]) -> list[str]:
    """Put a sweep's runs beside the experiment's others.

    Hydra cannot: it names the folder before it has composed any job's configuration.
    """
    named = [word.split("=", 1)[1] for word in arguments if word.startswith("experiment=")]
    if not named or "," in named[0] or any(w.startswith("hydra.sweep.dir=") for w in arguments):
        return arguments
    return [
        *arguments,
        f"hydra.sweep.dir=outputs/runs/{named[0]}/sweep_${{now:%Y-%m-%d_%H-%M-%S-%f}}",
    ]


def flags_first(arguments: list[str]) -> list[str]:
    """Move flags (and their values) before the overrides, where Hydra accepts them."""
    with_value = {
        "--cfg", "-c", "--package", "-p", "--config-path", "-cp", "--config-name", "-cn",
        "--config-dir", "-cd", "--experimental-rerun",
    }  # fmt: skip
    flags, overrides = [], []
    words = iter(arguments)
    for word in words:
        if word in with_value:
            flags += [word, next(words, "")]
        elif word.startswith("-"):
            flags.append(word)
        else:
            overrides.append(word)
    return flags + overrides
