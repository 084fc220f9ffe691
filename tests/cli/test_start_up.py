"""What is imported before a fault is told: nothing that its finding does not need."""

import json
import subprocess
import sys

import pytest

HARNESS = """
import json, sys
sys.argv = ["advx", *json.loads(sys.argv[1])]
from advx.cli import main
try:
    main()
except SystemExit as end:
    print(json.dumps({"status": end.code, "loaded": sorted(sys.modules)}))
"""


def refused(tmp_path, *words: str) -> tuple[str, set[str]]:
    """What is said of a command that cannot run, and the modules that were loaded by then."""
    ran = subprocess.run(
        [sys.executable, "-c", HARNESS, json.dumps(words)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=True,
    )
    end = json.loads(ran.stdout.splitlines()[-1])
    assert end["status"] == 2
    return ran.stderr.strip(), set(end["loaded"])


def test_a_range_is_refused_before_the_heavy_parts_are_imported(tmp_path) -> None:
    said, loaded = refused(tmp_path, "run", "experiment=transfer_table", "attack.epsilon=-1")
    assert said == "advx: attack.epsilon=-1: input should be greater than or equal to 0"
    heavy = {"torchvision", "torch._dynamo", "sklearn", "scipy", "matplotlib", "pandas", "PIL"}
    assert not heavy & loaded


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["run", "experiment=transfer_tabel"], "did you mean transfer_table?"),
        (["run", "experiment=transfer_table", "attack.epsilonn=1"], "did you mean epsilon?"),
        (["run", "experiment=transfer_table", "seeds=[0,0]"], "each seed once"),
        (["run", "experiment=transfer_table", "device.threads=0"], "a whole number from 1"),
        (["run", "nonsense"], "not key=value"),
    ],
)
def test_what_can_be_seen_without_torch_is_told_without_it(tmp_path, words, message) -> None:
    said, loaded = refused(tmp_path, *words)
    assert message in said
    assert "torch" not in loaded
