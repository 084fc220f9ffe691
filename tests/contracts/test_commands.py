"""Every command that README, the pages of `docs/` and the heads of files print, and every verb.

Commands that train run here at smoke scale where they stand on the pages that a reader sees first,
and in `test_own_pages.py` where they need files of the reader's own. Those of other pages are
composed and checked, as their experiments' smoke runs are in `test_experiments.py`.
"""

import re
import subprocess
import sys
from importlib.metadata import metadata

import pytest
import torch

from advx.cli.run import flags_and_overrides
from advx.config.choices import choices
from advx.config.compose import composed
from advx.run import check
from tests.made_up import whole_run
from tests.paths import ROOT
from tests.printed import ALL, BY_PAGE, PAGES, README, SMOKE, code, kind

VERBS = ("run", "attack", "reproduce", "list", "doctor", "report", "compare", "store", "completion")


def test_the_commands_are_found() -> None:
    assert {words[0] for words in ALL} == set(VERBS)
    assert len(README) >= 5
    assert ["run", "experiment=transfer_table", "scale=chapter"] in README
    assert sum(words[:2] == ["run", "-m"] for words in README) >= 1
    for page, found in BY_PAGE.items():
        assert found or page.suffix != ".md" or page.stem not in choices()["experiment"]


def test_plain_commands_name_an_experiment_and_a_scale() -> None:
    for words in ALL:
        if kind(words) == "plain":
            given = {"experiment": words[0]} | dict(word.split("=", 1) for word in words[1:])
            assert given["experiment"] in choices()["experiment"]
            assert given.get("scale", "quick") in choices()["scale"]


@pytest.mark.parametrize("words", [w for w in ALL if kind(w) == "changed"], ids=" ".join)
def test_a_command_composes_and_passes_the_checks(words) -> None:
    flags, overrides = flags_and_overrides(words[1:])
    overrides += ["experiment=attack"] if words[0] == "attack" else []
    if not torch.cuda.is_available():  # refused here, and rightly
        overrides = [word for word in overrides if word != "device=cuda"]
    choice = [
        word.split(",") if "-m" in flags and "[" not in word else [word] for word in overrides
    ]
    choice = [
        [first, *(first.split("=")[0] + "=" + one for one in more)] for first, *more in choice
    ]
    jobs = [[options[0] for options in choice]]
    for at, (_, *more) in enumerate(choice):  # every choice once
        jobs += [[*jobs[0][:at], one, *jobs[0][at + 1 :]] for one in more]
    for job in jobs:
        check(*composed(job))


@pytest.mark.parametrize(
    ("page", "words"),
    [
        (path.stem, line)
        for path in (ROOT / "docs").rglob("*.md")
        for line in code(path)
        if re.fullmatch(r"([\w.@+]+=[\w.,\[\]]+ ?)+", line) and path.stem in choices()["experiment"]
    ],
)
def test_settings_that_a_page_names_are_its_experiments(page, words) -> None:
    check(*composed([f"experiment={page}", *words.split()]))


@pytest.mark.parametrize("words", [w for w in README if kind(w) == "own files"], ids=" ".join)
def test_a_command_with_files_of_ones_own_runs(words, readers_files, command) -> None:
    more = [*SMOKE, "dataset.limit=null"] if words[0] == "run" else SMOKE[1:]
    done = command(*words, *more)
    assert done.status == 0, done.err
    (folder,) = readers_files.glob("outputs/runs/*/*")
    assert (folder / "summary.csv").exists()
    assert str(folder.relative_to(readers_files)) in done.out
    assert not list(readers_files.rglob("FAILED"))


FIRST = [BY_PAGE[ROOT / name] for name in ("README.md", "docs/install.md", "docs/scale.md")]


@pytest.mark.parametrize(
    "words",
    [
        w
        for page in FIRST
        for w in page
        if kind(w) == "changed" and "scale=" not in " ".join(w) and not {"-m", "--cfg"} & set(w)
    ],
    ids=" ".join,
)
def test_a_command_of_the_first_pages_runs(words, tmp_path, command) -> None:
    done = command(*words, *SMOKE)
    assert done.status == 0, done.err
    assert list(tmp_path.glob("outputs/runs/*/*/summary.csv"))


