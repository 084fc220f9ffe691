"""The source of a user's own code: every module outside the installed packages that it can reach.

Modules are found by reading, not by running: imports anywhere in a module's text, relative ones
too, and `import_module` of a name that stands there in so many letters. What a loaded module holds
at that moment is followed as well, in its own containers too: a helper imported under a computed
name, plugins in a registry. So is a loaded module that sets an attribute of one of these.
"""

import ast
import hashlib
import inspect
import site
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from importlib.machinery import ModuleSpec
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from pathlib import Path
from types import ModuleType
from typing import Any

READERS = {
    "open",
    "read_text",
    "read_bytes",
    "load",
    "fromfile",
    "loadtxt",
    "genfromtxt",
    "read_csv",
    "imread",
    "spec_from_file_location",
    "SourceFileLoader",
    "run_path",
    "exec",
}
"""Calls that may read a file, or run code, whose content no key knows."""


@dataclass(frozen=True)
class Source:
    """One module of the user's own.

    Attributes:
        name: of the module.
        digest: of its syntax tree, or of its bytes where it has no readable source.
        imports: names of the modules that it imports, installed ones among them.
        patches: names of modules of which, or of whose members, it sets an attribute.
        unseen: what it depends on and no key can see, a line each.
    """

    name: str
    digest: str
    imports: frozenset[str] = frozenset()
    patches: frozenset[str] = frozenset()
    unseen: tuple[str, ...] = field(default=())


def origin(name: str, made: Any) -> frozenset[str]:
    """Modules in which the object with this dotted name was looked up and in which it was made.

    Args:
        name: dotted, `package.module.Class`.
        made: the object.
    """
    parts = name.split(".")
    looked_up = {".".join(parts[:i]) for i in range(1, len(parts))} & set(sys.modules)
    bases = inspect.getmro(made) if inspect.isclass(made) else (made,)
    homes = {str(getattr(base, "__module__", "") or "") for base in bases}
    return frozenset(looked_up | homes) - {"", "builtins"}


def reachable(starts: frozenset[str]) -> dict[str, Source]:
    """The user's own modules among `starts`, all that they import, and what changes these."""
    found: dict[str, Source] = {}
    waiting = sorted(starts)
    while waiting:
        name = waiting.pop()
        if name not in found and is_own_module(name):
            found[name] = _source(name)
            waiting += sorted(found[name].imports)
        if not waiting:
            waiting = [n for n in _patching() if n not in found and _source(n).patches & set(found)]
    return dict(sorted(found.items()))


def _patching() -> list[str]:
    """The user's own loaded modules that set an attribute of another module."""
    loaded = [name for name in list(sys.modules) if is_own_module(name)]
    return sorted(name for name in loaded if _source(name).patches)


def is_own_module(name: str) -> bool:
    """Whether a module is neither advx's, nor Python's, nor of an installed package."""
    spec = _spec(name)
    if name.partition(".")[0] == "advx" or (spec is not None and _others.get(name) is spec):
        return False
    if spec is None:
        return name == "__main__"
    if spec.origin in (None, "built-in", "frozen"):
        places = [Path(p) for p in spec.submodule_search_locations or []]
        own = any(not is_installed(place) for place in places)  # a folder without __init__.py
    else:
        own = not is_installed(Path(str(spec.origin)))
    if not own and name in sys.modules:
        _others[name] = spec
    return own


_others: dict[str, ModuleSpec] = {}
"""Loaded modules that are known to be installed ones."""


def is_module(name: str) -> bool:
    """Whether there is a module of this name."""
    return _spec(name) is not None


def dotted(call: str) -> str:
    """`package.module.name` for `package.module:name`."""
    return call.replace(":", ".")


def package_version(name: str) -> str:
    """Name and version of the installed package that a dotted name belongs to."""
    top = name.partition(".")[0]
    known = getattr(sys.modules.get(top), "__version__", None)
    if known is not None:
        return f"{top} {known}"
    try:
        return ", ".join(f"{d} {version(d)}" for d in sorted(packages_distributions().get(top, [])))
    except PackageNotFoundError:
        return top


def _source(name: str) -> Source:
    """One module, read once for each time that it is loaded: it does not change with its file."""
    spec = _spec(name)
    if name not in _read or _read[name][0] is not spec:
        _read[name] = spec, _digested(name, spec)
    return _read[name][1]


_read: dict[str, tuple[ModuleSpec | None, Source]] = {}


def _digested(name: str, spec: ModuleSpec | None) -> Source:
    if spec is None or spec.origin is None:  # typed in, or a folder without __init__.py
        note = () if spec is not None else (f"{name}: has no source file",)
        return Source(name, "", _held(name), unseen=note)
    read = getattr(spec.loader, "get_data", None)  # from an archive, say
    content: bytes = read(spec.origin) if read else Path(spec.origin).read_bytes()
    try:
        tree = ast.parse(content)
    except (SyntaxError, ValueError, RecursionError):
        note = (f"{name}: an extension module; the libraries that it loads are in no key",)
        return Source(name, hashlib.sha256(content).hexdigest()[:16], _held(name), unseen=note)
    package = name if spec.submodule_search_locations is not None else name.rpartition(".")[0]
    digest = hashlib.sha256("".join(_written(tree)).encode()).hexdigest()[:16]
    patches = frozenset(_patches(tree, package)) - {name}
    lines = [f"{name}, line {n}: {what}(…) may read a file" for n, what in _reads(tree)]
    lines += [
        f"{name}: changes {n}, which is not named by it" for n in patches if not is_own_module(n)
    ]
    imports = frozenset(_imports(tree, package)) | _held(name)
    return Source(name, digest, imports, patches, tuple(sorted(lines)))


