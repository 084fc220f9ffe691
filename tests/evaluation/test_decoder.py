"""The decoder of a hidden layer gives back what the layer keeps, and changes nothing."""

import torch
from torch import nn

from advx.evaluation.decoder import represented, train_decoder

SHAPE = (1, 4, 4)


def test_it_gives_back_what_the_layer_keeps() -> None:
    images = torch.rand(600, *SHAPE).round()
    upper = torch.zeros(8, 16)
    upper[:, :8] = torch.eye(8)  # the layer sees the upper half of the image only
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 8), nn.Linear(8, 3))
    model[1].weight.data, model[1].bias.data = upper, torch.zeros(8)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    model.train()
    decoder = train_decoder(model, images, "1", seed=0, epochs=60)
    assert model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    fresh = torch.rand(200, *SHAPE).round()
    with torch.no_grad():
        off = (decoder(represented(model, fresh, "1")) - fresh).square()
    assert off[:, :, :2].mean() < 0.02
    assert 0.2 < off[:, :, 2:].mean() < 0.3  # a coin's variance: nothing is known of the rest


def test_the_same_seed_gives_the_same_decoder_and_leaves_the_generator_alone() -> None:
    images = torch.rand(60, *SHAPE)
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 5))
    state = torch.random.get_rng_state()
    first = train_decoder(model, images, "1", seed=3, epochs=2)
    assert torch.equal(state, torch.random.get_rng_state())
    torch.manual_seed(99)
    second, third = (train_decoder(model, images, "1", seed=s, epochs=2) for s in (3, 4))
    for one, other in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(one, other)
    assert not torch.equal(next(first.layers[1].parameters()), next(third.layers[1].parameters()))
