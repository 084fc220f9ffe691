"""`advx doctor`: what this machine has, and whether every experiment is ready to run."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version

from advx.listing import choices, packages


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
    import torch

    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "none"
    print(f"device        CUDA: {gpu}; {os.cpu_count()} processor cores")
    return 0


def _data() -> int:
    from advx.config.build import build
    from advx.data import files
    from advx.errors import DataError

    folders = ", ".join(map(str, files.search_path(os.environ.get("ADVX_DATA"))))
    print(f"\ndata, looked for in {folders}")
    problems = 0
    for name in choices()["dataset"]:
        node: dict[str, str | None] = {"_target_": f"advx.data.{name}.load"}
        if name != "mnist5k":
            node["data_dir"] = os.environ.get("ADVX_DATA")
        try:
            with files.offline():
                data = build(node)
        except DataError as error:
            missing = "download" in str(error)
            problems += not missing
            print(f"  {name:<14} {'not here (downloaded when first used)' if missing else error}")
        else:
            print(
                f"  {name:<14} verified, {len(data.train):,} training examples, {data.fingerprint}"
            )
    return problems


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
                print(f"  {name:<20} {scale:<8} {one_line(error) or error!r}")
        print(f"  {name}")
    return problems
