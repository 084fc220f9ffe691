"""Numbers that a store kept of networks that are gone, and come out otherwise when made again."""

import json
import shutil
from pathlib import Path

from advx.store import measurements
from tests.own_files import names
from tests.processes import advx

WORDS = [
    *("run", "experiment=transfer_table", "scale=smoke", "seeds=[0]", "protocols=[unclipped]"),
    *("device.threads=1", "store=kept"),
]


def test_a_run_whose_figure_needs_networks_anew_has_the_rows_of_those(tmp_path: Path) -> None:
    """As where the numbers are of a GPU, and the networks are trained again on a CPU."""
    assert advx(tmp_path, *WORDS, "hydra.run.dir=before").returncode == 0
    store = tmp_path / "kept"
    shutil.rmtree(store / "models")
    changed = 0
    for row in (store / "rows").glob("*.json"):
        of, stored = measurements.read(row)
        if stored.digests and isinstance(stored.value, float):
            others = dict.fromkeys(stored.digests, "0" * 64)
            measurements.write(row, of, 12.5, stored.notes, others)
            changed += 1
    assert changed > 5
    done = advx(tmp_path, *WORDS, "hydra.run.dir=after")
    assert done.returncode == 0, done.stderr
    log = (tmp_path / "after" / "run.log").read_text(encoding="utf-8")
    assert "trained again, and has other weights" in log
    assert "FAILED" not in names(tmp_path / "after")
    for file in ("results.csv", "summary.csv", "claims.csv", "arrays.npz"):
        assert (tmp_path / "after" / file).read_bytes() == (
            tmp_path / "before" / file
        ).read_bytes(), file


def test_a_manifest_names_the_weights_of_rows_whose_networks_are_gone(tmp_path: Path) -> None:
    """The figure needs those of the first seed, and nothing needs those of the second."""
    words = ["run", "experiment=transfer", "scale=smoke", "device.threads=1", "store=kept"]
    assert advx(tmp_path, *words, "hydra.run.dir=before").returncode == 0
    shutil.rmtree(tmp_path / "kept" / "models")
    done = advx(tmp_path, *words, "hydra.run.dir=after")
    assert done.returncode == 0, done.stderr
    assert len(names(tmp_path / "kept" / "models")) == 2, "nothing else was trained"
    before, after = (
        json.loads((tmp_path / name / "manifest.json").read_text(encoding="utf-8"))["store_keys"]
        for name in ("before", "after")
    )
    assert len(after) == 4
    assert {key: facts["sha256"] for key, facts in after.items()} == {
        key: facts["sha256"] for key, facts in before.items()
    }
