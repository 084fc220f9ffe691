"""Files with odd names and in odd locales."""

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.own_files import ATTACK, OWN
from tests.processes import ADVX


def test_in_the_c_locale_nothing_is_lost(own: Path) -> None:
    odd = os.fsencode(own) + b"/don\xe9\xc3\xa9.npz"
    try:
        shutil.copy(os.fsencode(own / "own.npz"), odd)
    except OSError:
        pytest.skip("the file system takes UTF-8 names only")
    script = (
        "import sys\nfrom advx.cli import main\n"
        "for words in (['list'], sys.argv[1:]):\n"
        "    sys.argv = ['advx', *words]\n"
        "    try: main()\n"
        "    except SystemExit as ended: print(ended.code)\n"
    )
    environment = os.environ | {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    words = [*map(os.fsencode, ATTACK), b'dataset.path="' + odd + b'"']
    done = subprocess.run(
        [sys.executable, "-c", script, *words],
        cwd=own,
        env=environment,
        capture_output=True,
        check=False,
    )
    assert done.stderr == b""
    assert [line for line in done.stdout.split(b"\n") if line.isdigit()] == [b"0", b"0"]
    assert "Attack — images" in (own / "out" / "summary.md").read_text(encoding="utf-8")
    assert "dataset.path" in json.loads((own / "out" / "manifest.json").read_bytes())["command"]
    assert not (own / "out" / "FAILED").exists()


def test_output_that_takes_ascii_only(own: Path) -> None:
    done = subprocess.run(
        [*ADVX, "list"],
        env=os.environ | {"PYTHONIOENCODING": "ascii"},
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"?" in done.stdout


@pytest.mark.parametrize(
    "name",
    ["a=b.npz", "x#y (1).npz", 'it\'s "q".npz', "{}[1].npz", "é 日本 $x.npz", "a,b.npz"],
)
def test_a_path_that_must_be_quoted_says_how_and_then_works(own, command, name) -> None:
    (own / "own.npz").rename(own / name)
    done = command(*ATTACK, f"dataset.path={name}")
    (line,) = done.err.splitlines()
    assert done.status == 2
    assert line.startswith(f"advx: dataset.path={name}: ")
    assert "Exception" not in line
    quoted = shlex.split(line.partition("quote it: ")[2])
    assert len(quoted) == 1
    done = command(*ATTACK, *quoted)
    assert (done.status, done.err) == (0, "")
    manifest = json.loads((own / "out" / "manifest.json").read_bytes())
    assert manifest["config"]["dataset"]["path"] == name
    again = shlex.split(manifest["command"])[1:]
    assert again[-1:] == quoted  # the command in the manifest can be given to a shell again


def test_the_home_folder_and_what_is_no_text(own, command, monkeypatch) -> None:
    home = own / "my home (1)"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    (own / "own.npz").rename(home / "own.npz")
    assert command(*ATTACK, "dataset.path=~/own.npz", "saved_images=0").status == 0
    done = command(*ATTACK, "dataset.path=~/nothing.npz")
    assert f"dataset.path={home}/nothing.npz: no such" in done.err
    for word, expected in (
        ("attack.clip=[0,1", "advx: attack.clip=[0,1: cannot be read"),
        ("é=3", "advx: é=3: not key=value"),
        ("attack.epsilon=0.1,0.2", "several values are a sweep, advx run -m"),
    ):
        done = command(*ATTACK, word)
        assert (done.status, len(done.err.splitlines())) == (2, 1)
        assert expected in done.err


def test_a_limit_is_at_most(own, command) -> None:
    """A scale sets one whatever the data: a few images of one's own are all taken."""
    done = command(*OWN, "scale=smoke")
    assert (done.status, done.err) == (0, "")
    assert "(0 training, 12 test examples" in done.out
    assert (own / "out" / "summary.md").exists()
