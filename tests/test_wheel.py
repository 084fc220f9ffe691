"""The wheel holds everything that an empty folder needs."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGED = ("advx", "conf", "experiments", "pyproject.toml", "README.md", "LICENSE")
FILES = (
    "results.csv", "summary.csv", "summary.md", "claims.csv", "timing.csv", "manifest.json",
    "transfer.png", "transfer.pdf", "arrays.npz", "run.log",
)  # fmt: skip


def test_the_wheel_runs_from_an_empty_folder(tmp_path: Path) -> None:
    source = tmp_path / "source"
    tracked = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", *PACKAGED],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    for name in tracked:
        if (ROOT / name).exists():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    build = [
        sys.executable,
        "-m",
        "build",
        "--wheel",
        "--no-isolation",
        "--outdir",
        str(tmp_path),
        str(source),
    ]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    installed, empty = tmp_path / "installed", tmp_path / "empty"
    empty.mkdir()
    subprocess.run([sys.executable, "-m", "zipfile", "-e", str(wheel), str(installed)], check=True)
    environment = os.environ | {"PYTHONPATH": str(installed)}
    where = [
        sys.executable,
        "-c",
        "import advx, advx.conf; print(advx.__file__, advx.conf.__file__)",
    ]
    found = subprocess.run(
        where, cwd=empty, env=environment, capture_output=True, text=True, check=True
    )
    assert found.stdout.count(str(installed)) == 2
    run = [sys.executable, "-c", "from advx.cli import main; main()",
           "run", "experiment=transfer_table",
           "scale=smoke", "seeds=[0]", "readings=[unclipped]", "hydra.run.dir=out"]  # fmt: skip
    done = subprocess.run(
        run, cwd=empty, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    for name in FILES:
        assert (empty / "out" / name).exists(), name
    assert not (empty / "out" / "FAILED").exists()