def test_verbs_with_an_empty_and_a_full_store(tmp_path, command) -> None:
    assert command("store", "ls").out == "outputs/store is empty\n"
    assert command("report").status == 1
    done = command(
        "run",
        "experiment=transfer",
        *SMOKE,
        "model@crafting=softmax_regression",
        "model@target=nearest_neighbor",
        "hydra.run.dir=outputs/runs/transfer/it",
    )
    assert done.status == 0, done.err
    assert "softmax_regression" in command("store", "ls").out
    rows = sorted(tmp_path.glob("outputs/store/rows/*.json"))
    sound = f"models: 1 sound, 0 not\nmeasurements: {len(rows)} sound, 0 not\n"
    assert command("store", "verify").out == sound
    (key,) = (path.name for path in tmp_path.glob("outputs/store/models/*"))
    for words in EXPORT:
        done = command(*(key[:6] if word == "KEY" else word for word in words))
        assert done.status == 0, done.err
        assert (tmp_path / words[3]).exists()
    for wrong in (["export", "ffff", "a.safetensors"], ["export"], ["verify", "all"]):
        done = command("store", *wrong)
        assert (done.status, done.err.count("\n")) == (2, 1)
    assert "last checkpoints" in command("store", "prune").out
    done = command("report")
    assert done.status == 0
    assert "outputs/runs/transfer/it" in done.out
    (tmp_path / "outputs/runs/transfer/it/transfer.png").unlink()
    done = command("report", "--redraw", "outputs/runs/transfer/it")
    assert done.status == 0
    assert (tmp_path / "outputs/runs/transfer/it/transfer.png").exists()
    (weights,) = tmp_path.glob("outputs/store/models/*/weights.pt")
    weights.write_bytes(b"damaged")
    rows[0].write_text(rows[0].read_text().replace('"value": ', '"value": 1'))
    done = command("store", "verify")
    assert done.status == 1
    assert f"rows/{rows[0].name}: it does not match its digest\n" in done.out
    assert f"models: 0 sound, 1 not\nmeasurements: {len(rows) - 1} sound, 1 not\n" in done.out
    assert command("store", "prune").status == 0
    assert command("store", "verify").out.endswith(f"measurements: {len(rows) - 1} sound, 0 not\n")
    assert command("store", "ls").out == "outputs/store is empty\n"


EXPORT = [w for w in ALL if w[:2] == ["store", "export"]]
VERBS_ALONE = [w for w in ALL if kind(w) == "verb" and w[0] != "doctor" and w not in EXPORT]


@pytest.mark.parametrize("words", VERBS_ALONE, ids=" ".join)
def test_a_verb_that_a_page_prints_is_understood(words, command) -> None:
    more = ["--plan"] if words[0] == "reproduce" else []
    done = command(*words, *more)
    assert done.status in (0, 1), done.err  # 1: there is nothing to show
    assert done.err == ""


@pytest.mark.parametrize("words", [w for w in ALL if kind(w) == "page"], ids=" ".join)
def test_a_report_that_a_page_prints_is_written(words, tmp_path, command) -> None:
    for name in ("runs/transfer_table/1", "reference/transfer_table"):
        whole_run(tmp_path / "outputs" / name)
    done = command(*words)
    assert (done.status, done.err) == (0, "")
    for option, made in (("--html", "{}"), ("--tables", "{}/quick-0.1.0/numbers.csv")):
        if option in words:
            assert (tmp_path / made.format(words[words.index(option) + 1])).is_file()


def test_list_names_every_choice(command) -> None:
    done = command("list")
    assert done.status == 0
    assert all(name in done.out for names in choices().values() for name in names)


def fewer() -> dict[str, list[str]]:
    """All choices but of experiments, whose checks `test_contracts.py` makes one by one."""
    return choices() | {"experiment": ["attack", "church_windows"], "scale": ["smoke"]}


def test_doctor_on_a_plain_clone(tmp_path, command, monkeypatch) -> None:
    monkeypatch.delenv("ADVX_DATA", raising=False)
    monkeypatch.setenv("ADVX_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("advx.cli.doctor.choices", fewer)
    done = command("doctor")
    assert (done.status, done.err) == (0, "")
    assert done.out.endswith("all well\n")
    for name in choices()["dataset"]:
        assert f"\n  {name} " in done.out
    for said in (
        "mnist5k        verified, 3,500 training examples",
        "yours: dataset.path=…",
        "faces          drawn when used",
        "mnist          not here",
    ):
        assert said in done.out


def test_doctor_goes_on_after_a_problem(tmp_path, command, monkeypatch) -> None:
    def broken(**_: object) -> None:
        raise AttributeError

    monkeypatch.delenv("ADVX_DATA", raising=False)
    monkeypatch.setenv("ADVX_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("advx.cli.doctor.choices", fewer)
    monkeypatch.setattr("advx.data.mixtures.grid", broken)
    monkeypatch.setattr("advx.run.check", lambda *_: [][0])
    done = command("doctor")
    assert done.status == 1
    assert "\n  ring " in done.out
    assert re.search(r"\n  grid .*AttributeError", done.out)
    assert re.search(r"\n  church_windows +smoke +IndexError", done.out)
    assert done.out.endswith("\n3 problem(s)\n")


@pytest.mark.skipif(sys.platform == "win32", reason="a shell is needed")
def test_completion_is_a_script_that_a_shell_takes(command) -> None:
    for shell in ("bash", "zsh"):
        done = command("completion", shell)
        assert done.status == 0
    script = done.out + "\nCOMP_WORDS=(advx sto); COMP_CWORD=1; _advx; echo ${COMPREPLY[@]}\n"
    ended = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "store\n", "")
    words = re.search(r'compgen -W "([\w ]+)"', script)
    assert words
    assert set(words[1].split()) == set(VERBS)


def test_make_and_pip_know_what_the_pages_name() -> None:
    text = "\n".join(line for page in PAGES if page.suffix == ".md" for line in code(page))
    targets = re.findall(r"^(\w[\w-]*):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)
    named = re.findall(r"^make (?:\w+=\S+ )?([\w-]+)", text, re.MULTILINE)
    assert named
    assert set(named) <= set(targets)
    extras = re.findall(r"pip install \"(?:advx|\.)\[(\w+)\]\"", text)
    assert {"parallel", "oracles"} <= set(extras)
    assert set(extras) <= set(metadata("advx").get_all("Provides-Extra") or [])
