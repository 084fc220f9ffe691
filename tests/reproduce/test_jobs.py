"""Which words each experiment is given, and what its YAML file says to `advx reproduce`."""

from pathlib import Path

import pytest

from advx.config.compose import composed
from advx.errors import ConfigError
from advx.reproduce.experiments import listed
from advx.reproduce.jobs import Job, jobs, selected
from advx.run import check
from tests.paths import ROOT


def made(*names: str, given: tuple[str, ...] = (), scale: str = "chapter", cuda: bool = False):
    return jobs([listed()[name] for name in names], scale, given, Path("out"), cuda=cuda)


def after_threads(job: Job) -> list[str]:
    assert job.words[:3] == (f"experiment={job.name}", job.words[1], "device.threads=1")
    return list(job.words[3:])


def test_what_has_a_page_is_run_and_nothing_else() -> None:
    pages = {path.stem for path in (ROOT / "docs" / "results").glob("*.md")} - {"README"}
    assert {each.name for each in selected(listed(), [], [])} == pages
    (tool,) = selected(listed(), ["train"], [])
    assert tool.tool


def test_a_word_goes_to_the_experiments_that_have_its_key() -> None:
    given = ("protocols=[clipped]", "seeds=[0]", "trainer.max_epochs=3", "model@models.relu=tanh")
    found = {
        job.name: after_threads(job) for job in made("transfer_table", "linearity", given=given)
    }
    assert found == {"transfer_table": [*given], "linearity": [*given[1:]]}


def test_digests_go_to_every_data_set() -> None:
    (job,) = made("cross_dataset", given=("digests=d.json",))
    assert "dataset.digests=d.json" in after_threads(job)
    config, main = composed(list(job.words))
    assert config["dataset"]["digests"] == "d.json"
    check(config, main)


def test_a_word_that_nobody_takes_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"cosinus=1: none of these experiments has such a key"):
        made("linearity", "church_windows", given=("cosinus=1",))


@pytest.mark.parametrize("name", [n for n, each in listed().items() if each.without_cuda])
def test_what_replaces_an_experiment_without_cuda_can_run(name) -> None:
    for scale in listed()[name].without_cuda:
        (with_cuda,) = made(name, scale=scale, cuda=True)
        (without,) = made(name, scale=scale)
        assert (with_cuda.remark, after_threads(with_cuda)) == ("", [])
        assert after_threads(without) == listed()[name].without_cuda[scale]
        assert without.remark == "without CUDA: " + " ".join(after_threads(without))
        check(*composed(list(without.words)))


def test_the_users_words_win_over_what_replaces() -> None:
    (job,) = made("church_windows", given=("trainer.max_epochs=7", "device.threads=2"))
    assert job.config["trainer"]["max_epochs"] == 7
    assert job.config["model"]["name"] == "conv_maxout_small"
    assert job.config["device"]["threads"] == 2


def test_the_block_is_no_key_of_a_configuration() -> None:
    for name in ("church_windows", "train", "benchmark_gan"):
        config, _ = composed([f"experiment={name}"])
        assert "reproduce" not in config
