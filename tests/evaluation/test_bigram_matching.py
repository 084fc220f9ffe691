"""Reading by tables of bigrams: where the loss is smallest, the assignment, and the decoding."""

import itertools

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from advx.data.languages import drawn, language
from advx.errors import ConfigError
from advx.evaluation.bigram_matching import (
    BigramMatching,
    assigned,
    counted_bigrams,
    decoded,
    read_bigrams,
    table_divergence,
    table_loss,
    train_reader,
)


def permutations(count: int) -> Tensor:
    """Permutations (count, 10), all but the identity."""
    draw = torch.Generator().manual_seed(0)
    orders = torch.rand(count, 10, generator=draw).argsort(1)
    assert not (orders == torch.arange(10)).all(1).any()
    return orders


def losses_of_permutations(name: str, strength: float) -> tuple[Tensor, Tensor]:
    """The loss at the true labeling of drawn sequences, and at 1,000 permuted ones."""
    spoken = language(name, strength=strength)
    labels = drawn(spoken, 20_000, 10, torch.Generator().manual_seed(1))
    read = read_bigrams(one_hot(labels, 10).double())
    tables = torch.stack([read[order][:, order] for order in permutations(1000)])
    order = permutations(1000)[0]
    relabeled = one_hot(order.argsort()[labels], 10).double()
    torch.testing.assert_close(read_bigrams(relabeled), tables[0])
    return table_loss(read, spoken.bigrams), table_loss(tables, spoken.bigrams)


@pytest.mark.parametrize("name", ["sparse", "cyclichold", "unigram"])
@pytest.mark.parametrize("strength", [0.3, 1.0])
def test_the_loss_is_smallest_at_the_true_labeling(name, strength) -> None:
    true, others = losses_of_permutations(name, strength)
    assert true < others.min()


@pytest.mark.parametrize(("name", "strength"), [("uniform", 1.0), ("sparse", 0.0)])
def test_under_uniform_labels_all_labelings_are_equal(name, strength) -> None:
    true, others = losses_of_permutations(name, strength)
    torch.testing.assert_close(others, true.expand(1000), atol=1e-4, rtol=0)
    spoken = language(name, strength=strength)
    exact = torch.stack([spoken.bigrams[o][:, o] for o in permutations(50)])
    torch.testing.assert_close(table_divergence(exact, spoken.bigrams), torch.zeros(50).double())


def test_under_a_cycle_a_rotation_is_as_good_as_the_truth() -> None:
    table = language("cyclic").bigrams
    turned = (torch.arange(10) + 4) % 10
    torch.testing.assert_close(
        table_loss(table[turned][:, turned], table), table_loss(table, table)
    )


def test_tables_are_those_of_all_neighbors() -> None:
    labels = torch.tensor([[0, 1, 1], [2, 0, 1]])
    expected = torch.zeros(3, 3).double()
    for a, b in ((0, 1), (1, 1), (2, 0), (0, 1)):
        expected[a, b] += 0.25
    torch.testing.assert_close(counted_bigrams(labels, 3), expected)
    torch.testing.assert_close(read_bigrams(one_hot(labels, 3).double()), expected)
    p = torch.rand(4, 5, 3).softmax(2)
    by_hand = sum(torch.outer(s[t], s[t + 1]) for s in p for t in range(4)) / 16
    torch.testing.assert_close(read_bigrams(p), by_hand)


def test_the_divergence_and_its_gradient() -> None:
    q, p = (torch.rand(3, 3).double().flatten().softmax(0).view(3, 3) for _ in range(2))
    torch.testing.assert_close(table_divergence(p, q), (q * (q / p).log()).sum())
    p.requires_grad_()
    table_loss(p, q).backward()
    torch.testing.assert_close(p.grad, -q / p.detach())
    assert table_loss(torch.zeros(3, 3), q.float()).isfinite()


def test_sequences_of_length_one_are_refused() -> None:
    with pytest.raises(ConfigError, match="sequences of length 1 have none; valid: from 2"):
        counted_bigrams(torch.zeros(5, 1, dtype=torch.int64), 10)
    with pytest.raises(ConfigError, match="sequences of length 1 have none; valid: from 2"):
        train_reader(nn.Flatten(), torch.rand(5, 1, 4), torch.ones(4, 4) / 16, BigramMatching())


def test_decoding_is_the_sum_over_all_sequences() -> None:
    bigrams = language("sparse", symbols=5).bigrams
    first = bigrams.sum(1)
    p = (torch.randn(3, 4, 5, dtype=torch.float64) * 2).softmax(2)
    expected = torch.zeros_like(p)
    for y in itertools.product(range(5), repeat=4):
        chance = first[y[0]]
        for a, b in itertools.pairwise(y):
            chance = chance * bigrams[a, b] / first[a]
        weight = chance * torch.stack([p[:, t, s] / first[s] for t, s in enumerate(y)]).prod(0)
        for t, s in enumerate(y):
            expected[:, t, s] += weight
    expected /= expected.sum(2, keepdim=True)
    torch.testing.assert_close(decoded(p, bigrams), expected)


def test_clusters_get_the_symbols_that_they_stand_for() -> None:
    """Three clusters for each of six symbols, one of which is twice as frequent as the others."""
    spoken = language("sparse", symbols=6, seed=1)
    share = torch.tensor([0.5, 0.25, 0.25], dtype=torch.float64)
    table = torch.kron(spoken.bigrams, torch.outer(share, share))
    how = BigramMatching(restarts=40, assignment_steps=300)
    weights, divergence = assigned(table, spoken.bigrams, how)
    assert divergence < 0.02
    assert weights.argmax(1).tolist() == [s for s in range(6) for _ in range(3)]
    torch.testing.assert_close(weights.sum(1), torch.ones(18))


def test_a_reader_is_trained_without_a_pair_and_gives_the_same_bytes_again() -> None:
    """Symbols as blobs in the plane, some of which overlap: the language tells them apart."""
    spoken = language("sparse", symbols=6, seed=1)
    draw = torch.Generator().manual_seed(0)
    labels = drawn(spoken, 600, 10, draw)
    centers = torch.randn(6, 8, generator=draw) * 3
    images = centers[labels] + torch.randn(600, 10, 8, generator=draw)
    how = BigramMatching(
        clusters=12,
        restarts=40,
        fitting_steps=60,
        matching_steps=40,
        rounds=2,
        batch_size=100,
        learning_rate=0.01,
    )
    readers = []
    for _ in range(2):
        torch.manual_seed(0)
        reader = nn.Sequential(nn.Linear(8, 20), nn.ReLU(), nn.Linear(20, 6))
        found = train_reader(reader, images, spoken.bigrams, how)
        readers.append(reader)
    assert found["read"] < 0.05
    right = readers[0](images.flatten(0, 1)).argmax(1) == labels.flatten()
    assert right.double().mean() > 0.97
    assert all(map(torch.equal, readers[0].parameters(), readers[1].parameters()))
