"""What a user's own code keeps in plain attributes while it is trained, and no checkpoint holds.

A checkpoint is parameters, buffers and the optimizers' state. A counter that lowers dropout, the
growing noise of a defense or a game's pool of older examples is in none of them: a training that
went on from the checkpoint would become another network. Such a training leaves no checkpoint.
"""

import hashlib
import pickle
import random
import types
from collections import deque
from collections.abc import Iterator, Mapping, Set
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

OF_A_MODULE = frozenset(vars(nn.Module()))
"""Attributes that every `torch.nn.Module` has."""

DERIVED = ("_orig", "_g")
"""Ends of the parameters that `spectral_norm` and `weight_norm` compute an attribute from anew."""

DECIDED = frozenset({"joins"})
"""What `advx.training.trainer.Trainer.fit` decides anew, also where it resumes."""

CODE = (type, types.FunctionType, types.MethodType, types.BuiltinFunctionType, types.ModuleType)
"""What does not change, or not so that it could be seen."""

LIBRARIES = ("advx", "torch", "numpy", "builtins", "abc", "typing")
"""Packages whose classes hold no state of a training in attributes of the class."""


def is_own(node: Any) -> bool:
    """Whether a configuration, or one inside it, makes an object that is none of advx's."""
    if isinstance(node, list | tuple):
        return any(map(is_own, node))
    if not isinstance(node, Mapping):
        return False
    target = str(node.get("_target_", "advx."))
    return target.partition(".")[0] != "advx" or any(map(is_own, node.values()))


def _unsaved(module: nn.Module) -> dict[str, Any]:
    """What a module holds by itself, by name, and no `state_dict` does; not what its parts hold."""
    held = {name: value for name, value in vars(module).items() if name not in OF_A_MODULE}
    buffers = dict(module.named_buffers(recurse=False))
    return held | {
        name: buffers[name] for name in module._non_persistent_buffers_set & set(buffers)
    }


class PlainState:
    """Watches the attributes of some objects from now on.

    Args:
        trained: the network or game, whose `state_dict` a checkpoint holds.
        watched: objects by what messages call them: it, or its defense or trainer.
    """

    def __init__(self, trained: nn.Module, watched: Mapping[str, Any]) -> None:
        self.trained = trained
        self.watched = watched
        self.then = self._now()

    def changed(self) -> dict[str, list[str]]:
        """Names of the attributes that are other than they were, by object; none where none are."""
        now = self._now()
        found = {}
        for name, then in self.then.items():
            keys = [k for k in then.keys() | now[name].keys() if then.get(k) != now[name].get(k)]
            if keys:
                found[name] = sorted(keys)
        return found

    def _now(self) -> dict[str, dict[str, str]]:
        """Digests of all attributes, by object."""
        return {name: digests(each, self.trained) for name, each in self.watched.items()}


def digests(thing: Any, trained: nn.Module) -> dict[str, str]:
    """The attributes of an object, each as a digest of its contents.

    Args:
        thing: any object; of the trained network, what no `state_dict` holds.
        trained: the network; what refers to its parts or parameters does not change with them.
    """
    kept = _Kept(trained)
    return {name: _digest(value, kept) for name, value in _attributes(thing, trained)}


class _Kept:
    """What a checkpoint holds of a network: its parts, parameters and persistent buffers."""

    def __init__(self, network: nn.Module) -> None:
        state = network.state_dict(keep_vars=True).values()
        tensors = [each for each in state if isinstance(each, Tensor)]
        self.parts = {id(each) for each in [*network.modules(), *tensors]}
        self.memory = {each.untyped_storage().data_ptr() for each in tensors if each.numel()}

    def holds(self, value: Any) -> bool:
        """Whether a value is one of them, or a view of one."""
        if id(value) in self.parts:
            return True
        strided = isinstance(value, Tensor) and value.layout == torch.strided
        return strided and value.numel() > 0 and value.untyped_storage().data_ptr() in self.memory


