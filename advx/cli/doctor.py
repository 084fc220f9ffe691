"""`advx doctor`: what this machine has, and whether every experiment is ready to run."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version

from advx.config.choices import choices
from advx.errors import DataError, reason
from advx.packages import packages

FEW = 40
"""Examples that are drawn to see whether a data set without files can be made."""


def diagnose() -> int:
    """Print the findings; returns the number of problems."""
    problems = 0
    print(f"python        {platform.python_version()} on {platform.system()} {platform.machine()}")
    for package in packages():
        try:
            print(f"{package:<13} {version(package)}")
        except PackageNotFoundError:
            problems += 1
            print(f"{package:<13} MISSING: run make setup")
    problems += _machine() + _data() + _experiments()
    print(f"\n{problems} problem(s)" if problems else "\nall well")
    return problems


def _machine() -> int:
    try:
        import torch

        gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "none"
    except Exception as error:  # a driver that does not fit raises what it likes
        print(f"device        PROBLEM: {reason(error)}")
        return 1
    print(f"device        CUDA: {gpu}; {os.cpu_count()} processor cores")
    return 0


def _data() -> int:
    """Every data set as a run would load it, but without downloads."""
    from advx.data import files

    folders = ", ".join(map(str, files.search_path(os.environ.get("ADVX_DATA"))))
    print(f"\ndata, looked for in {folders}")
    problems = 0
    for name in choices()["dataset"]:
        try:
            with files.offline():
                found = _data_set(name)
        except Exception as error:  # of one data set: the others are looked at all the same
            missing = isinstance(error, DataError) and "download" in str(error)
            found = "not here (downloaded when first used)" if missing else reason(error)
            problems += not missing
        print(f"  {name:<14} {found}")
    return problems


def _data_set(name: str) -> str:
    """What is said of a data set that could be loaded, or that is the user's to name."""
    from advx.config.build import build
    from advx.config.compose import composed

    node = composed(["experiment=train", f"dataset={name}"])[0]["dataset"]
    node = {k: v for k, v in node.items() if k not in ("input_shape", "classes")}
    open_keys = [key for key, value in node.items() if value == "???"]
    if open_keys:
        return f"yours: dataset.{open_keys[0]}=…"
    drawn = "data_dir" not in node and "train" in node  # by advx itself: a few will do
    if drawn:
        build(node | {k: FEW for k in ("train", "validation", "test") if k in node})
        return "drawn when used, needs no files"
    data = build(node)
    return f"verified, {len(data.train):,} training examples, {data.fingerprint}"


def _experiments() -> int:
    from advx.config.compose import composed
    from advx.config.messages import one_line
    from advx.run import check

    print("\nexperiments, composed and checked at every scale")
    problems = 0
    for name in choices()["experiment"]:
        for scale in choices()["scale"]:
            try:
                check(*composed([f"experiment={name}", f"scale={scale}"]))
            except Exception as error:
                problems += 1
                print(f"  {name:<20} {scale:<8} {one_line(error) or reason(error)}")
        print(f"  {name}")
    return problems
