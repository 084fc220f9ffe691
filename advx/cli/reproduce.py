"""`advx reproduce`: its words, and what each of its processes runs."""

import argparse
import os
import sys

from advx.config.choices import choices
from advx.errors import ConfigError, nearest
from advx.reproduce.experiments import listed
from advx.reproduce.jobs import selected
from advx.reproduce.plan import Request
from advx.reproduce.reproduce import reproduce
from advx.reproduce.yardstick import measured

MOST_WORKERS = 2
"""Of one thread each, where the user does not say how many: what was measured, and what a machine
with 8 GB has the memory for."""

EXAMPLES = """\
examples:
  advx reproduce --plan                      what would run at the quick scale, and how long
  advx reproduce scale=chapter --hours 8     the most valuable first, as far as 8 hours go
  advx reproduce scale=chapter --only transfer_table,label_smoothing
  advx reproduce scale=chapter digests=FILE  a setting, for the experiments that have it
"""


def run_reproduce(arguments: list[str]) -> int:
    """Carry out `advx reproduce` on these words; returns the exit status."""
    request = requested(arguments)
    return reproduce(request, run_one, cuda=_has_cuda(request), yardstick=measured)


def run_one(words: list[str]) -> None:
    """`advx run` on these words, in the process that was made for it."""
    from advx.cli import main

    sys.argv = ["advx", "run", *words]
    main()


def requested(arguments: list[str]) -> Request:
    """What these words ask for.

    Raises:
        ConfigError: a value that cannot be.
    """
    given = _parser().parse_intermixed_args(arguments)
    for word in given.words:
        key, equals, _ = word.partition("=")
        if not key or not equals:
            raise ConfigError(f"{word}: not key=value, e.g. scale=quick")
        if key == "experiment":
            raise ConfigError(f"{word}: name experiments with --only")
        if key.lstrip("+~").partition(".")[0] == "hydra":
            raise ConfigError(f"{word}: each run has its folder in outputs/reproduce")
    scales = [word.partition("=")[2] for word in given.words if word.startswith("scale=")]
    scale = (scales or ["quick"])[-1]
    if scale not in choices()["scale"]:
        raise ConfigError(f"scale={scale}: no such choice; {nearest(scale, choices()['scale'])}")
    words = [word for word in given.words if not word.startswith("scale=")]
    return Request(
        scale=scale,
        words=words,
        only=_names(given.only),
        skip=_names(given.skip),
        hours=None if given.hours is None else _hours(given.hours),
        workers=_workers(given.workers, words),
        plan=given.plan,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="advx reproduce",
        description="Run all experiments that have a page of results; run it again to continue.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "words", nargs="*", metavar="key=value", help="scale=smoke|quick|chapter, and settings"
    )
    parser.add_argument("--plan", action="store_true", help="say what would run; run nothing")
    parser.add_argument("--only", action="append", default=[], metavar="NAME,NAME")
    parser.add_argument("--skip", action="append", default=[], metavar="NAME,NAME")
    parser.add_argument("--hours", metavar="H", help="the most valuable first; stop after so long")
    parser.add_argument("--workers", metavar="N", help="experiments at a time")
    return parser


def _names(given: list[str]) -> list[str]:
    return [name for some in given for name in some.split(",") if name]


def _hours(text: str) -> float:
    try:
        hours = float(text)
    except ValueError:
        hours = 0.0
    if not 0 < hours < float("inf"):
        raise ConfigError(f"--hours {text}: a number above 0 is needed, e.g. --hours 8")
    return hours


def _workers(text: str | None, words: list[str]) -> int:
    """The number that is given, else as many as there are cores for, at most `MOST_WORKERS`."""
    if text is not None:
        if not text.isdecimal() or int(text) < 1:
            raise ConfigError(f"--workers {text}: a whole number from 1 is needed")
        return int(text)
    threads = [word.partition("=")[2] for word in words if word.startswith("device.threads=")]
    each = int(threads[-1]) if threads and threads[-1].isdecimal() else 1
    return max(1, min(MOST_WORKERS, _cores() // max(1, each)))


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _has_cuda(request: Request) -> bool:
    """Whether the runs may use CUDA; PyTorch is asked only where that changes the plan."""
    if "device=cpu" in request.words:
        return False
    chosen = selected(listed(), request.only, request.skip)
    timed_on_gpus = request.scale == "chapter"
    if not timed_on_gpus and not any(request.scale in each.without_cuda for each in chosen):
        return False
    import torch

    return torch.cuda.is_available()
