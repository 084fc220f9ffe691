"""`advx run`: Hydra composes the configuration, then the experiment's `main` runs on it.

Imported only when work starts, since it brings in torch.
"""

import inspect
import os
import sys
import traceback
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.utils import get_method
from omegaconf import DictConfig, OmegaConf


def launch(arguments: list[str]) -> None:
    """Run `hydra.main` with these command-line arguments; errors are raised, not printed."""
    os.environ["HYDRA_FULL_ERROR"] = "1"
    sys.path.insert(0, os.getcwd())
    sys.argv = ["advx", *flags_first(arguments)]
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
    except BaseException:
        (folder / "FAILED").write_text(traceback.format_exc())
        raise


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
