"""What is measured of readers: by hand, by brute force, and blind to what is a pair."""

import itertools

import pytest
import torch
from torch import Tensor
from torch.nn.functional import one_hot

from advx.config.build import build
from advx.config.config import Config
from advx.data import label_sequences, mnist5k
from advx.data.dataset import Split
from advx.data.languages import drawn, language
from advx.errors import ConfigError
from advx.evaluation.bigram_matching import BigramMatching, counted_bigrams
from advx.evaluation.readers import matched_reader, supervised_reader
from advx.evaluation.reading import (
    blind_symbols,
    chosen_start,
    matching_divergence,
    reading_rates,
    symbols_read,
)
from advx.training.game_trainer import GameTrainer
from advx.training.load_or_train import TrainedGame
from tests.game_nodes import checked

SMALL = {"window": 3, "components": 20, "reader_units": [30], "discriminator_units": [10]}


def read_as(symbols: Tensor, k: int) -> Tensor:
    """Probabilities whose largest one is at these symbols (n, length), and not certain."""
    return 0.6 * one_hot(symbols, k).double() + 0.4 / k


def sequences_of(labels: Tensor) -> Split:
    return Split(torch.zeros(*labels.shape, 1, 2, 2), labels)


def test_accuracy_and_the_best_of_all_permutations() -> None:
    k, draw = 4, torch.Generator().manual_seed(0)
    for _ in range(5):
        labels, read = (torch.randint(0, k, (6, 5), generator=draw) for _ in range(2))
        rates = reading_rates(read_as(read, k), sequences_of(labels))
        assert rates.accuracy == pytest.approx(100 * (read == labels).double().mean().item())
        best = max(
            (torch.tensor(order)[read] == labels).double().mean().item()
            for order in itertools.permutations(range(k))
        )
        assert rates.best_permutation_accuracy == pytest.approx(100 * best)


def test_a_renamed_labeling_is_right_under_the_best_permutation_alone() -> None:
    labels = drawn(language("sparse"), 200, 10, torch.Generator().manual_seed(0))
    turned = (labels + 3) % 10
    rates = reading_rates(read_as(turned, 10), sequences_of(labels))
    assert (rates.accuracy, rates.best_permutation_accuracy) == (0, pytest.approx(100))


def test_the_divergence_is_that_of_the_tables() -> None:
    labels = torch.tensor([[0, 1, 1], [1, 0, 1]])
    q = counted_bigrams(labels, 2)  # 0: (0, 2/4); 1: (1/4, 1/4)
    p = torch.full((2, 3, 2), 0.5)
    expected = 0.5 * torch.tensor(2.0).log() + 0.5 * torch.tensor(1.0).log()
    assert matching_divergence(p, q) == pytest.approx(expected.item(), abs=1e-6)
    assert matching_divergence(one_hot(labels, 2).double(), q) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("name", ["sparse", "cyclic", "unigram", "uniform"])
def test_a_reader_that_ignores_the_images_lacks_what_neighbors_say_of_each_other(name) -> None:
    """The mutual information of two neighbors; nothing where symbols are independent."""
    spoken = language(name)
    labels = drawn(spoken, 20, 10, torch.Generator().manual_seed(0))
    p = blind_symbols(spoken.first, sequences_of(labels))
    q = spoken.bigrams
    independent = spoken.first[:, None] * spoken.first
    information = (q * (q / independent).log()).sum().item()
    assert matching_divergence(p, q) == pytest.approx(information, abs=1e-9)
    assert (information < 1e-9) == (name in ("unigram", "uniform"))
    most = spoken.first.argmax()
    share = (labels == most).double().mean().item()
    assert reading_rates(p, sequences_of(labels)).accuracy == pytest.approx(100 * share)


def test_the_start_with_the_smallest_divergence_is_chosen() -> None:
    assert chosen_start([0.4, 0.06, 0.3]) == 1
    assert chosen_start([float("nan"), 0.6, 0.3]) == 2
    assert chosen_start([float("nan")] * 2) == 0


def test_only_readers_read() -> None:
    gan = build(checked("gan", input_shape=[1, 2, 2], generator_units=[4]))
    trained = TrainedGame(gan, "", [], [], torch.zeros(0))
    with pytest.raises(ConfigError, match="a GAN reads no sequences; valid: game=distribution"):
        symbols_read(trained, sequences_of(torch.zeros(2, 3, dtype=torch.int64)))


def node(**options) -> Config:
    return Config(checked("distribution_matching", **SMALL, **options))


def test_with_pairs_the_same_network_reads_digits() -> None:
    digits = mnist5k.load(limit={"train": 1000, "test": 300})
    how = BigramMatching(batch_size=100, learning_rate=0.01, seed=1)
    reader = supervised_reader(node(input_shape=[5, 1, 28, 28]), digits.train, how, 150)
    test = Split(digits.test.images.unflatten(0, (60, 5)), digits.test.labels.view(60, 5))
    before = build(node(input_shape=[5, 1, 28, 28]))
    before.adapt(digits.train.images[:, None])
    accuracy = [reading_rates(symbols_read(r, test), test).accuracy for r in (before, reader)]
    assert accuracy[0] < 35
    assert accuracy[1] > 75


def poisoned(monkeypatch: pytest.MonkeyPatch) -> label_sequences.Dataset:
    """The data, all of whose labels that belong to images have been made wrong."""
    honest = label_sequences.sequences

    def wrong(*arguments) -> Split:
        made = honest(*arguments)
        return Split(made.images, (made.labels + 1) % 10)

    with monkeypatch.context() as patch:
        patch.setattr(label_sequences, "sequences", wrong)
        return label_sequences.load(source="mnist5k", train=60, test=10, length=5)


def test_labels_of_the_images_do_not_reach_a_reader(monkeypatch) -> None:
    """Wrong ones leave the same bytes: of the training data, of the readers and of the choice."""
    honest = label_sequences.load(source="mnist5k", train=60, test=10, length=5)
    other = poisoned(monkeypatch)
    assert not (other.test.labels == honest.test.labels).any()
    assert torch.equal(other.train.images, honest.train.images)
    assert torch.equal(other.train.labels, honest.train.labels)
    how = BigramMatching(
        clusters=12, restarts=4, assignment_steps=5, fitting_steps=3, matching_steps=3, rounds=1
    )
    results = []
    for data in (honest, other):
        config = node(input_shape=[5, 1, 28, 28])
        torch.manual_seed(0)
        game = config.build()
        game.adapt(data.train.images)
        GameTrainer(max_epochs=1, epoch_updates=3, batch_size=20).fit(game, data, seed=0)
        readers = [game, matched_reader(config, data, how)]
        q = counted_bigrams(data.train.labels, 10)
        states = [p.clone() for r in readers for p in r.state_dict().values()]
        results.append(
            (states, [matching_divergence(symbols_read(r, data.train), q) for r in readers])
        )
    assert all(map(torch.equal, results[0][0], results[1][0]))
    assert results[0][1] == results[1][1]


def test_tables_of_labels_do_not_know_which_sequence_a_label_stood_beside() -> None:
    labels = drawn(language("sparse"), 50, 6, torch.Generator().manual_seed(0))
    assert torch.equal(counted_bigrams(labels, 10), counted_bigrams(labels.flip(0), 10))