def _attributes(thing: Any, trained: nn.Module) -> Iterator[tuple[str, Any]]:
    """Names and values of what an object holds; of the trained network, what no checkpoint does."""
    if not isinstance(thing, nn.Module):
        yield from ((name, value) for name, value in _held(thing) if name not in DECIDED)
        return
    if thing is not trained:
        yield from thing.state_dict(keep_vars=True).items()
    for path, part in thing.named_modules():
        of_class = {k: v for k, v in _held(part) if k not in vars(part) and k not in OF_A_MODULE}
        for name, value in (_unsaved(part) | of_class).items():
            derived = any(f"{name}{end}" in part._parameters for end in DERIVED)
            if not derived and not (isinstance(part, nn.RNNBase) and name == "_flat_weights"):
                yield f"{path}.{name}" if path else name, value


def _held(thing: Any) -> Iterator[tuple[str, Any]]:
    """Attributes of an object and of its classes, but for methods and properties."""
    found: dict[str, Any] = {}
    for kind in reversed(type(thing).__mro__):
        if kind.__module__.partition(".")[0] not in LIBRARIES:
            found |= {k: v for k, v in vars(kind).items() if not k.startswith("__")}
        slots = vars(kind).get("__slots__", ())
        for name in [slots] if isinstance(slots, str) else slots:
            found[name] = getattr(thing, name, None)
    found |= getattr(thing, "__dict__", {})
    for name, value in found.items():
        if not hasattr(value, "__get__") and not isinstance(value, property):
            yield name, value


def _digest(value: Any, kept: _Kept) -> str:
    """Of everything that a value holds, by its contents."""
    total = hashlib.sha256()
    try:
        for piece in _pieces(value, kept, ()):
            total.update(len(piece).to_bytes(8, "big") + piece)
    except Exception:  # whatever a strange object raises when it is looked at
        return ""
    return total.hexdigest()


def _pieces(value: Any, kept: _Kept, above: tuple[int, ...]) -> Iterator[bytes]:
    """The contents of a value, piece by piece.

    Args:
        value: any; a file, an iterator and the like say nothing.
        kept: what checkpoints hold, and is not looked at.
        above: `id` of the values that this one stands in.
    """
    yield type(value).__qualname__.encode()
    if kept.holds(value) or id(value) in above or isinstance(value, CODE):
        return
    inner = (*above, id(value))
    if value is None or isinstance(value, bool | int | float | complex | str | bytes):
        yield repr(value).encode()
    elif isinstance(value, Tensor) and value.layout == torch.strided:
        yield f"{value.dtype} {tuple(value.shape)}".encode()
        yield value.detach().cpu().flatten().view(torch.uint8).numpy().tobytes()
    elif isinstance(value, np.ndarray) and not value.dtype.hasobject:
        yield f"{value.dtype} {value.shape}".encode()
        yield value.tobytes()
    elif isinstance(value, Mapping):
        for key, each in value.items():
            yield from _pieces(key, kept, inner)
            yield from _pieces(each, kept, inner)
    elif isinstance(value, list | tuple | deque):
        for each in value:
            yield from _pieces(each, kept, inner)
    elif isinstance(value, torch.Generator):
        yield value.get_state().numpy().tobytes()
    elif isinstance(value, random.Random):
        yield repr(value.getstate()).encode()
    elif isinstance(value, Set):
        yield "".join(sorted(_digest(each, kept) for each in value)).encode()
    elif isinstance(value, nn.Module):
        for _, each in [*value.state_dict(keep_vars=True).items(), *_attributes(value, value)]:
            yield from _pieces(each, kept, inner)
    elif hasattr(value, "__dict__") or hasattr(type(value), "__slots__"):
        for name, each in _held(value):
            yield name.encode()
            yield from _pieces(each, kept, inner)
    else:
        yield _pickled(value)


def _pickled(value: Any) -> bytes:
    """What pickle makes of a value, as of a random generator; nothing where it cannot."""
    try:
        return pickle.dumps(value)
    except Exception:  # whatever an object's own pickling raises
        return b""
