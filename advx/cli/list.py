"""`advx list`: experiments, and the choices of every group."""

import re
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

import yaml

from advx.config.choices import choices
from advx.errors import ConfigError, reason
from advx.reproduce.experiments import READER


def print_choices(folder: Path | None = None) -> None:
    """Experiments with one line each, then the choices of every group.

    Args:
        folder: a configuration folder of one's own, as for `advx run --config-dir`.

    Raises:
        ConfigError: there is no such folder.
    """
    if folder is not None and not folder.is_dir():
        raise ConfigError(f"--config-dir={folder}: no such folder")
    folders = [] if folder is None else [folder]
    groups = choices(*folders)
    width = max(len(name) for name in (*groups, *groups["experiment"]))
    print("experiments (advx run experiment=NAME):")
    for name in groups.pop("experiment"):
        print(f"  {name:<{width}} {_title(name, files('advx.conf'), *folders)}".rstrip())
    print("\nchoices (group=NAME):")
    for group, names in groups.items():
        print(f"  {group:<{width}} {', '.join(names)}")


def _title(experiment: str, *roots: Traversable) -> str:
    """The title of an experiment, from the first of these places that has it."""
    places = (root / "experiment" / f"{experiment}.yaml" for root in roots)
    try:
        text = next(place for place in places if place.is_file()).read_text("utf-8")
        content = yaml.load(text, Loader=READER)
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:  # the others are listed
        return f"cannot be read ({reason(error)})"
    title = content.get("title") if isinstance(content, dict) else None
    return re.sub(r"\$\{(\w+)\.name\}", r"\1", str(title or ""))
