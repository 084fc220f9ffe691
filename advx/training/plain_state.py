"""What a user's own code keeps in plain attributes while it is trained, and no checkpoint holds.

A checkpoint is parameters, buffers and the optimizers' state. A counter that lowers dropout, the
growing noise of a defense or a game's pool of older examples is in none of them: a training that
went on from the checkpoint would become another network. Such a training leaves no checkpoint.
"""

import hashlib
import io
import pickle
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

OF_A_MODULE = frozenset(vars(nn.Module()))
"""Attributes that every `torch.nn.Module` has."""

DERIVED = ("_orig", "_g")
"""Ends of the parameters that `spectral_norm` and `weight_norm` compute an attribute from anew."""


def is_own(node: Any) -> bool:
    """Whether a configuration, or one inside it, makes an object that is none of advx's."""
    if isinstance(node, list | tuple):
        return any(map(is_own, node))
    if not isinstance(node, Mapping):
        return False
    target = str(node.get("_target_", "advx."))
    return target.partition(".")[0] != "advx" or any(map(is_own, node.values()))


class PlainState:
    """Watches the attributes of some objects from now on.

    Args:
        watched: the objects by what messages call them: networks, games, defenses, trainers.
    """

    def __init__(self, watched: dict[str, Any]) -> None:
        self.watched = watched
        self.then = {name: dict(_digests(each)) for name, each in watched.items()}

    def changed(self) -> dict[str, list[str]]:
        """Names of the attributes that are other than they were, by object; none where none are."""
        found = {}
        for name, each in self.watched.items():
            then, now = self.then[name], dict(_digests(each))
            moved = [key for key in now if now[key] != then.get(key)]
            gone = [key for key in then if key not in now]
            if moved or gone:
                found[name] = sorted(moved + gone)
        return found


def unsaved(module: nn.Module) -> dict[str, Any]:
    """What a module holds by itself, by name, and no `state_dict` does; not what its parts hold."""
    held = {name: value for name, value in vars(module).items() if name not in OF_A_MODULE}
    buffers = dict(module.named_buffers(recurse=False))
    return held | {
        name: buffers[name] for name in module._non_persistent_buffers_set & set(buffers)
    }


def _digests(thing: Any) -> Iterator[tuple[str, str]]:
    """The attributes of an object, of a network with those of its parts, each as a digest."""
    if not isinstance(thing, nn.Module):
        for name, value in getattr(thing, "__dict__", {}).items():
            yield name, _digest(value, frozenset())
        return
    kept = frozenset(
        id(each)
        for group in (thing.modules(), thing.parameters(), thing.buffers())
        for each in group
    )
    for path, part in thing.named_modules():
        for name, value in unsaved(part).items():
            if not any(f"{name}{end}" in part._parameters for end in DERIVED):
                yield f"{path}.{name}" if path else name, _digest(value, kept)


def _digest(value: Any, kept: frozenset[int]) -> str:
    """Of a value's pickle; of one that has none, "" at all times.

    Args:
        value: any.
        kept: `id` of the network's parts, parameters and buffers, which checkpoints hold; what
            refers to one of them, as a list of layers does, is not a change when that is trained.
    """
    stream = io.BytesIO()
    try:
        _Pickler(stream, kept).dump(value)
    except Exception:  # whatever an object's own pickling raises
        return ""
    return hashlib.sha256(stream.getvalue()).hexdigest()


class _Pickler(pickle.Pickler):
    """Writes a network's own tensors and parts as a word, others by their numbers."""

    def __init__(self, stream: io.BytesIO, kept: frozenset[int]) -> None:
        super().__init__(stream)
        self.kept = kept

    def persistent_id(self, value: Any) -> Any:
        if id(value) in self.kept:
            return "kept"
        if isinstance(value, Tensor) and type(value) is Tensor:
            flat = value.detach().cpu().flatten().view(torch.uint8)
            return str(value.dtype), tuple(value.shape), flat.numpy().tobytes()
        return None
