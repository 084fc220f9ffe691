"""The references that the benchmark measures against do what they are named after."""

import torch
from torch import nn

from advx.attacks.lbfgs import LBFGS
from advx.config.build import build
from advx.config.compose import composed
from advx.evaluation.peers import PEERS, one_at_a_time, plain_loop
from advx.experiments.benchmark_attacks import TARGETED, digits
from advx.run import Run


def test_the_plain_loop_reaches_the_corner_of_a_linear_model() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(9, 2)).double()
    x, y = torch.rand(20, 1, 3, 3).double() * 0.4 + 0.3, torch.arange(20) % 2
    w = (model[1].weight[1] - model[1].weight[0]).detach().view(1, 1, 3, 3)
    found = plain_loop(0.1, 0.01, 40)(model, x, y)
    corner = x + 0.1 * (1 - 2 * y.view(-1, 1, 1, 1)) * w.sign()
    torch.testing.assert_close(found.detach(), corner)


def test_the_image_by_image_search_ends_where_the_batched_one_does() -> None:
    torch.manual_seed(3)
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 12), nn.Tanh(), nn.Linear(12, 3))
    x = torch.rand(6, 1, 4, 4)
    targets = (model(x).argmax(1) + 1) % 3
    node = {"weight": 1.0, "evaluations": 100, "history": 10, "searches": 6, "clip": (0.0, 1.0)}
    theirs = one_at_a_time(node)(model, x, targets)
    ours = LBFGS(targeted=True, searches=6)(model, x, targets)
    won = model(theirs).argmax(1) == targets
    assert won.sum() >= 4
    assert torch.equal(model(ours).argmax(1)[won], targets[won])
    sizes = [(a - x).flatten(1).norm(dim=1)[won] for a in (ours, theirs)]
    assert (sizes[0] <= 1.02 * sizes[1]).all()


def test_every_contest_has_digits_that_all_libraries_can_be_given(tmp_path) -> None:
    config, _ = composed(
        ["experiment=benchmark_attacks", "scale=smoke", f"store={tmp_path / 'store'}"]
    )
    run = Run(config, tmp_path, "advx run experiment=benchmark_attacks")
    assert set(config["attacks"]) == set(config["examples"]) == set(PEERS)
    for contest, node in config["attacks"].items():
        clean, targets = digits(run, contest, 20)
        assert len(clean) == 20
        targeted = getattr(build(node), "targeted", False)
        assert targeted == (contest in TARGETED)
        assert ((targets == clean.labels + 1) if targeted else (targets == clean.labels)).all()
        assert targets.max() < run.data.classes
