"""What made a run: the command to run it again, and the machine, as far as the run says it."""

import re
from collections.abc import Iterator

from advx.report.page.runs import RunRead
from advx.report.pages import cost

PLACES = re.compile(r" ([\w.]*\bdigests|hydra\.run\.dir|data_dir|store)=(\"[^\"]*\"|'[^']*'|\S+)")
"""Words of a command that name a place on the machine where it ran."""

TIME = re.compile(r"(?:^|_)(\d{4}-\d\d-\d\d)_(\d\d)-(\d\d)")
"""How the folder of a run says when it began."""

SHOWN = ("python", "torch", "torchvision", "numpy", "scipy", "hydra-core")
"""Packages whose versions are shown; the manifest has all."""


def command_of(run: RunRead) -> str:
    """The command to run it again, without places on the machine where it ran."""
    return PLACES.sub("", run.manifest.get("command", "")).strip()


def environment_of(run: RunRead) -> list[tuple[str, str]]:
    """Names and values, those that the run does not say left out."""
    return [(name, value) for name, value in _lines(run) if value]


def _lines(run: RunRead) -> Iterator[tuple[str, str]]:
    manifest = run.manifest
    versions = manifest.get("versions", {})
    data = manifest.get("data", {})
    yield "ran on", run.ran
    yield "advx", str(versions.get("advx", ""))
    yield "versions", ", ".join(f"{name} {versions[name]}" for name in SHOWN if name in versions)
    threads = manifest.get("threads")
    count = f", {threads} thread{'s' * (threads != 1)}" if threads else ""
    yield "device", f"{manifest.get('device', '')}{count}"
    yield "platform", str(manifest.get("platform", ""))
    yield "training and crafting", _cost(run)
    peak = manifest.get("peak_memory_mib")
    yield "peak memory", f"{peak:,} MiB" if peak else ""
    yield "test examples", str(data.get("test", ""))
    for name in (run.folder.name, run.folder.parent.name):
        if began := TIME.search(name):
            yield "begun", f"{began.group(1)} {began.group(2)}:{began.group(3)}"
            break
    yield "commit", str(manifest.get("commit", ""))
    for again in manifest.get("measured_again", []):  # type: ignore[attr-defined]
        rows = ", ".join(again.get("rows", []))
        yield (
            "measured again",
            f"{rows}: {again.get('date', '')}, commit {again.get('commit', '')}. "
            f"{again.get('why', '')}",
        )
    yield "joined of", "; ".join(manifest.get("joined", []))
    yield "folder", str(run.folder)


def _cost(run: RunRead) -> str:
    """Hours of a core, or of a GPU."""
    try:
        return cost(run.folder).in_words()
    except (KeyError, TypeError, AttributeError):
        return ""
