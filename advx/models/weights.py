"""Weights of the user's own: what `torch.save` wrote, however wrapped, or a safetensors file.

Nothing in the file is executed. A training checkpoint (`{"state_dict": …, "epoch": …}`) and the
prefixes that `DataParallel` and `torch.compile` put before the names are taken off, and said.
"""

import logging
import pickle
import re
import zipfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from advx.errors import ConfigError, reason
from advx.text_files import damaged_part

log = logging.getLogger(__name__)

NESTED = ("state_dict", "model_state_dict", "model", "net", "network", "weights", "params")
"""Where checkpoints keep a model's state, the likeliest first."""

WRAPPERS = {"module", "_orig_mod"}
"""Parts of a name that come from `DataParallel` and `torch.compile`."""

SHOWN = 3
"""Names of each kind that a message lists."""

NEEDED = "a state_dict is needed: torch.save(model.state_dict(), PATH)"


def load_weights(module: nn.Module, path: Path, key: str) -> None:
    """Fill `module` with the weights in a file.

    Args:
        module: of the class whose weights they are.
        path: of a file made by `torch.save` or by safetensors.
        key: `crafting.weights=PATH`, for messages.

    Raises:
        ConfigError: why they cannot be loaded.
    """
    state, place = _state_in(_content(path, key), key)
    names = list(module.state_dict())
    renamed, without = _renamed(list(state), names)
    fitting = {new: state[old] for old, new in renamed.items()}
    unfit = _unfit(fitting, module)
    if unfit:
        raise ConfigError(f"{key}: cannot be loaded into {type(module).__name__} ({unfit})")
    try:
        module.load_state_dict(fitting)
    except Exception as error:  # torch's own complaints, and those of a user's hooks
        because = _differences(fitting, module) or reason(error)
        raise ConfigError(
            f"{key}: cannot be loaded into {type(module).__name__} ({because})"
        ) from error
    notes = [f"found under {place!r}"] if place else []
    notes += [f"names matched but for {without!r}"] if without else []
    if notes:
        _note(f"{key}: {', '.join(notes)}")


def _content(path: Path, key: str) -> Any:
    """Whatever the file holds; see `load_weights`."""
    try:
        with path.open("rb") as stream:
            first = stream.read(16)
    except OSError as error:
        raise ConfigError(f"{key}: {error.strerror}") from error
    if path.suffix == ".safetensors" or first[8:9] == b"{":
        return _safetensors(path, key)
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many types on files that are not its own
        raise ConfigError(f"{key}: {_why_unreadable(path, first, error)}") from error
    try:
        part = damaged_part(path)  # after what torch itself finds: its reasons say more
    except (OSError, zipfile.BadZipFile) as error:
        raise ConfigError(f"{key}: damaged ({reason(error)})") from error
    if part is not None:
        raise ConfigError(f"{key}: damaged ({part} does not match its checksum)")
    return content


def _safetensors(path: Path, key: str) -> dict[str, Tensor]:
    """The tensors of a safetensors file by name."""
    try:
        return load_file(path)
    except Exception as error:  # SafetensorError, and what torch makes of shapes that do not fit
        raise ConfigError(f"{key}: damaged, or no safetensors file ({reason(error)})") from error


def _why_unreadable(path: Path, first: bytes, error: Exception) -> str:
    """In place of torch's message, which goes on to advise to execute what is in the file."""
    if not first:
        return "the file is empty"
    text = reason(error)
    held = re.search(r"GLOBAL ([\w.]+)", text)
    if "TorchScript" in text:
        return f"it holds a TorchScript program; {NEEDED}"
    if held or (isinstance(error, pickle.UnpicklingError) and first.startswith(b"PK")):
        kind = f" (a {held.group(1)})" if held else ""
        return (
            f"it holds a whole module, or more than tensors{kind}, which would mean executing "
            f"code; {NEEDED}"
        )
    if not first.startswith((b"PK", b"\x80")):
        return f"no file of torch.save's; {NEEDED}"
    shown = "" if "weights_only" in text else f" ({text})"
    return f"damaged, or no file of torch.save's{shown}"


def _state_in(content: Any, key: str) -> tuple[Mapping[str, Any], str]:
    """The state in a file's content, and the name that it has there, "" where it is all of it."""
    if _is_state(content):
        return content, ""
    if not isinstance(content, Mapping):
        raise ConfigError(f"{key}: it holds a {type(content).__name__}; {NEEDED}")
    found = [name for name, value in content.items() if _is_state(value) and len(value)]
    best = next((name for name in NESTED if name in found), None)
    if best is None and len(found) == 1:
        best = found[0]
    if best is None:
        held = _listed([str(name) for name in content])
        several = f"{len(found)} states" if found else "no state_dict"
        raise ConfigError(f"{key}: {several} among what it holds ({held}); {NEEDED}")
    return content[best], str(best)


