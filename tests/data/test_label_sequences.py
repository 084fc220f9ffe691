"""Languages of digits, and sequences of images and labels that are no pairs."""

import pytest
import torch

from advx.data import mnist5k
from advx.data.label_sequences import load, sequences
from advx.data.languages import drawn, language
from advx.errors import ConfigError
from advx.games.diagnostics import EXACT

NAMES = ["sparse", "cyclic", "cyclichold", "unigram", "uniform"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("strength", [0.0, 0.4, 1.0])
def test_a_language_is_a_stationary_chain(name, strength) -> None:
    first, transitions = language(name, strength=strength)
    one = torch.ones(10, dtype=torch.float64)
    torch.testing.assert_close(transitions.sum(1), one)
    torch.testing.assert_close(first @ transitions, first)
    torch.testing.assert_close(first.sum(), one[0])
    assert transitions.min() >= 0
    if strength == 0 or name == "uniform":
        torch.testing.assert_close(transitions, one.expand(10, 10) / 10)


def test_structures_are_as_they_are_described() -> None:
    sparse, cyclic, holding, unigram = (language(n).transitions for n in NAMES[:4])
    assert (
        (sparse.sort(1, descending=True).values[:, :3]).tolist()
        == [pytest.approx([0.5, 0.3, 0.15])] * 10
    )
    assert torch.equal(cyclic.argmax(1), (torch.arange(10) + 1) % 10)
    assert cyclic.amax(1).tolist() == pytest.approx([0.95] * 10)
    assert holding.diagonal().tolist() == pytest.approx(torch.linspace(0.05, 0.6, 10).tolist())
    assert (unigram == unigram[0]).all()
    assert unigram[0].unique().numel() == 10


def test_a_rotation_leaves_cyclic_as_it_is_and_no_other_structure() -> None:
    around = (torch.arange(10) + 3) % 10
    for name in NAMES[:4]:
        table = language(name).bigrams
        same = torch.allclose(table[around][:, around], table)
        assert same == (name == "cyclic")


def test_drawn_sequences_have_the_languages_bigrams() -> None:
    spoken = language("cyclichold")
    labels = drawn(spoken, 20_000, 6, torch.Generator().manual_seed(0))
    for place in range(5):
        pairs = labels[:, place] * 10 + labels[:, place + 1]
        found = torch.bincount(pairs, minlength=100).view(10, 10) / 20_000
        torch.testing.assert_close(found.double(), spoken.bigrams, atol=0.006, rtol=0)


def test_sequences_show_the_digits_of_their_labels() -> None:
    digits = mnist5k.load().train
    made = sequences(digits, language(), 50, 4, torch.Generator().manual_seed(1))
    assert made.images.shape == (50, 4, 1, 28, 28)
    distance = torch.cdist(made.images.flatten(0, 1).flatten(1), digits.images.flatten(1))
    assert torch.equal(digits.labels[distance.argmin(1)], made.labels.flatten())


def test_training_images_and_labels_are_no_pairs_and_test_images_have_their_own() -> None:
    data = load(source="mnist5k", train=300, test=50, length=5)
    digits = mnist5k.load()
    half = digits.half(0).train

    def read(images, known) -> torch.Tensor:
        pixels = images.flatten(0, 1).flatten(1), known.images.flatten(1)
        distance = torch.cdist(*pixels, compute_mode=EXACT)
        assert distance.amin(1).max() == 0  # so that it is one of those digits
        return known.labels[distance.argmin(1)].view(images.shape[:2])

    assert torch.equal(read(data.test.images, digits.test), data.test.labels)
    agreement = (read(data.train.images, half) == data.train.labels).double().mean().item()
    assert agreement == pytest.approx(0.1, abs=0.03)


def test_data_are_always_the_same_and_named_by_their_language() -> None:
    few = {"source": "mnist5k", "train": 20, "test": 5, "length": 3}
    one = load(**few)
    assert one.fingerprint == load(**few).fingerprint
    assert one.fingerprint != load(**few, strength=0.5).fingerprint
    assert one.fingerprint != load(**few, language_seed=1).fingerprint


def test_what_has_no_structure_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"dataset.length=1: .* valid: from 2"):
        load(source="mnist5k", length=1)
    with pytest.raises(ValueError, match="symbols=4: sparse is for 5 symbols or more"):
        language("sparse", symbols=4)
