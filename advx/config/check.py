"""Check a configuration against the signatures it will call, before anything is built or trained.

Each node with a `_target_` is compared with that callable's parameters: unknown and missing names,
types, and the ranges of `advx.types`. Every complaint is one line with the key, the value seen and
the valid choice.
"""

import dataclasses
import inspect
import sys
from collections.abc import Callable, Iterable, Mapping
from functools import cache, wraps
from typing import Any, get_args, get_type_hints

from omegaconf import DictConfig
from pydantic import BaseModel, ConfigDict, ValidationError, create_model
from pydantic_core import PydanticUndefined

from advx.config.build import arguments, plain, target
from advx.config.choices import labels
from advx.config.config import Config, with_configs
from advx.config.documents import Composed, Node
from advx.config.places import other_places
from advx.config.sources import is_module
from advx.errors import ConfigError, nearest, reason


def check_node(node: DictConfig | Mapping[str, Any], path: str) -> Node:
    """Check one node with a `_target_`; returns its arguments, converted and without defaults.

    Args:
        node: a configuration node.
        path: where it stands, for error messages ("attack", "models.maxout").

    Raises:
        ConfigError: unknown or missing keys, or values outside their range.
    """
    name = plain(node).get("_target_")
    if not name or name == "???":
        raise ConfigError(
            f"{path}._target_: not given; name a class or function, e.g. my_module.MyNet"
        )
    try:
        call = target(node)
    except ConfigError as error:
        raise ConfigError(f"{path}.{error}") from error
    except (Exception, SystemExit) as error:  # whatever importing a user's own module raises
        because = _missing(str(name))
        because = because or f"cannot be imported ({reason(error.__cause__ or error)})"
        raise ConfigError(f"{path}._target_={name}: {because}") from error
    given = arguments(node)
    for key, value in given.items():
        if isinstance(value, str) and value == "???":  # OmegaConf's word for it
            raise ConfigError(f"{path}.{key}: not given, and {name} has no default for it")
    _refuse_label(given, path, name)
    inner = _inner(given, call, path)
    schema, open_ended = _schema(call, leave_out=frozenset(inner))
    given = {key: value for key, value in given.items() if key not in inner}
    if not open_ended:
        for key in given:
            if key not in schema.model_fields:
                keys = [*schema.model_fields, *inner]
                valid = nearest(key, keys) if keys else f"valid: none, {name} takes no arguments"
                raise ConfigError(f"{path}.{key}={given[key]}: no such key; {valid}")
    try:
        checked = schema(**given)
    except ValidationError as error:
        raise ConfigError(_message(error, path, name)) from error
    values = {k: getattr(checked, k) for k in checked.model_fields_set}
    defaults = {k: field.default for k, field in schema.model_fields.items()}
    return {
        k: v
        for k, v in values.items()
        if defaults.get(k, PydanticUndefined) is PydanticUndefined or v != defaults[k]
    } | {k: node for k, node in inner.items() if not _is_default(node, call, k)}


def _missing(name: str) -> str:
    """That a module can be imported and has no such class or function, and those that it has.

    Nothing where the module itself is missing, or fails.
    """
    parts = name.split(".")
    inner = max((i for i in range(len(parts)) if ".".join(parts[:i]) in sys.modules), default=0)
    module = ".".join(parts[:inner])
    if not module or is_module(".".join(parts[: inner + 1])):
        return ""
    held: Any = sys.modules[module]
    own = [
        key
        for key, value in vars(held).items()
        if callable(value) and getattr(value, "__module__", "") == module and key[0] != "_"
    ]
    if hasattr(held, parts[inner]):
        return ""
    valid = nearest(parts[inner], own) if own else f"{module} defines no class or function"
    return f"{module} has no {parts[inner]}; {valid}"


def _refuse_label(given: Node, path: str, called: str) -> None:
    """Refuse a `name` that may have come with a choice of advx's, where it would be an argument.

    Raises:
        ConfigError: nobody can tell whether the argument was meant.
    """
    label = str(given.get("name"))
    if "name" in given and label in labels():
        raise ConfigError(
            f"{path}.name={label}: advx calls a choice of its own so, and `name` is an argument of "
            f"{called} too; valid: any other value, which becomes the argument and names the row"
        )


def _inner(given: Node, call: Any, path: str) -> dict[str, Node]:
    """The nodes among the arguments of a callable that says by a class what it takes there.

    Returns:
        Each with its `_target_` and its own arguments, as `check_node` returns them.

    Raises:
        ConfigError: one makes something else, or cannot be made.
    """
    nodes = {k: v for k, v in given.items() if isinstance(v, dict) and "_target_" in v}
    hints = _hints(call) if nodes else {}
    found = {}
    for key, node in nodes.items():
        wanted = [k for k in (hints.get(key), *get_args(hints.get(key))) if inspect.isclass(k)]
        wanted = [k for k in wanted if k.__module__ != "builtins"]
        if not wanted:
            continue
        found[key] = {"_target_": node["_target_"]} | check_node(node, f"{path}.{key}")
        made = target(node)
        if inspect.isclass(made) and not issubclass(made, tuple(wanted)):
            kind = f"{wanted[0].__module__}.{wanted[0].__qualname__}"
            raise ConfigError(
                f"{path}.{key}._target_={node['_target_']}: makes no {wanted[0].__name__}; "
                f"needed: a class derived from {kind}"
            )
    return found