def _is_state(content: Any) -> bool:
    """Whether something is a state_dict: tensors by name."""
    return isinstance(content, Mapping) and all(
        isinstance(name, str) and (isinstance(value, Tensor) or name.endswith("_extra_state"))
        for name, value in content.items()
    )


def _renamed(given: list[str], names: list[str]) -> tuple[dict[str, str], str]:
    """Each given name as the module spells it, and what was taken off or put in, "" for nothing."""
    same = {name: name for name in given}
    if not given or set(given) == set(names):
        return same, ""
    parts = given[0].split(".")
    ways = [(".".join(parts[:count]) + ".") for count in range(1, len(parts))]
    tries = [
        ({name: name.removeprefix(way) for name in given}, way)
        for way in ways
        if all(name.startswith(way) for name in given)
    ]
    spelled = {_bare(name): name for name in names}
    tries.append(
        ({name: spelled.get(_bare(name), name) for name in given}, "module. or _orig_mod.")
    )

    def matches(attempt: tuple[dict[str, str], str]) -> int:
        new = set(attempt[0].values())
        return len(new & set(names)) if len(new) == len(given) else -1

    best = max(tries, key=matches)
    return best if matches(best) > len(set(given) & set(names)) else (same, "")


def _bare(name: str) -> str:
    """A parameter's name without what wrappers of a network put into it."""
    return ".".join(part for part in name.split(".") if part not in WRAPPERS)


def _unfit(state: Mapping[str, Any], module: nn.Module) -> str:
    """The first tensor that is of another kind of number, or none that can be copied; "" for none.

    Torch casts in silence: integers in the place of floats are quantized weights without their
    scale, say.
    """
    wanted = module.state_dict()
    for name, value in state.items():
        if not isinstance(value, Tensor):
            continue
        if value.is_meta:
            return f"{name} has no values (meta)"
        if value.layout != torch.strided or value.is_nested or value.is_quantized:
            kind = str(value.dtype if value.is_quantized else value.layout).removeprefix("torch.")
            return (
                f"{name} is {kind if not value.is_nested else 'nested'}, a dense tensor is needed"
            )
        own = wanted.get(name)
        if not isinstance(own, Tensor) or _kind(value.dtype) == _kind(own.dtype):
            continue
        counts = value.is_floating_point() and _kind(own.dtype) == "integer"
        if not (counts and torch.equal(value, value.round())):  # {name: value.float() …}
            shown, needed = (str(x.dtype).removeprefix("torch.") for x in (value, own))
            return f"{name} is {shown}, {needed} is needed"
    return ""


def _kind(dtype: torch.dtype) -> str:
    """What a number is, whatever its width."""
    if dtype.is_floating_point:
        return "float"
    if dtype.is_complex:
        return "complex"
    return "bool" if dtype == torch.bool else "integer"


def _differences(state: Mapping[str, Any], module: nn.Module) -> str:
    """What is missing, too much or of another shape."""
    wanted = module.state_dict()
    shapes = {name: tuple(value.shape) for name, value in wanted.items() if _sized(value)}
    found = {name: tuple(value.shape) for name, value in state.items() if _sized(value)}
    missing = [f"{name} {shapes.get(name, '')}".strip() for name in wanted if name not in state]
    unexpected = [f"{name} {found.get(name, '')}".strip() for name in state if name not in wanted]
    other = [
        f"{name} is {found[name]}, {shapes[name]} is needed"
        for name in wanted
        if name in found and name in shapes and found[name] != shapes[name]
    ]
    kinds = (("missing: ", missing), ("unexpected: ", unexpected), ("", other))
    return "; ".join(f"{label}{_listed(some)}" for label, some in kinds if some)


def _sized(value: Any) -> bool:
    """Whether a value has a shape yet: a lazy layer's has none before its first images."""
    return isinstance(value, Tensor) and not isinstance(value, nn.UninitializedParameter)


def _listed(names: list[str]) -> str:
    """The first few names, and how many more there are."""
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more} more" if more > 0 else "")


@cache
def _note(text: str) -> None:
    """Say something once: a run asks for the same weights again."""
    log.info("%s", text)