def _written(tree: ast.AST) -> Iterator[str]:
    """A syntax tree as text, without places and without what is empty, alike in every Python."""
    waiting: list[Any] = [tree]  # not by recursion: sums and `elif`s nest as deep as they are long
    while waiting:
        item = waiting.pop()
        if isinstance(item, ast.AST):
            yield type(item).__name__ + "("
            waiting.append(_Text(")"))
            for name, value in reversed(list(ast.iter_fields(item))):
                if value is not None and value != [] and name not in ("type_comment", "kind"):
                    waiting += [value, _Text(f"{name}=")]
        elif isinstance(item, list):
            waiting.append(_Text("]"))
            for each in reversed(item):
                waiting += [_Text(","), each]
            yield "["
        else:
            yield item if isinstance(item, _Text) else repr(item)


class _Text(str):
    """Written as it stands."""


def _patches(tree: ast.AST, package: str) -> Iterator[str]:
    """Names of modules of which, or of whose members, this text sets an attribute."""
    bound: dict[str, set[str]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                whole = alias.name if alias.asname else alias.name.partition(".")[0]
                bound.setdefault(alias.asname or whole, set()).add(whole)
        elif isinstance(node, ast.ImportFrom):
            base = _base(node, package)
            for alias in node.names:
                names = bound.setdefault(alias.asname or alias.name, set())
                names |= {base, f"{base}.{alias.name}"}
    for node in ast.walk(tree):
        changed: list[ast.expr] = []
        if isinstance(node, ast.Assign):
            changed = node.targets
        elif isinstance(node, ast.AugAssign | ast.AnnAssign):
            changed = [node.target]
        elif isinstance(node, ast.Call) and _called(node) == "setattr" and node.args:
            changed = [ast.Attribute(node.args[0], "")]
        for target in changed:
            if isinstance(target, ast.Attribute):
                parts = _dotted(target.value)
                for origin in bound.get(parts[0], ()) if parts else ():
                    rest = [origin, *parts[1:]]
                    yield from (".".join(rest[: i + 1]) for i in range(len(rest)))


def _dotted(node: ast.AST) -> list[str]:
    """The names of a.b.c; nothing for any other expression."""
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    return [node.id, *reversed(names)] if isinstance(node, ast.Name) else []


def _base(node: ast.ImportFrom, package: str) -> str:
    """The module that `from … import` names, in full."""
    parts = package.split(".")
    parents = parts[: len(parts) - node.level + 1] if node.level else []
    return ".".join([*parents, *filter(None, [node.module])])


def _imports(tree: ast.AST, package: str) -> Iterator[str]:
    """Names of the modules that may be imported by this text, their packages included."""
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = _base(node, package)
            names = [base, *(f"{base}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Call) and _called(node) in ("import_module", "__import__"):
            names = [str(a.value) for a in node.args[:1] if isinstance(a, ast.Constant)]
        for name in filter(None, names):
            parts = name.split(".")
            yield from (".".join(parts[: i + 1]) for i in range(len(parts)))


def _held(name: str) -> frozenset[str]:
    """Modules that a loaded module holds, or that made what it holds."""
    loaded = _loaded(name)
    values = list(vars(loaded).values()) if loaded is not None else []
    for value in list(values):
        if isinstance(value, dict) and value is not vars(loaded).get("__builtins__"):
            values += value.values()
        elif isinstance(value, list | tuple | set | frozenset):
            values += value
    names = set()
    for value in values:
        if isinstance(value, ModuleType):
            names.add(value.__name__)
            if value.__name__ not in sys.modules:
                _unlisted[value.__name__] = value
        else:
            with suppress(Exception):  # of an object that computes its attributes
                names.add(value.__module__)
    return frozenset(n for n in names if isinstance(n, str) and _loaded(n) is not None)


def _loaded(name: str) -> ModuleType | None:
    return sys.modules.get(name) or _unlisted.get(name)


_unlisted: dict[str, ModuleType] = {}
"""Modules that were loaded by hand, which `sys.modules` need not know."""


def _reads(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Lines with a call that may read a file, and what is called."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _called(node) in READERS:
            yield node.lineno, _called(node)


def _called(node: ast.Call) -> str:
    """The last name of what is called."""
    function = node.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def _spec(name: str) -> ModuleSpec | None:
    """Where a module lies, found without running anything; None where there is none."""
    loaded = _loaded(name)
    if loaded is not None and getattr(loaded, "__spec__", None) is not None:
        return loaded.__spec__
    parent = name.rpartition(".")[0]
    path = None
    if parent:
        above = _spec(parent)
        if above is None or above.submodule_search_locations is None:
            return None
        path = list(above.submodule_search_locations)
    for finder in sys.meta_path:
        try:
            spec = finder.find_spec(name, path)
        except Exception:  # an import hook of somebody else's
            continue
        if spec is not None:
            return spec
    return None


def is_installed(place: Path) -> bool:
    """Whether a file lies where Python or packages are installed."""
    return any(place.is_relative_to(folder) for folder in _folders())


@cache
def _folders() -> tuple[Path, ...]:
    names = ("stdlib", "platstdlib", "purelib", "platlib")
    folders = [sysconfig.get_path(name) for name in names]
    folders += [*site.getsitepackages(), site.getusersitepackages()]
    return tuple(Path(folder) for folder in dict.fromkeys(filter(None, folders)))
