"""Reading without pairs: which start counts, and what is refused."""

from types import SimpleNamespace

import pytest
from torch import Tensor

from advx.config.check import keywords
from advx.config.config import Config
from advx.errors import ConfigError
from advx.experiments import distribution_matching as experiment
from tests.running import started

SMOKE = "experiment=distribution_matching"


def test_the_start_counts_whose_bigrams_are_nearest_whatever_it_reads(
    tmp_path, monkeypatch
) -> None:
    run, config, _ = started(tmp_path, SMOKE)
    found = [
        {"accuracy": a, "best_permutation_accuracy": b, "bigram_divergence": d}
        for a, b, d in ((90.0, 91.0, 0.3), (20.0, 60.0, 0.1), (10.0, 50.0, float("nan")))
    ]
    games = [run.game(Config(config["game"], "game"), seed) for seed in range(3)]
    monkeypatch.setattr(experiment, "measured", lambda _, game: found[games.index(game)])
    assert experiment.add_games(run, games, "strength=1", 0) == 1
    numbers = run.numbers()
    of = {
        row: numbers.mean(row, "accuracy", setting="strength=1")
        for row in ("adversary", "adversary, mean of starts", "adversary, start 0")
    }
    assert of == {"adversary": 20, "adversary, mean of starts": 40, "adversary, start 0": 90}
    assert numbers.mean("adversary", "lost_by_choice", setting="strength=1") == 70


def test_every_seed_has_a_language_and_starts_of_its_own(tmp_path, monkeypatch) -> None:
    run, config, main = started(
        tmp_path, SMOKE, "seeds=[0,1]", "strengths=[0,1]", "~rows", "~claims"
    )
    seen: list[tuple[str, int, list[int], str]] = []

    def games_of(on, games, under, seed) -> int:
        seen.append((under, seed, [g.seed for g in games], on.data.fingerprint))
        return 0

    monkeypatch.setattr(experiment, "add_games", games_of)
    monkeypatch.setattr(experiment, "add_others", lambda *_: None)
    monkeypatch.setattr(experiment, "symbols_of", lambda game, few: few.labels)
    monkeypatch.setattr(experiment, "draw", lambda *_: None)
    monkeypatch.setattr(run, "finish", lambda: None)
    main(run, **keywords(config, main))
    assert [(under, seed) for under, seed, *_ in seen] == [
        (under, seed)
        for seed in (0, 1)
        for under in ("strength=0", "strength=1", "structure=cyclic")
    ]
    assert {tuple(seeds) for _, seed, seeds, _ in seen if seed == 1} == {(2, 3)}
    data = {(under, seed): name for under, seed, _, name in seen}
    assert data["strength=1", 0] != data["strength=1", 1]
    assert len(set(data.values())) >= 4


def test_a_reader_without_images_answers_the_frequencies_of_the_labels(tmp_path) -> None:
    run, *_ = started(tmp_path, SMOKE)
    frequencies: Tensor = run.data.train.labels.flatten().bincount(minlength=10).double()
    frequencies /= frequencies.sum()
    found = experiment.measured(run, frequencies)
    share = (run.data.test.labels == frequencies.argmax()).double().mean().item()
    assert found["accuracy"] == pytest.approx(100 * share)


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ("strengths=[0.5,1]", r"strengths=\[0\.5, 1\]: 0 must be among them, the control"),
        ("strengths=[0,0.5]", r"strengths=\[0, 0\.5\]: 1 must be among them, the whole structure"),
    ],
)
def test_what_the_experiment_cannot_measure_is_refused(words, complaint, tmp_path) -> None:
    run, config, main = started(tmp_path, SMOKE, words, "~rows", "~claims")
    with pytest.raises(ConfigError, match=complaint):
        main(run, **keywords(config, main))


def test_data_without_label_sequences_are_refused() -> None:
    run = SimpleNamespace(data=SimpleNamespace(name="mnist"))
    with pytest.raises(ConfigError, match="dataset=mnist: has no label sequences; valid: dataset="):
        experiment.check(run, [0, 1])
