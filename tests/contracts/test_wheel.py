"""The wheel: installed beside a PyTorch that is there already, it runs from an empty folder."""

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.paths import ROOT

PACKAGED = ("advx", "conf", "docs/*.csv", "experiments", "pyproject.toml", "README.md", "LICENSE")

FILES = (
    "results.csv",
    "summary.csv",
    "summary.md",
    "claims.csv",
    "timing.csv",
    "manifest.json",
    "transfer.png",
    "transfer.pdf",
    "arrays.npz",
    "run.log",
)


def done(*words: str | Path, folder: Path, fails: bool = False) -> str:
    """What a command prints, in a folder, without this project's environment or pip's settings."""
    left_out = ("PYTHONPATH", "PIP_", "VIRTUAL_ENV")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(left_out)}
    environment["PIP_CONFIG_FILE"] = os.devnull
    ended = subprocess.run(
        [*map(str, words)], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert (ended.returncode != 0) == fails, ended.stdout + ended.stderr
    return ended.stdout + ended.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    listed = ["git", "ls-files", "-co", "--exclude-standard", *PACKAGED]
    for name in done(*listed, folder=ROOT).split():
        if (ROOT / name).exists():
            (folder / "source" / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / "source" / name).write_bytes((ROOT / name).read_bytes())
    done(
        sys.executable,
        "-m",
        "build",
        "--wheel",
        "--no-isolation",
        "--outdir",
        folder,
        "source",
        folder=folder,
    )
    (made,) = folder.glob("*.whl")
    return made


def environment(folder: Path, *without: str) -> Path:
    """The Python of a new environment that has all packages of this one, but advx and `without`."""
    done(sys.executable, "-m", "venv", "--without-pip", "env", folder=folder)
    packages = folder / "packages"
    packages.mkdir()
    for site in {sysconfig.get_path(kind) for kind in ("purelib", "platlib")}:
        for path in Path(site).iterdir():
            if not path.name.startswith(("advx", "__editable__", "__pycache__", *without)):
                (packages / path.name).symlink_to(path)
    (place,) = folder.glob("env/lib/python*/site-packages")
    (place / "packages.pth").write_text(f"{packages}\n", encoding="utf-8")
    return folder / "env" / "bin" / "python"


@pytest.mark.skipif(sys.platform == "win32", reason="symbolic links, and other names of folders")
def test_the_wheel_takes_the_pytorch_that_is_there_and_runs_from_an_empty_folder(
    wheel, tmp_path
) -> None:
    python, empty = environment(tmp_path), tmp_path / "empty"
    empty.mkdir()
    said = done(python, "-m", "pip", "install", "--no-index", wheel, folder=empty)
    assert "Installing collected packages: advx\n" in said
    assert "Requirement already satisfied: torch>=" in said
    advx = python.with_name("advx")
    where = "import advx, advx.conf, torch; print(advx.__file__, advx.conf.__file__)"
    assert done(python, "-c", where, folder=empty).count(str(tmp_path / "env")) == 2
    assert "transfer_table" in done(advx, "list", folder=empty)
    done(
        advx,
        "run",
        "experiment=transfer_table",
        "scale=smoke",
        "seeds=[0]",
        "protocols=[unclipped]",
        "device.threads=1",
        "hydra.run.dir=out",
        folder=empty,
    )
    for name in FILES:
        assert (empty / "out" / name).exists(), name
    assert not (empty / "out" / "FAILED").exists()
    done(advx, "report", "out", "--html", "page.html", folder=empty)
    assert (empty / "page.html").stat().st_size > 1e6


@pytest.mark.skipif(sys.platform == "win32", reason="symbolic links, and other names of folders")
def test_the_wheel_asks_for_pytorch_where_there_is_none(wheel, tmp_path) -> None:
    python = environment(tmp_path, "torch-")
    said = done(python, "-m", "pip", "install", "--no-index", wheel, folder=tmp_path, fails=True)
    assert "No matching distribution found for torch>=" in said
