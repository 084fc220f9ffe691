"""`advx list`: experiments, and the choices of every group."""

import re
from importlib.resources import files

import yaml

from advx.config.choices import choices


def print_choices() -> None:
    """Experiments with one line each, then the choices of every group."""
    groups = choices()
    width = max(len(name) for name in (*groups, *groups["experiment"]))
    print("experiments (advx run experiment=NAME):")
    for name in groups.pop("experiment"):
        text = (files("advx.conf") / "experiment" / f"{name}.yaml").read_text("utf-8")
        title = re.sub(r"\$\{(\w+)\.name\}", r"\1", yaml.safe_load(text)["title"])
        print(f"  {name:<{width}} {title}")
    print("\nchoices (group=NAME):")
    for group, names in groups.items():
        print(f"  {group:<{width}} {', '.join(names)}")
