"""Which experiments are run, with which words, and which of them are finished already."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from advx import __version__
from advx.config.chapter import FILES
from advx.config.compose import resolved
from advx.config.documents import Composed
from advx.config.quoting import words as shell_words
from advx.errors import ConfigError, nearest
from advx.report.finished import Unfinished, manifest_of, summary_of, title_of
from advx.reproduce.experiments import Experiment
from advx.run_folder import EVERY_RUN

THREADS = "device.threads=1"
"""Of every run, unless the user says otherwise: the bytes depend on it, not on the workers."""

EVERYWHERE = ("device", "store", "data_dir", "seeds")
"""Keys that every experiment has."""


@dataclass(frozen=True)
class Job:
    """One experiment to run.

    Attributes:
        experiment: which.
        words: of `advx run`, without its folder.
        folder: of the run, always the same, so that a second command continues it.
        remark: on what runs in place of the chapter's own; nothing where it is the chapter's.
        skipped: why it is not run; nothing where it is.
        given: whether the user's words set something that only some experiments have.
    """

    experiment: Experiment
    words: tuple[str, ...]
    folder: Path
    remark: str = ""
    skipped: str = ""
    given: bool = False

    @property
    def name(self) -> str:
        """The experiment's."""
        return self.experiment.name

    @property
    def log(self) -> Path:
        """What the run prints goes there, beside its folder."""
        return self.folder.with_name(f"{self.name}.log")

    @property
    def command(self) -> list[str]:
        """The words of `advx run`, with the folder."""
        return [*self.words, f"hydra.run.dir={self.folder}"]

    @cached_property
    def config(self) -> Composed:
        """The resolved configuration."""
        return resolved(list(self.words))

    def finished(self) -> bool:
        """Whether its folder holds a whole run of this configuration by this version of advx, with
        all of its files."""
        try:
            summary_of(self.folder, ())
            title_of(self.folder)
            manifest = manifest_of(self.folder)
        except Unfinished:
            return False
        ours = json.loads(json.dumps(self.config))
        same = _without_places(manifest["config"]) == _without_places(ours)
        versions, files = manifest.get("versions"), manifest.get("files")
        if not (same and isinstance(versions, dict) and isinstance(files, list)):
            return False
        needed = {*EVERY_RUN, *map(str, files)} - {"FAILED"}
        there = all((self.folder / name).is_file() for name in needed)
        return there and versions.get("advx") == __version__


def selected(
    known: Mapping[str, Experiment], only: Iterable[str], skip: Iterable[str]
) -> list[Experiment]:
    """The experiments that are asked for: all but the tools, or those that `only` names.

    Args:
        known: all experiments, by name.
        only: names; none for all.
        skip: names that are left out.

    Raises:
        ConfigError: a name that there is not, or nothing is left.
    """
    only, skip = list(only), list(skip)
    for option, names in (("--only", only), ("--skip", skip)):
        for name in names:
            if name not in known:
                raise ConfigError(f"{option} {name}: no such experiment; {nearest(name, known)}")
    asked = only or [name for name, each in known.items() if not each.tool]
    chosen = [known[name] for name in dict.fromkeys(asked) if name not in skip]
    if not chosen:
        raise ConfigError(f"--skip {','.join(skip)}: no experiment is left")
    return chosen


def jobs(
    experiments: Iterable[Experiment], scale: str, given: Iterable[str], root: Path, *, cuda: bool
) -> list[Job]:
    """A job for each experiment.

    Args:
        experiments: those that are asked for.
        scale: of all.
        given: the user's `key=value` words; each goes to the experiments that have the key.
        root: the folder below which every run has its own.
        cuda: whether this machine has CUDA and may use it.

    Raises:
        ConfigError: a word that no experiment takes.
    """
    made, used, asked = [], set[str](), list(given)
    for experiment in experiments:
        base = [f"experiment={experiment.name}", f"scale={scale}", THREADS]
        replaced = [] if cuda else experiment.without_cuda.get(scale, [])
        taken = {word: _for(word, [*base, *replaced]) for word in asked}
        used |= {word for word, words in taken.items() if words}
        words = [*base, *replaced, *(each for words in taken.values() for each in words)]
        absent = experiment.missing()
        made.append(
            Job(
                experiment,
                tuple(words),
                root / experiment.name,
                remark=f"without CUDA: {shell_words(replaced)}" if replaced else "",
                skipped=f"needs {absent}, which is not installed" if absent else "",
                given=any(words and not _is_everywhere(word) for word, words in taken.items()),
            )
        )
    for word in asked:
        if word not in used:
            raise ConfigError(f"{word}: none of these experiments has such a key")
    return made


def _for(word: str, words: list[str]) -> list[str]:
    """What a user's word sets in the experiment that `words` choose: nothing, itself, or each of
    its data sets' files where the word names no data set (`digests=FILE`)."""
    key, _, value = word.partition("=")
    if _is_everywhere(word):
        return [word]
    config = resolved(words)
    if key in FILES:
        return [f"{path}={value}" for path in _paths(config, key)]
    level: Any = config
    for part in (key.partition("@")[2] or key).split("."):
        if not isinstance(level, dict) or part not in level:
            return []
        level = level[part]
    return [word]


def _is_everywhere(word: str) -> bool:
    """Whether a word sets a key that every experiment has."""
    return word.partition("=")[0].partition(".")[0] in EVERYWHERE


def _paths(node: Any, key: str, path: str = "") -> Iterator[str]:
    """Where below a node this key stands."""
    for name, inside in node.items() if isinstance(node, dict) else ():
        here = f"{path}.{name}" if path else str(name)
        if name == key:
            yield here
        else:
            yield from _paths(inside, key, here)


def _without_places(node: Any, top: bool = True) -> Any:
    """A configuration without what says only where files lie."""
    if isinstance(node, list):
        return [_without_places(each, False) for each in node]
    if not isinstance(node, dict):
        return node
    dropped = {*FILES, "store"} if top else {*FILES}
    return {k: _without_places(v, False) for k, v in node.items() if k not in dropped}
