"""A model of a user's own is a black box: whatever it does works, or gets one line."""

import sys

import numpy as np
import pytest
import torch
from torch import nn

from advx.config.compose import composed
from advx.errors import AdvxError, ConfigError
from advx.evaluation.linearity import tangent
from advx.evaluation.own_models import refuse_probabilities
from advx.evaluation.transfer import target_classes
from advx.run import Run, check, check_models
from tests.own_nets import named, own, trained, values, words
from tests.running import ran

# What it answers with


@pytest.mark.parametrize("experiment", ["attack", "transfer"])
@pytest.mark.parametrize("name", ["Softmax", "BFloatSoftmax"])
def test_probabilities_are_refused_before_any_attack(folder, experiment, name) -> None:
    overrides = [*words(folder, experiment), *own(folder, name)]
    if experiment == "transfer":
        overrides += own(folder, "Net", "target")
    with pytest.raises(ConfigError, match=r"^crafting \(custom\): the model returns probabilities"):
        ran(folder, overrides)


@pytest.mark.parametrize("experiment", ["imperceptible", "church_windows", "norm_balls", "train"])
def test_probabilities_are_refused_in_every_experiment_before_training(folder, experiment) -> None:
    key = "models.maxout" if experiment in ("norm_balls", "train") else "model"
    overrides = [word for word in words(folder, experiment) if word != "figure_examples=1"]
    overrides += ["dataset.training_share=0.8", named(key), f"{key}._target_=own_nets.Softmax"]
    config, main = composed(overrides)
    check(config, main)
    run = Run(config, folder, "advx run")
    with pytest.raises(ConfigError, match=r"the model returns probabilities; logits are needed"):
        check_models(run)
    assert not (folder / "store" / "models").exists()


def test_a_targets_probabilities_are_only_said(folder, caplog) -> None:
    run = ran(
        folder,
        [
            *words(folder, "transfer"),
            *own(folder, "Net"),
            *own(folder, "Softmax", "target"),
            "attack.epsilon=0.05",
        ],
    )
    rates = values(run)
    pair = "custom (crafting) -> custom (target)", "custom (crafting) -> itself"
    assert rates[pair[0], "error_rate"] == rates[pair[1], "error_rate"]
    assert "target (custom): the model returns probabilities" in caplog.text


@pytest.mark.parametrize(("name", "said"), [("Sigmoid", True), ("OneHot", False), ("Log", False)])
def test_what_else_lies_between_0_and_1_is_attacked(folder, name, said) -> None:
    run = ran(folder, [*words(folder), *own(folder, name), "attack.epsilon=0.05", "saved_images=0"])
    assert 0 <= values(run)["custom", "error_rate"] <= 100
    text = "all its outputs lie between 0 and 1, as a sigmoid's do"
    assert (text in (run.folder / "summary.md").read_text()) is said


def besides_guessing(run: Run) -> list[str]:
    """The remarks, but for those on networks that have learned nothing, as these small ones."""
    return [text for text in run.remarks.texts() if "is near a guess's" not in text]


@pytest.mark.parametrize("experiment", ["attack", "transfer"])
@pytest.mark.parametrize("name", ["Underflowing", "Saturated", "Rounded"])
def test_a_masked_gradient_is_said_once_also_where_the_numbers_are_stored(
    folder, experiment, name
) -> None:
    overrides = [*words(folder, experiment), *own(folder, name), "attack=fgsm", "attack.clip=[0,1]"]
    overrides += own(folder, "Net", "target") if experiment == "transfer" else []
    for again in range(2):
        (folder / str(again)).mkdir()
        (said,) = besides_guessing(ran(folder / str(again), overrides))
        assert said.startswith("crafting (custom): the input gradient is ")
        assert " of 120 examples" in said
        assert "try attack=strongest" in said


def test_a_masked_gradient_is_said_where_no_examples_are_kept(folder) -> None:
    overrides = [word for word in words(folder, "imperceptible") if word != "figure_examples=1"]
    overrides += [
        "model=custom",
        *own(folder, "Rounded", "model")[1:],
        "examples=4",
        "figure_examples=1",
    ]
    (said,) = ran(folder, overrides).remarks.texts()
    assert said.startswith("model (custom): the input gradient is exactly zero at 16 of 16")


def test_the_refusal_of_probabilities_names_what_keeps_the_gradient() -> None:
    with pytest.raises(ConfigError, match=r"return log_softmax of the logits"):
        refuse_probabilities(torch.tensor([[0.25, 0.75]]), "model")


