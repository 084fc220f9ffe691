"""What can be chosen, read from the YAML files."""

from importlib.resources import files


def choices() -> dict[str, list[str]]:
    """Names in every configuration group."""
    root = files("advx.conf")
    return {
        group.name: sorted(f.name[:-5] for f in group.iterdir() if f.name.endswith(".yaml"))
        for group in sorted(root.iterdir(), key=lambda p: p.name)
        if group.is_dir() and group.name not in ("at", "__pycache__")
    }
