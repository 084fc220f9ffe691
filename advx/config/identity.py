"""What a number depends on is in its name: how a node of the configuration enters a store key.

One rule for models, games, attacks, defenses, trainers and data sets:

- a class of advx: its name, and all arguments that are not at their defaults; what advx's own code
  does is counted by `RECIPE_VERSION`, `GAME_VERSION` and `EVALUATION_VERSION`;
- a class or function of an installed package: its name, all arguments, and the package's version;
  so too one that a part of advx is to call (`call: package.module:name`);
- a user's own class or function: its name, all arguments, the content of the files that they name,
  and the source of every module outside the installed packages that it can reach. Sources count as
  syntax trees: a comment or another line break changes nothing.

Weights and images enter by their content, where they are loaded. What no key can see, such as an
extension module's libraries or a file that own code opens as it runs, is listed in the manifest.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from advx.config.build import arguments, plain, target
from advx.config.check import check_node
from advx.config.documents import Node, OwnCode
from advx.config.sources import (
    dotted,
    is_module,
    is_own_module,
    origin,
    package_version,
    reachable,
)
from advx.text_files import file_digest

RECIPE_VERSION = 2
"""Raised by hand whenever training comes to mean something else: part of every store key."""

Foreign = dict[str, dict[str, str]]
"""Of code outside advx: digests of its sources by module, versions by package, digests by file."""


def identity(node: Mapping[str, Any], path: str) -> dict[str, Any]:
    """A node as it enters a key.

    Args:
        node: with a `_target_`.
        path: where it stands, for error messages.
    """
    node = plain(node)
    checked = {"_target_": node["_target_"], **check_node(node, path)}
    return checked if _is_advx(node) else {"node": checked | arguments(node)} | _foreign(node)


def identified(content: Any) -> Any:
    """`content` with the sources of every node in it that names code outside advx.

    Args:
        content: dictionaries, lists and values, as a key is made of them.
    """
    if isinstance(content, Mapping):
        found = {key: identified(value) for key, value in content.items()}
        foreign = "_target_" in content and not _is_advx(content)
        return {"node": found} | _foreign(content) if foreign else found
    if isinstance(content, list | tuple):
        return [identified(value) for value in content]
    return content


def own_code(nodes: list[Node]) -> OwnCode:
    """For the manifest: the user's own modules by digest, and what of them no key can see."""
    modules: dict[str, str] = {}
    unseen: list[str] = []
    for node in nodes:
        if _is_advx(node):
            continue
        for source in reachable(origin(node["_target_"], target(node))).values():
            modules[source.name] = source.digest
            unseen += source.unseen
        unseen += [
            f"{value}: a folder that {node['_target_']} is given"
            for value in _texts(arguments(node))
            if (path := _path(value)) is not None and path.is_dir()
        ]
    return {"modules": dict(sorted(modules.items())), "in_no_key": sorted(set(unseen))}


def sources_of(function: Callable[..., Any]) -> Foreign:
    """The source that stands in a key for a function from outside advx."""
    return _foreign({"_target_": f"{function.__module__}.{function.__qualname__}"})


def _is_advx(node: Mapping[str, Any]) -> bool:
    """Whether a node and all nodes in its arguments name parts of advx, and no own module."""
    own = any("." in text and _modules_in(text) for text in _texts(arguments(node)))
    return not own and all(name.partition(".")[0] == "advx" for name in _targets(node))


def _targets(content: Any) -> Iterator[str]:
    """Every `_target_` in a node, its own first, and every installed `call`, with dots."""
    if isinstance(content, Mapping):
        if "_target_" in content:
            yield str(content["_target_"])
        if _is_call(content.get("call")):
            yield dotted(content["call"])
        content = list(content.values())
    if isinstance(content, list | tuple):
        for value in content:
            yield from _targets(value)


def _foreign(node: Mapping[str, Any]) -> Foreign:
    """What stands for code outside advx in a node's identity: sources, versions and files."""
    sources: dict[str, str] = {}
    versions: dict[str, str] = {}
    for name in _targets(node):
        if name.partition(".")[0] == "advx":
            continue
        starts = origin(name, target({"_target_": name}))
        if any(map(is_own_module, starts)):
            sources |= {s.name: s.digest for s in reachable(starts).values()}
        else:
            versions[name] = package_version(name)
    for value in _texts(arguments(node)):
        sources |= {s.name: s.digest for s in reachable(_modules_in(value)).values()}
    files = {
        value: file_digest(path)
        for value in _texts(arguments(node))
        if (path := _path(value)) is not None and path.is_file()
    }
    found = {"source": sources, "package": versions, "files": files}
    return {key: value for key, value in found.items() if value}


def _texts(content: Any) -> Iterator[str]:
    """Every text in a node's arguments, `_target_` left out: some may name files."""
    if isinstance(content, Mapping):
        content = [value for key, value in content.items() if key != "_target_"]
    if isinstance(content, list | tuple):
        for value in content:
            yield from _texts(value)
    elif isinstance(content, str):
        yield content


def _path(text: str) -> Path | None:
    """The file or folder that a text names, if there is one; `~` is the user's own folder."""
    try:
        path = Path(text).expanduser()
        return path if text and path.exists() else None
    except (OSError, ValueError, RuntimeError):  # too long for a file's name, say
        return None


def _is_call(value: Any) -> bool:
    """Whether a value is `package.module:name` of a package that is installed."""
    module = value.partition(":")[0] if isinstance(value, str) and ":" in value else ""
    return all(part.isidentifier() for part in module.split(".")) and is_module(module)


def _modules_in(text: str) -> frozenset[str]:
    """The user's own modules that a text may name: `helper`, or `helper.activation`."""
    parts = text.split(".")
    if not all(part.isidentifier() for part in parts):
        return frozenset()
    names = [".".join(parts[: i + 1]) for i in range(len(parts))]
    return frozenset(name for name in names if is_own_module(name) and is_module(name))