@pytest.mark.parametrize(
    "name", ["Half", "Brain", "Tuple", "Dictionary", "Object", "Autocast", "Double"]
)
def test_any_kind_of_answer_is_trained_on_and_attacked(folder, name) -> None:
    run = ran(folder, trained(folder, *own(folder, name, weights=False)))
    rates = values(run)
    assert 0 <= rates["custom -> itself", "error_rate"] <= 100
    assert besides_guessing(run) == []


@pytest.mark.parametrize("experiment", ["church_windows", "linearity", "imperceptible"])
@pytest.mark.parametrize("name", ["Brain", "Object"])
def test_any_kind_of_answer_serves_the_figures(folder, experiment, name) -> None:
    key = "models.maxout" if experiment == "linearity" else "model"
    only = ["~models.relu", "~models.tanh"] if experiment == "linearity" else []
    small = {
        "church_windows": [
            "space=pixels",
            "side=9",
            "stride=4",
            "grid=1",
            "examples=4",
            "draws=1",
            "bases=[fgsm_random]",
        ],
        "linearity": ["examples=4", "pixels=[4,64]", "epsilons=[0.1]"],
        "imperceptible": ["examples=4", "figure_examples=1"],
    }
    overrides = [word for word in words(folder, experiment) if word != "figure_examples=1"]
    run = ran(
        folder,
        [
            *overrides,
            "dataset.training_share=0.8",
            "seeds=[0]",
            "trainer.max_epochs=1",
            named(key),
            f"{key}._target_=own_nets.{name}",
            *only,
            *small[experiment],
        ],
    )
    assert len(run.table.results.rows) > 5
    assert not any(np.isnan(r.value) for r in run.table.results.rows)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Mute", r"fails \(NotImplementedError\)$"),
        ("TwoLines", r"fails \(first second\)$"),
        ("Nothing", "Nothing returns a NoneType; needed: a tensor of logits, or"),
        ("OneLogit", r"a batch of 2 gives \(2, 1\), \(2, 3\) is needed$"),
        ("OverSeveral", r"crafting \(custom\): cannot classify a single image \(Expected more"),
        ("Inference", "logits carry no gradient to the images"),
    ],
)
def test_what_cannot_work_is_said_in_one_line_before_training(folder, name, message) -> None:
    overrides = [*words(folder), "dataset.training_share=0.8", *own(folder, name, weights=False)]
    with pytest.raises(AdvxError, match=message) as caught:
        ran(folder, overrides)
    assert "\n" not in str(caught.value)
    assert not (folder / "store" / "models").exists()


def test_one_class_is_refused_and_a_thousand_are_not(folder) -> None:
    arrays = np.load(folder / "mine.npz")
    np.savez(folder / "one.npz", images=arrays["images"], labels=arrays["labels"] * 0)
    path = f"dataset.path={folder / 'one.npz'}"
    import own_nets

    torch.save(own_nets.OneLogit().state_dict(), folder / "one.pt")
    for attack in ("fgsm", "jsma"):
        with pytest.raises(ConfigError, match=r"dataset.classes=1: a classifier needs two classes"):
            ran(
                folder,
                [
                    *words(folder),
                    path,
                    "dataset.classes=1",
                    f"attack={attack}",
                    *own(folder, "OneLogit"),
                    f"crafting.weights={folder / 'one.pt'}",
                ],
            )
    with pytest.raises(ConfigError, match=r"dataset.classes=1: no wrong class to aim at"):
        target_classes(torch.zeros(3, dtype=torch.int64), 1)
    torch.save(own_nets.Net(1000).state_dict(), folder / "weights.pt")
    many = [*words(folder), "dataset.classes=1000", *own(folder, "Net"), "+crafting.classes=1000"]
    run = ran(
        folder,
        [*many, "attack=pgd", "attack.steps=2", "attack.targeted=true", "attack.epsilon=0.1"],
    )
    assert values(run)["custom", "error_rate"] > 90


# Whether it answers the same again


def test_a_random_forward_pass_is_said_whether_the_number_is_kept_or_not(folder, caplog) -> None:
    overrides = [
        *words(folder, "transfer"),
        *own(folder, "Noisy"),
        *own(folder, "Net", "target"),
        "attack.epsilon=0.05",
    ]
    for _ in range(2):
        caplog.clear()
        run = ran(folder, overrides)
        text = "crafting (custom): its answers differ between two calls on the same images, by up"
        assert text in caplog.text
        assert text in (run.folder / "summary.md").read_text()
        assert not any(said.startswith("target") for said in run.remarks.texts())


