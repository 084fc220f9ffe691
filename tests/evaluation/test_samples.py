"""Examples of a generator, and what was seen of its training."""

from types import SimpleNamespace

import torch

from advx.evaluation.samples import generated_examples
from advx.games.multilayer import MultilayerGame


def test_samples_are_the_same_however_many_at_once(monkeypatch) -> None:
    game = MultilayerGame(input_shape=(2,), batch_norm_generator=True).eval()
    trained = SimpleNamespace(game=game)
    whole = generated_examples(trained, 50, seed=3)
    monkeypatch.setattr("advx.evaluation.samples.BATCH", 7)
    torch.testing.assert_close(generated_examples(trained, 50, seed=3), whole)
    assert (generated_examples(trained, 50, seed=4) != whole).any()


class Labeled(torch.nn.Module):
    """A game whose examples are z and the condition side by side."""

    def __init__(self) -> None:
        super().__init__()
        self.unused = torch.nn.Parameter(torch.zeros(1))

    def draw(self, count):
        return torch.rand(count, 2)

    def generate(self, z, condition):
        return torch.cat([z, condition[:, None].to(z)], 1)


def test_each_example_is_generated_for_its_condition(monkeypatch) -> None:
    monkeypatch.setattr("advx.evaluation.samples.BATCH", 4)
    before = torch.random.get_rng_state()
    found = generated_examples(SimpleNamespace(game=Labeled()), 10, torch.arange(10), seed=5)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert found[:, 2].tolist() == list(range(10))
    torch.manual_seed(5)
    assert torch.equal(found[:, :2], torch.rand(10, 2))
