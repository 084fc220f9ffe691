"""Logits that are no numbers: neither right nor wrong, said, and refused where they are many."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from advx.config.cells import Cell
from advx.errors import ConfigError
from advx.evaluation.half_spaces import after_steps
from advx.evaluation.transfer import error_rate, mean_confidence_on_mistakes
from tests.own_nets import named, own, trained, values, words
from tests.running import ran

# What is no number


def blackened(folder: Path, count: int) -> None:
    """The first pixel of so many images is black, of all others it is not."""
    arrays = dict(np.load(folder / "mine.npz"))
    arrays["images"][:count, 0, 0] = 0
    import own_nets

    net = own_nets.Net()
    net.load_state_dict(torch.load(folder / "weights.pt"))
    said = net(torch.from_numpy(arrays["images"])[:, None].float() / 255).argmax(1)
    arrays["labels"] = said.numpy()
    arrays["labels"][-12:] = (arrays["labels"][-12:] + 1) % 3  # a tenth is wrong
    np.savez(folder / "mine.npz", **arrays)


def test_nan_logits_are_neither_right_nor_wrong_and_said(folder, capsys) -> None:
    blackened(folder, 1)
    overrides = [
        *words(folder),
        *own(folder, "Undefined"),
        "attack=random_noise",
        "attack.epsilon=0.0",
        "saved_images=0",
    ]
    run = ran(folder, overrides)
    assert values(run)["custom", "clean_error_rate"] == pytest.approx(100 * 12 / 119)
    assert values(run)["custom", "error_rate"] == pytest.approx(100 * 12 / 119)
    line = "NaN; they count neither as right nor as wrong"
    text = f"crafting (custom): the logits of 1 of 120 examples are {line}"
    assert text in capsys.readouterr().out
    assert line in (run.folder / "summary.md").read_text()


@pytest.mark.parametrize("count", [2, 120])
def test_too_many_nan_logits_are_refused_with_their_number(folder, count) -> None:
    blackened(folder, count)
    with pytest.raises(ConfigError) as caught:
        ran(folder, [*words(folder), *own(folder, "Undefined"), "attack.epsilon=0.0"])
    assert str(caught.value).startswith(
        f"crafting (custom): the logits of {count} of 120 examples are NaN, more than the 1%"
    )
    assert "\n" not in str(caught.value)


def test_a_kept_rate_says_again_what_it_left_out(folder, caplog) -> None:
    blackened(folder, 1)
    overrides = [
        *words(folder, "transfer"),
        *own(folder, "Net"),
        *own(folder, "Undefined", "target"),
        "attack.epsilon=0.0",
    ]
    first = ran(folder, overrides)
    caplog.clear()
    again = ran(folder, overrides)
    assert values(again) == values(first)
    assert values(again)["custom (target)", "clean_error_rate"] == pytest.approx(100 * 12 / 119)
    text = "target (custom): the logits of 1 of 120 examples are NaN"
    assert text in caplog.text
    assert text in (again.folder / "summary.md").read_text()


class Gaps(nn.Module):
    """The image's own two pixels as logits; NaN for images that are zero."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        z = x.flatten(1)
        return torch.where((z == 0).all(1, keepdim=True), torch.nan, z)


def test_every_rate_leaves_an_undefined_answer_out() -> None:
    from advx.data.dataset import Split

    images = torch.tensor([[1.0, 0.0]] * 150 + [[0.0, 1.0]] * 49 + [[0.0, 0.0]])
    split = Split(images[:, None], torch.zeros(200, dtype=torch.int64))
    assert error_rate(Gaps(), split) == pytest.approx(100 * 49 / 199)
    sure = torch.tensor([0.0, 1.0]).softmax(0)[1].item()
    assert mean_confidence_on_mistakes(Gaps(), split) == pytest.approx(100 * sure, abs=1e-4)
    away = after_steps(Gaps(), split.images, split.labels, lambda _: split.images.flip(-1), 1)
    assert away.error_rate == 0  # (1, 1) goes to the first class
    moved = -split.images
    moved[:2] = 0
    away = after_steps(Gaps(), split.images, split.labels, lambda _: moved * 2, 1)
    assert away.error_rate == pytest.approx(100 * 148 / 199)


@pytest.mark.parametrize("experiment", ["imperceptible", "linearity"])
def test_figures_leave_an_undefined_answer_out_too(folder, experiment) -> None:
    blackened(folder, 1)
    key = "models.maxout" if experiment == "linearity" else "model"
    only = (
        ["~models.relu", "~models.tanh", "pixels=[4]", "epsilons=[1e-9]", "linear=maxout"]
        if experiment == "linearity"
        else []
    )
    overrides = [word for word in words(folder, experiment) if word != "figure_examples=1"]
    run = ran(
        folder,
        [
            *overrides,
            "seeds=[0]",
            "examples=120",
            named(key),
            f"{key}._target_=own_nets.Undefined",
            f"{key}.weights={folder / 'weights.pt'}",
            *only,
            *(["~models.softmax_regression"] if only else ["levels=[1e-9]"]),
        ],
    )
    cell = (
        Cell("maxout", "error_rate", 1e-9)
        if only
        else Cell("custom", "error_rate", setting="gray_levels=1e-09")
    )
    (found,) = [row.value for row in run.table.results.rows if row.cell == cell]
    assert found == pytest.approx(100 * 12 / 119)
    text = "the logits of 1 of 120 examples are NaN"
    assert text in (run.folder / "summary.md").read_text()


def test_windows_show_points_without_a_class_as_such() -> None:
    from advx.evaluation.church_windows import NO_CLASS, adaptive_maps, dense_maps, point_classes

    images, right = torch.tensor([[[0.5, 0.0]]]), torch.tensor([[[[1.0, 0.0]], [[0.0, 1.0]]]])
    classes = point_classes(Gaps(), images, right, shortcut=False)
    maps = dense_maps(classes, 1, 0.5, 9)
    assert maps[0, 4, 0] == NO_CLASS  # (0, 0)
    assert int((maps < 0).sum()) == 1
    assert adaptive_maps(classes, 1, 0.5, 9, stride=1).equal(maps)
    assert int((adaptive_maps(classes, 1, 0.5, 9, stride=4) < 0).sum()) == 1


def test_a_network_whose_validation_logits_are_nan_has_diverged(folder) -> None:
    blackened(folder, 120)
    run = ran(folder, trained(folder, *own(folder, "Undefined", "target", weights=False)))
    assert np.isnan(values(run)["custom", "clean_error_rate"])