def test_normalization_over_the_batch_is_said(folder) -> None:
    run = ran(folder, [*words(folder), *own(folder, "OverBatch"), "attack.epsilon=0.05"])
    assert (
        "its answer to an image depends on the other images of the batch"
        in (run.folder / "summary.md").read_text()
    )


def test_looking_at_a_model_leaves_it_and_the_random_numbers_alone(folder) -> None:
    from advx.evaluation.own_models import habits

    model = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(64), nn.Dropout(0.5), nn.Linear(64, 3))
    before = {key: value.clone() for key, value in model.state_dict().items()}
    state = torch.get_rng_state()
    assert habits(model, torch.rand(16, 1, 8, 8, generator=torch.Generator()), "it") == {}
    assert model.training
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())


# What it does to PyTorch as a whole


def test_a_file_that_sets_the_number_format_changes_nothing_of_anyone_elses(folder) -> None:
    text = "import torch\nimport own_nets\ntorch.set_default_dtype(torch.float64)\n"
    text += "torch.set_grad_enabled(False)\ntorch.manual_seed(5)\n"
    (folder / "own_settings.py").write_text(text + "class F(own_nets.Net): pass\n")
    try:
        run = ran(
            folder,
            [
                *words(folder),
                *own(folder, "F"),
                "crafting._target_=own_settings.F",
                "attack.epsilon=0.05",
            ],
        )
        assert torch.get_default_dtype() == torch.float32
        assert torch.is_grad_enabled()
    finally:
        torch.set_default_dtype(torch.float32)
        torch.set_grad_enabled(True)
        sys.modules.pop("own_settings", None)
    plain = ran(folder, [*words(folder), *own(folder, "Net"), "attack.epsilon=0.05"])
    assert values(run) == values(plain)


def test_a_network_of_float64_is_refused_in_one_line(folder) -> None:
    (folder / "own_doubles.py").write_text(
        "import own_nets\nclass F(own_nets.Net):\n    def __init__(self):\n"
        "        super().__init__(); self.double()\n"
    )
    with pytest.raises(ConfigError, match=r"on torch.float32 images fails .*dtype") as caught:
        ran(folder, [*words(folder), *own(folder, "F"), "crafting._target_=own_doubles.F"])
    assert "\n" not in str(caught.value)
    sys.modules.pop("own_doubles", None)


def test_a_module_that_ends_the_interpreter_is_said_not_to_import(folder) -> None:
    (folder / "own_exit.py").write_text("raise SystemExit\n")
    with pytest.raises(ConfigError, match=r"own_exit.X: cannot be imported \(SystemExit\)"):
        ran(folder, [*words(folder), "model@crafting=custom", "crafting._target_=own_exit.X"])


# What is refused too late


def test_church_windows_without_preprocessing_are_refused_before_training(folder) -> None:
    overrides = [word for word in words(folder, "church_windows") if word != "figure_examples=1"]
    with pytest.raises(ConfigError, match=r"space=preprocessed: Net has no preprocessing"):
        ran(
            folder,
            [
                *overrides,
                "dataset.training_share=0.8",
                "grid=1",
                "model=custom",
                "model._target_=own_nets.Net",
            ],
        )
    assert not (folder / "store" / "models").exists()


def test_a_layer_that_is_not_there_is_refused_before_training(folder) -> None:
    with pytest.raises(ConfigError, match=r"attack.layer=nowhere: .* has no such layer"):
        ran(
            folder,
            trained(
                folder, *own(folder, "Net", weights=False), "attack=feature", "attack.layer=nowhere"
            ),
        )
    assert not (folder / "store" / "models").exists()


class Sign(torch.autograd.Function):
    """The identity with a backward pass and no forward derivative."""

    @staticmethod
    def forward(ctx, x: torch.Tensor) -> torch.Tensor:
        return x.clone()

    @staticmethod
    def backward(ctx, slope: torch.Tensor) -> torch.Tensor:
        return slope


def test_the_tangent_of_a_network_without_forward_derivatives(linear) -> None:
    class Own(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return linear(Sign.apply(x))

    x, d = torch.rand(2, 5, 1, 5, 5, dtype=torch.float64)
    for found, right in zip(tangent(Own(), x, d), tangent(linear, x, d), strict=True):
        torch.testing.assert_close(found, right)