def _is_default(node: Node, call: Any, key: str) -> bool:
    """Whether a node makes what a parameter of `call` is without it; nodes of dataclasses alone."""
    made, default = target(node), inspect.signature(call).parameters[key].default
    if not dataclasses.is_dataclass(made) or type(default) is not made:
        return False
    return made(**{k: v for k, v in node.items() if k != "_target_"}) == default


def _hints(call: Any) -> dict[str, Any]:
    """The annotations of a callable's parameters; none where they do not resolve."""
    try:
        return get_type_hints(call.__init__ if inspect.isclass(call) else call, include_extras=True)
    except Exception:  # a user's own annotations need not resolve
        return {}


@cache
def _schema(
    call: Any, skip: int = 0, leave_out: frozenset[str] = frozenset()
) -> tuple[type[BaseModel], bool]:
    """A pydantic model of a callable's parameters, and whether it takes any others.

    Args:
        call: a class or function.
        skip: number of leading parameters to leave out.
        leave_out: names of others.
    """
    function = call.__init__ if inspect.isclass(call) else call
    if function is object.__init__:
        return create_model(call.__name__, __config__=_config("forbid")), False
    hints = _hints(call)
    fields: dict[str, Any] = {}
    open_ended = False
    for parameter in list(inspect.signature(call).parameters.values())[skip:]:
        if parameter.kind is parameter.VAR_KEYWORD:
            open_ended = True
        elif parameter.name in leave_out:
            continue
        elif parameter.kind is not parameter.VAR_POSITIONAL:
            default = ... if parameter.default is parameter.empty else parameter.default
            fields[parameter.name] = (hints.get(parameter.name, Any), default)
    extra = "allow" if open_ended else "forbid"
    return create_model(call.__name__, __config__=_config(extra), **fields), open_ended


def _config(extra: Any) -> ConfigDict:
    return ConfigDict(extra=extra, arbitrary_types_allowed=True, protected_namespaces=())


def _message(error: ValidationError, path: str, name: str = "it") -> str:
    """The first complaint of a ValidationError as one line.

    Args:
        error: what was raised.
        path: of the node.
        name: of what takes the arguments.
    """
    first = error.errors()[0]
    key = ".".join(
        [
            *([path] if path else []),
            *(str(part) for part in first["loc"] if not _is_union_tag(part)),
        ]
    )
    if first["type"] == "missing":
        return f"{key}: not given, and {name} has no default for it"
    text = first["msg"].removeprefix("Value error, ")
    text = text[0].lower() + text[1:]
    return f"{key}={first['input']}: {text}"


def _is_union_tag(part: Any) -> bool:
    """Whether a location names a branch of a union rather than a key."""
    return isinstance(part, str) and ("[" in part or part in {"float", "int", "str", "none"})


def checked(init: Callable[..., None]) -> Callable[..., None]:
    """A constructor that refuses in Python what its annotations refuse on the command line.

    Arguments are converted as there: a list to the tuple that it stands for, say.

    Raises:
        ConfigError: a value outside its range.
        TypeError: unknown or missing arguments, as of any function.
    """

    @wraps(init)
    def constructor(self: Any, *positional: Any, **given: Any) -> None:
        schema, _ = _schema(init, 1)
        bound = inspect.signature(init).bind(self, *positional, **given).arguments
        try:
            values = schema(**{k: v for k, v in bound.items() if k in schema.model_fields})
        except ValidationError as error:
            raise ConfigError(_message(error, "")) from error
        init(self, *positional, **{k: getattr(values, k, v) for k, v in given.items()})

    return constructor


def check_keywords(
    config: Composed,
    function: Callable[..., None],
    common: Iterable[str],
    path: str,
    chosen: Mapping[str, Any],
) -> None:
    """Check the top-level keys: those every run has, and the parameters of the experiment's `main`.

    Args:
        config: resolved.
        function: `main`.
        common: the keys that every run has.
        path: the experiment, for error messages.
        chosen: what was chosen, by group and place, as Hydra lists it; nothing where unknown.

    Raises:
        ConfigError: an unknown or missing key, or a value outside its range.
    """
    parameters = list(inspect.signature(function).parameters)[1:]
    known = {*common, *parameters}
    for key, value in config.items():
        if key not in known:
            called = (
                value.get("name") or value.get("_target_") if isinstance(value, dict) else value
            )
            meant = other_places(key, chosen, known)
            valid = f"valid: {meant}" if meant else nearest(key, known)
            raise ConfigError(f"{key}={called}: no such key in {path}; {valid}")
    for parameter in parameters:
        default = inspect.signature(function).parameters[parameter].default
        if parameter not in config and default is inspect.Parameter.empty:
            raise ConfigError(f"{parameter}: not given, and {path} needs it")
    try:
        _schema(function, 1)[0](**{key: config[key] for key in parameters if key in config})
    except ValidationError as error:
        raise ConfigError(_message(error, "")) from error


def keywords(config: Composed, function: Callable[..., None]) -> dict[str, Any]:
    """What of a configuration an experiment's `main` is called with, besides the run.

    A parameter whose annotation says so is given a `Config`, or several, in place of dictionaries.
    """
    own = list(inspect.signature(function).parameters)[1:]
    hints = get_type_hints(function)
    return {
        key: with_configs(config[key], key) if _wants_configs(hints.get(key)) else config[key]
        for key in own
        if key in config
    }


def _wants_configs(kind: Any) -> bool:
    """Whether an annotation names `Config`, alone or inside `dict[str, Config]` and the like."""
    return kind is Config or any(map(_wants_configs, get_args(kind)))
