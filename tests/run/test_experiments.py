"""Every experiment writes the contract's files; what some of them measure, by hand."""

import inspect
import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from advx.config.build import build
from advx.config.choices import choices
from advx.config.declared import declared
from advx.errors import Diverged
from advx.evaluation.judged import quality
from advx.evaluation.sample_quality import drawn
from advx.evaluation.transfer import craft, predictions
from advx.experiments import attack_comparison, latent_arithmetic
from advx.judge import Judge
from tests.running import CELL, CLAIMS, MANIFEST, RESULTS, SUMMARY, lines, started

FIGURES = {
    "transfer_table": "transfer",
    "transfer": "transfer",
    "label_smoothing": "label_smoothing",
    "adversarial_training": "adversarial_training",
    "defenses": "defenses",
    "virtual_adversarial_training": "virtual_adversarial_training",
    "attack_comparison": "attack_comparison",
    "black_box": "black_box",
    "hidden_representation": "hidden_representation",
    "cross_dataset": "cross_dataset",
    "same_mistake": "same_mistake",
    "rubbish": "rubbish",
    "attack": "attack",
    "church_windows": "fgsm_random",
    "linearity": "linearity",
    "norm_balls": "norm_balls",
    "imperceptible": "imperceptible",
    "gan_theory": "gan_theory",
    "gan_collapse": "gan_collapse",
    "gan_collapse_stacked": "pictures",
    "gan_samples": "samples",
    "conditional_gan": "conditional_gan",
    "dcgan_samples": "dcgan_samples",
    "laplacian_gan": "laplacian_gan",
}


@pytest.mark.parametrize("experiment", choices()["experiment"])
def test_every_experiment_writes_the_contracts_files(experiment, tmp_path, capsys) -> None:
    if experiment in ("independent_attacks", "benchmark_attacks"):
        pytest.importorskip("foolbox")
        pytest.importorskip("torchattacks")
    run, config, main = started(tmp_path, f"experiment={experiment}")
    own = main.__code__.co_varnames[1 : main.__code__.co_argcount]
    main(run, **{key: config[key] for key in own})
    rows = lines(run.folder / "results.csv", RESULTS)
    assert {row["experiment"] for row in rows} == {experiment}
    assert len({(*(r[key] for key in CELL), r["seed"]) for r in rows}) == len(rows)
    made = {row.cell for row in run.results.rows}
    known = declared(config, main)
    if known is not None:
        assert {cell for cell, always in known.items() if always} <= made <= known.keys()
    for row in rows:
        assert "@" not in row["metric"]
        assert row["seed"] == "" or int(row["seed"]) >= 0
        if row["unit"] == "percent":
            assert 0 <= float(row["value"]) <= 100 or "confidence" in row["metric"]
            assert int(row["n"]) > 0
    summary = lines(run.folder / "summary.csv", SUMMARY)
    named = [tuple(line[key] for key in CELL) for line in rows]
    assert [tuple(line[key] for key in CELL) for line in summary] == [*dict.fromkeys(named)]
    assert all(s["verdict"] == "" for s in summary), "verdicts belong to scale=chapter"
    claims = lines(run.folder / "claims.csv", CLAIMS)
    assert [c["claim"] for c in claims] == [c["claim"] for c in config.get("claims") or []]
    assert lines(run.folder / "timing.csv", ["phase", "row", "seconds"])
    assert set(json.loads((run.folder / "manifest.json").read_text())) == MANIFEST
    printed = capsys.readouterr().out
    assert str(run.folder) in printed
    assert config["dataset"]["name"] in printed
    if experiment in FIGURES:
        assert (run.folder / f"{FIGURES[experiment]}.png").stat().st_size > 10_000
        assert f"{FIGURES[experiment]}.png" in printed
    if FIGURES.get(experiment) == "transfer":
        arrays = np.load(run.folder / "arrays.npz")
        moved = np.abs(arrays["adversarial"] - arrays["images"]).max()
        assert moved == pytest.approx(0.25, abs=1e-6)


def test_attacks_cost_and_reach_what_they_say(tmp_path) -> None:
    run, config, main = started(tmp_path, "experiment=attack_comparison", "seeds=[0]")
    main(run, **{key: config[key] for key in inspect.signature(main).parameters if key != "run"})
    found = {(r.row, r.metric): r.value for r in run.table.results.rows}
    assert found["fgsm", "forward_equivalents"] == pytest.approx(2)  # there and back
    assert found["random_noise", "forward_equivalents"] == 0
    assert found["fgsm", "mean_linf"] == pytest.approx(0.1, abs=1e-6)
    assert found["fgsm_l2", "mean_l2"] == pytest.approx(2.8, abs=1e-5)
    assert found["fgsm_l2", "distortion"] == pytest.approx(0.1, abs=1e-6)  # 2.8 / √784
    assert found["jsma", "mean_l0"] <= 1.0  # of smoke's share
    network = run.recipe("maxout", 0)
    wrong = run.error_rate(network, config["attacks"]["fgsm"], examples=20)
    assert found["fgsm", "success_rate"] == wrong


