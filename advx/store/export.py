"""A trained model out of the store: one file of weights that any program reads, and its card."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save

from advx import __version__
from advx.errors import ConfigError
from advx.store.store import Meta, Store
from advx.text_files import write_atomically, write_text

SUFFIX = ".safetensors"

NAME = "advx"
"""Of the one text in the file beside the weights: several have no order there."""

TOLD = ("name", "dataset", "seed", "epochs", "best_epoch", "validation_error_rate", "fingerprint")
"""What of an entry's `meta.json` stands in the file; and its recipes, as JSON."""

RECIPES = ("model", "defense", "trainer")


def export(store: Store, key: str, path: Path, *, half: bool = False) -> dict[str, str]:
    """Write a model's weights as safetensors, with what made them.

    Args:
        store: that holds it.
        key: of the entry, or its beginning.
        path: of the file, `*.safetensors`.
        half: in half precision.

    Returns:
        What stands in the file beside the weights.

    Raises:
        ConfigError: there is no such entry, or several; it is not whole; the file has another
            suffix; a weight is too large for half precision.
    """
    if path.suffix != SUFFIX:
        raise ConfigError(f"{path}: weights are written as safetensors; valid: NAME{SUFFIX}")
    entry = _entry(store, key)
    problem = store.problem(entry)
    found = None if problem else store.load(entry)
    if found is None:
        why = problem or "its weights cannot be read"
        raise ConfigError(f"{entry}: {why}; valid: an entry that is whole")
    weights, meta = found
    made = {name: _exported(name, value, half=half) for name, value in weights.items()}
    described = _described(entry, meta, "float16" if half else "float32")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, save(made, {NAME: json.dumps(described)}))
    return described


def _entry(store: Store, key: str) -> str:
    """The one key that begins so."""
    entries = store.entries()
    found = [each for each in entries if key and each.startswith(key)]
    if len(found) == 1:
        return found[0]
    if found:
        raise ConfigError(f"{key}: {len(found)} entries begin so; valid: {', '.join(found[:3])} …")
    raise ConfigError(f"{key}: no such model in {store.folder}; valid: what advx store ls lists")


def _exported(name: str, value: torch.Tensor, *, half: bool) -> torch.Tensor:
    """A tensor in memory of its own, in half precision where it holds real numbers."""
    if not (half and value.is_floating_point()):
        return value.detach().clone().contiguous()
    narrow = value.detach().half().contiguous()
    if not torch.equal(narrow.isfinite(), value.isfinite()):
        raise ConfigError(f"--half: {name} has numbers beyond 65,504; valid: without --half")
    return narrow


def _described(entry: str, meta: Meta, precision: str) -> dict[str, str]:
    """What is said of the weights, by name."""
    told: dict[str, Any] = {"key": entry, "advx": __version__, "precision": precision}
    told |= {name: meta[name] for name in TOLD if meta.get(name) is not None}
    told |= {name: json.dumps(meta[name]) for name in RECIPES if name in meta}
    return {name: str(value) for name, value in told.items()}


def write_card(path: Path, described: dict[str, str]) -> Path:
    """Markdown beside the weights: what made them, and how to load them.

    Args:
        path: of the weights.
        described: as `export` returns it.

    Returns:
        where the card is.
    """
    lines = [f"# {described.get('name', path.stem)}", "", "| what | |", "|---|---|"]
    for name, value in described.items():
        shown = f"`{value}`" if name in (*RECIPES, "key") else value
        lines.append(f"| {name.replace('_', ' ')} | {shown.replace('|', chr(92) + '|')} |")
    model = json.loads(described.get("model", "{}"))
    loading = (
        "\nThe weights are those of "
        f"`{model.get('_target_', 'the model above')}` with the arguments above; load them with "
        f"`safetensors.torch.load_file`, or in advx by `weights={path.name}` of that model.\n"
    )
    card = path.with_suffix(".md")
    write_text(card, "\n".join(lines) + "\n" + loading)
    return card
