"""What can be chosen, read from the YAML files, and what advx is made of, from its metadata."""

import re
from importlib.metadata import requires
from importlib.resources import files

import yaml


def choices() -> dict[str, list[str]]:
    """Names in every configuration group."""
    root = files("advx.conf")
    return {
        group.name: sorted(f.name[:-5] for f in group.iterdir() if f.name.endswith(".yaml"))
        for group in sorted(root.iterdir(), key=lambda p: p.name)
        if group.is_dir() and group.name not in ("at", "__pycache__")
    }


def packages() -> list[str]:
    """Names of the packages that advx needs, from its own metadata."""
    needed = [line for line in requires("advx") or [] if "extra ==" not in line]
    return [re.split(r"[^\w.-]", line, maxsplit=1)[0] for line in needed]


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