def test_jsma_towards_each_class_counts_every_pair_once(tmp_path) -> None:
    run, config, _ = started(tmp_path, "experiment=attack_comparison")
    network = run.recipe("maxout", 0)
    jsma = config["attacks"]["jsma"] | {"share": 0.03}
    rates = attack_comparison.every_class(run, network, jsma, 20)
    module, clean = run.trained(network).module, run.tested(20)
    won = torch.zeros(10)
    for shift in range(1, 10):
        aims = (clean.labels + shift) % 10
        said = predictions(module, craft(build(jsma), module, clean, aims).images)
        won += torch.bincount(aims[said == aims], minlength=10)
    asked = 20 - torch.bincount(clean.labels, minlength=10)
    assert [n for _, n in rates] == asked.tolist()
    torch.testing.assert_close(torch.tensor([r for r, _ in rates]), 100 * won / asked)
    assert 0 < won.sum() < asked.sum()


@pytest.mark.parametrize(
    ("experiment", "row"),
    [("gan_theory", "k = 1"), ("gan_collapse", "neither, minimax, k = 1"),
     ("gan_samples", "generator"), ("conditional_gan", "generator"), ("laplacian_gan", "pyramid"),
     ("latent_arithmetic", "a − b + c, never seen")],
)  # fmt: skip
def test_a_game_that_diverged_stays_a_row(experiment, row, tmp_path) -> None:
    run, config, main = started(tmp_path, f"experiment={experiment}")

    def diverge(*_):
        raise Diverged("loss of the generator became nan in epoch 1")

    run._play = diverge  # type: ignore[method-assign]
    own = main.__code__.co_varnames[1 : main.__code__.co_argcount]
    main(run, **{key: config[key] for key in own})
    rows = lines(run.folder / "results.csv", RESULTS)
    kept = [r for r in rows if r["row"] == row]
    assert kept
    assert all(r["value"] in ("", "nan") for r in kept)
    assert (run.folder / "claims.csv").exists()


def test_the_judges_floor_is_of_pictures_of_both_splits(tmp_path) -> None:
    run, config, _ = started(tmp_path, "experiment=gan_samples")
    judge = Judge(run, config["classifier"], config["classifier_trainer"], "layers.8", 90)
    judge.record()
    rows = lines(run.folder / "results.csv", RESULTS)
    for name, split in (("training", run.data.train), ("validation", run.data.validation)):
        expected = quality(run.trained(judge.recipe).module, "layers.8", run.data,
                           drawn(split.images, 90))  # fmt: skip
        kept = {r["metric"]: float(r["value"]) for r in rows if r["row"] == f"{name} pictures"}
        assert kept == pytest.approx(expected, abs=1e-4)
    assert judge.features == 16


class Plane(nn.Module):
    """A game whose pictures are z itself, two numbers in [−1, 1]; classes are quadrants."""

    def __init__(self) -> None:
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(1))

    def draw(self, n):
        return 2 * torch.rand(n, 2) - 1

    def generate(self, z):
        return z[:, None, None]


class Quadrants(nn.Module):
    """Logits of ++, +−, −+, −−, nearly sure away from the axes."""

    def forward(self, x):
        signs = torch.tensor([[1.0, 1], [1, -1], [-1, 1], [-1, -1]])
        return 50 * x.flatten(1) @ signs.T


def test_arithmetic_on_z_against_a_plane_whose_classes_are_its_quadrants(tmp_path) -> None:
    run, _, _ = started(tmp_path, "experiment=latent_arithmetic")
    run.trained = lambda _: SimpleNamespace(module=Quadrants())  # type: ignore[method-assign]
    run.played = lambda *_: SimpleNamespace(game=Plane())  # type: ignore[method-assign]
    judge = run.recipe(run.config["probe"], 0, path="probe")
    game = run.recipe(run.config["game"], 0, path="game")
    plus, minus, other, target = 1, 3, 2, 0
    found = latent_arithmetic.arithmetic(
        run, game, run.data, judge, (plus, minus, other, target), [1, 100], 400
    )
    shares = [v["generated"] for row, v in found.items() if row.startswith("faces with")]
    assert shares == pytest.approx([24] * 4, abs=1.5)  # a quarter each, but for those on the axes
    assert found["c alone"] == {"target_class@1": 0, "target_class@100": 0}
    assert found["a − b + c"]["target_class@100"] == 100
    assert found["rescaled"] == found["a − b + c"]  # a quadrant does not depend on the length
    # one of each: x = a − b + c with x of a in [0, 1], −b in [0, 1], c in [−1, 0]: positive in 5/6
    assert found["a − b + c"]["target_class@1"] == pytest.approx(100 * (5 / 6) ** 2, abs=6)
    assert 0 < found["c + random direction"]["target_class@1"] < 45
    assert found["c + random direction"]["target_class@100"] < 45
