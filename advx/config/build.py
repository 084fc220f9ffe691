"""Make what a configuration node names. The only place that calls Hydra's `instantiate`."""

import inspect
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from hydra.errors import InstantiationException
from hydra.utils import get_object, instantiate
from omegaconf import DictConfig, OmegaConf

from advx.config.documents import Node
from advx.config.fresh import compile_own_sources
from advx.errors import FULL, AdvxError, ConfigError, reason

OF_A_MODEL = ("weights", "trained_on")
"""Keys of a model's node that describe it and are not arguments of its constructor."""


def plain(node: DictConfig | Mapping[str, Any]) -> Node:
    """A node as a plain, resolved dictionary."""
    if isinstance(node, DictConfig):
        return OmegaConf.to_container(node, resolve=True)  # type: ignore[return-value]
    return dict(node)


def arguments(node: DictConfig | Mapping[str, Any]) -> dict[str, Any]:
    """The node's constructor arguments: everything but `_target_` and the keys that describe it.

    These are `weights` and `trained_on` of a model, and `name`, unless code from outside advx has a
    parameter that is called so.
    """
    node = plain(node)
    left_out = {"_target_"}
    if not ("name" in node and takes(node, "name")):
        left_out.add("name")
    if any(key in node for key in OF_A_MODEL) and _describes_a_model(node):
        left_out |= set(OF_A_MODEL)
    return {key: value for key, value in node.items() if key not in left_out}


def _describes_a_model(node: Mapping[str, Any]) -> bool:
    """Whether a node with `weights` is a model's; an attack's or a defense's are its own affair."""
    if OF_A_MODEL[1] in node:
        return True
    made, torch = target(node), sys.modules.get("torch")
    if inspect.isclass(made):
        return torch is not None and issubclass(made, torch.nn.Module)
    return OF_A_MODEL[0] not in inspect.signature(made).parameters


def takes(node: Mapping[str, Any], key: str) -> bool:
    """Whether a node names code from outside advx that has a parameter `key`; `**` is none.

    What cannot be imported has none; `check_node` says why.
    """
    if str(node.get("_target_")).partition(".")[0] == "advx":
        return False
    try:
        parameter = inspect.signature(target(node)).parameters.get(key)
    except (Exception, SystemExit):  # whatever importing a user's own module raises
        return False
    return parameter is not None and parameter.kind in (
        parameter.POSITIONAL_OR_KEYWORD,
        parameter.KEYWORD_ONLY,
    )


def target(node: DictConfig | Mapping[str, Any]) -> Any:
    """The class or function that a node's `_target_` names."""
    compile_own_sources()
    name = plain(node)["_target_"]
    with settings_restored():
        made = get_object(name)
    if not callable(made):
        raise ConfigError(
            f"_target_={name}: a {type(made).__name__}; needed: a class or function, such as "
            f"{name if isinstance(made, ModuleType) else 'my_module'}.MyNet"
        )
    return made


@contextmanager
def settings_restored() -> Iterator[None]:
    """Sets back what a user's own code changes for all of PyTorch when it is imported or called.

    advx's own networks rest on these: the default number format and device, whether gradients are
    recorded, and the number of threads.
    """
    before = _settings()
    try:
        yield
    finally:
        if before is None or _settings() != before:
            _set(before)


def _settings() -> tuple[Any, ...] | None:
    """The settings; None before PyTorch is imported, which is where all are the usual ones."""
    torch = sys.modules.get("torch")
    if torch is None:
        return None
    return (
        torch.get_default_dtype(),
        torch.get_default_device(),
        torch.is_grad_enabled(),
        torch.get_num_threads(),
    )


def _set(settings: tuple[Any, ...] | None) -> None:
    torch = sys.modules.get("torch")
    if torch is None:
        return
    dtype, device, gradients, threads = settings or (torch.float32, None, True, None)
    torch.set_default_dtype(dtype)
    torch.set_grad_enabled(gradients)
    if device is None or device != torch.get_default_device():
        torch.set_default_device(None if device is None or device.type == "cpu" else device)
    if threads is not None and threads != torch.get_num_threads():
        torch.set_num_threads(threads)


def build(node: DictConfig | Mapping[str, Any], **extra: Any) -> Any:
    """Instantiate a node; `extra` arguments win over the node's own.

    Raises:
        AdvxError, or OSError of a full disk: what the target itself raised, without Hydra's
            wrapping.
        ConfigError: the target refused its arguments.
    """
    name = plain(node)["_target_"]
    try:
        with settings_restored():
            return instantiate({"_target_": name} | arguments(node), **extra, _convert_="all")
    except InstantiationException as error:
        cause = error.__cause__
        full = isinstance(cause, OSError) and cause.errno in FULL
        if cause is not None and (full or isinstance(cause, AdvxError)):
            raise cause from None
        if isinstance(cause, TypeError | ValueError):
            raise ConfigError(f"{name}: {cause}") from error
        if cause is not None and name.partition(".")[0] != "advx":
            raise ConfigError(f"_target_={name}: fails ({reason(cause)})") from error
        raise
