"""The source of a user's own code: every module outside the installed packages that it can reach.

Modules are found by reading, not by running: imports anywhere in a module's text, relative ones
too, and `import_module` of a name that stands there in so many letters. What a loaded module holds
at that moment (a helper imported under a computed name, say) is followed as well.
"""

import ast
import hashlib
import inspect
import site
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib.machinery import ModuleSpec
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from pathlib import Path
from types import ModuleType
from typing import Any

READERS = {"open", "read_text", "read_bytes", "load", "fromfile", "loadtxt", "genfromtxt",
           "read_csv", "imread"}  # fmt: skip
"""Calls that may read a file whose content no key knows."""


@dataclass(frozen=True)
class Source:
    """One module of the user's own.

    Attributes:
        name: of the module.
        digest: of its syntax tree, or of its bytes where it has no readable source.
        imports: names of the modules that it imports, installed ones among them.
        unseen: what it depends on and no key can see, a line each.
    """

    name: str
    digest: str
    imports: frozenset[str] = frozenset()
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
    """The user's own modules among `starts` and all that they import, by name."""
    found: dict[str, Source] = {}
    waiting = sorted(starts)
    while waiting:
        name = waiting.pop()
        if name not in found and is_own(name):
            found[name] = _source(name)
            waiting += sorted(found[name].imports)
    return dict(sorted(found.items()))


def is_own(name: str) -> bool:
    """Whether a module is neither advx's, nor Python's, nor of an installed package."""
    if name.partition(".")[0] in {"advx", *sys.stdlib_module_names} - {"__main__"}:
        return False
    spec = _spec(name)
    if spec is None:
        return name == "__main__" or name in sys.modules
    if spec.origin in (None, "built-in", "frozen"):
        places = [Path(p) for p in spec.submodule_search_locations or []]
        return any(not _installed(place) for place in places)  # a folder without __init__.py
    return not _installed(Path(str(spec.origin)))


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
        return Source(name, "", _held(name), note)
    content = Path(spec.origin).read_bytes()
    try:
        tree = ast.parse(content)
    except (SyntaxError, ValueError):
        note = (f"{name}: an extension module; the libraries that it loads are in no key",)
        return Source(name, hashlib.sha256(content).hexdigest()[:16], _held(name), note)
    package = name if spec.submodule_search_locations is not None else name.rpartition(".")[0]
    digest = hashlib.sha256("".join(_written(tree)).encode()).hexdigest()[:16]
    lines = [f"{name}, line {n}: {what}(…) may read a file" for n, what in _reads(tree)]
    return Source(name, digest, frozenset(_imports(tree, package)) | _held(name), tuple(lines))


def _written(tree: Any) -> Iterator[str]:
    """A syntax tree as text, without places and without what is empty, alike in every Python."""
    if isinstance(tree, ast.AST):
        yield type(tree).__name__ + "("
        for name, value in ast.iter_fields(tree):
            if value is not None and value != [] and name not in ("type_comment", "kind"):
                yield f"{name}="
                yield from _written(value)
        yield ")"
    elif isinstance(tree, list):
        yield "["
        for item in tree:
            yield from _written(item)
            yield ","
        yield "]"
    else:
        yield repr(tree)


def _imports(tree: ast.AST, package: str) -> Iterator[str]:
    """Names of the modules that may be imported by this text, their packages included."""
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")[: len(package.split(".")) - node.level + 1]
            base = ".".join([*(parents if node.level else []), *filter(None, [node.module])])
            names = [base, *(f"{base}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Call) and _called(node) in ("import_module", "__import__"):
            names = [str(a.value) for a in node.args[:1] if isinstance(a, ast.Constant)]
        for name in filter(None, names):
            parts = name.split(".")
            yield from (".".join(parts[: i + 1]) for i in range(len(parts)))


def _held(name: str) -> frozenset[str]:
    """Modules that a loaded module holds, or that made what it holds."""
    loaded = sys.modules.get(name)
    values = list(vars(loaded).values()) if loaded is not None else []
    names = (
        value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", None)
        for value in values
    )
    return frozenset(n for n in names if isinstance(n, str) and n in sys.modules)


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
    loaded = sys.modules.get(name)
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


def _installed(place: Path) -> bool:
    """Whether a file lies where Python or packages are installed."""
    return any(place.is_relative_to(folder) for folder in _folders())


@cache
def _folders() -> tuple[Path, ...]:
    names = ("stdlib", "platstdlib", "purelib", "platlib")
    folders = [sysconfig.get_path(name) for name in names]
    folders += [*site.getsitepackages(), site.getusersitepackages()]
    return tuple(Path(folder) for folder in dict.fromkeys(filter(None, folders)))
