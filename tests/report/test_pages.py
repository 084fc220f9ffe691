"""What a page of a reference run says of the run itself."""

import json
import shutil
from pathlib import Path

import pytest

from advx.report.pages import block
from advx.training.recipe import RECIPE_VERSION

REFERENCE = Path("outputs/reference/norm_balls")


@pytest.mark.parametrize(
    ("version", "said"),
    [(RECIPE_VERSION - 1, True), (RECIPE_VERSION, False), (RECIPE_VERSION + 1, True)],
)
def test_a_run_of_another_recipe_says_so_beside_its_command(tmp_path, version, said) -> None:
    folder = tmp_path / REFERENCE.name
    shutil.copytree(REFERENCE, folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(manifest | {"recipe_version": version}))
    run = block(folder, manifest["config"]).split("### Run")[1]
    assert ("The recipe of training has changed since this run" in run) is said


def test_a_joined_run_is_shown_by_the_commands_that_ran(tmp_path) -> None:
    folder = tmp_path / REFERENCE.name
    shutil.copytree(REFERENCE, folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    ran = [f"advx run experiment=norm_balls seeds=[{seed}]" for seed in (0, 1)]
    joined = {
        "command": "advx report --merge a b --into a",
        "joined": [f"{ran[0]} hydra.run.dir=a", ran[1]],
    }
    (folder / "manifest.json").write_text(json.dumps(manifest | joined))
    run = block(folder, manifest["config"]).split("### Run")[1]
    assert f"    {ran[0]}\n    {ran[1]}\n\n" in run
    assert " The runs were [joined](" in run
    assert "--into" not in run
