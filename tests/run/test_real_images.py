"""The floor under the quality of generated images, and games whose training diverged."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from advx.config.check import keywords
from advx.config.config import Config
from advx.data.dataset import Dataset, Split
from advx.errors import ConfigError, Diverged
from advx.evaluation.image_quality import image_quality
from advx.evaluation.sample_quality import random_rows, two_sample_accuracy
from advx.evaluation.samples import warning_rates
from advx.games.diagnostics import LIMITS, warnings
from advx.run import Run
from advx.run.generated import behind_quality
from advx.run.model import Model
from advx.run.real_images import add_floor, feature_count
from advx.training.load_or_train import TrainedGame
from tests.running import RESULTS, lines, started


def with_classifier(folder: Path, *overrides: str) -> tuple[Run, Model]:
    """A run of gan_samples, and the classifier that measures its images."""
    run, config, _ = started(folder, "experiment=gan_samples", *overrides)
    trainer = Config(config["classifier_trainer"])
    return run, run.model(Config(config["classifier"], "classifier"), 0, trainer=trainer)


def test_the_floor_is_of_images_of_both_splits(tmp_path) -> None:
    run, network = with_classifier(tmp_path)
    assert feature_count(run, network, "layers.8") == 16
    add_floor(run, network, "layers.8", 90)
    rows = lines(run.folder / "results.csv", RESULTS)
    for name, split in (("training", run.data.train), ("validation", run.data.validation)):
        images = random_rows(split.images, 90)
        expected = image_quality(network.value, "layers.8", run.data, images)
        found = {r["metric"]: float(r["value"]) for r in rows if r["row"] == f"{name} images"}
        assert found == pytest.approx(vars(expected), abs=1e-4)
    assert {row["row"] for row in rows} == {
        "classifier",
        "training images",
        "validation images",
    }


def test_each_rate_has_the_number_of_examples_that_it_is_a_rate_of(monkeypatch) -> None:
    """By counting: precision is of generated images, recall and coverage of test images."""
    made = Dataset("made", 2, examples(40), examples(0), examples(30))
    monkeypatch.setattr("advx.run.generated.MANIFOLD", 25)
    assert behind_quality(made, 20) == {
        "frechet_classifier_distance": 20,
        "precision": 20,
        "density": 20,
        "recall": 25,
        "coverage": 25,
        "two_sample_accuracy": 20,
        "classes": 20,
        "class_kl": 20,
        "confident_rate": 20,
    }
    many = behind_quality(made, 1001)
    assert (many["precision"], many["recall"], many["classes"]) == (25, 25, 1001)
    real, fake = torch.randn(30, 4), torch.randn(1001, 4)
    assert many["two_sample_accuracy"] == two_sample_accuracy(real, fake, trees=2)[1]


def examples(n: int) -> Split:
    return Split(torch.rand(n, 1, 2, 2), torch.arange(n) % 2)


@pytest.mark.parametrize("beyond", [[], [0], [0, 1, 2, 3]])
def test_a_warning_that_never_came_is_a_rate_of_zero(beyond) -> None:
    """Its mean over seeds would else be one of the seeds that had it."""
    history = [
        {"epoch": epoch, "diversity": 0.1 if epoch in beyond else 0.9, "coverage": 0.5}
        for epoch in range(4)
    ]
    game = SimpleNamespace(limits=LIMITS)
    trained = TrainedGame(game, "key", history, warnings(history), torch.zeros(0))
    assert warning_rates(trained) == {
        "warned_diversity": 25 * len(beyond),
        "warned_coverage": 0,
        "warnings_at_the_end": float(3 in beyond),
    }


def test_so_few_images_that_no_distance_is_defined_are_no_row(tmp_path) -> None:
    run, network = with_classifier(tmp_path, "dataset.limit.validation=16")
    add_floor(run, network, "layers.8", 90)
    found = {row.row for row in run.table.results.rows}
    assert found == {"classifier", "training images"}


@pytest.mark.parametrize(
    ("experiment", "row", "metrics"),
    [
        ("gan_theory", "k = 1", {"divergence", "gap", "relaxed", "confidence"}),
        ("gan_collapse", "neither, minimax, k = 1", {"modes", "high_quality", "spread"}),
        ("gan_samples", "generator", {"parzen", "confident_rate", "frechet_classifier_distance"}),
        ("dcgan_samples", "generator", {"two_sample_accuracy", "classes"}),
        ("conditional_gan", "generator", {"asked_for", "parzen", "class_kl"}),
        ("laplacian_gan", "pyramid", {"two_sample_accuracy", "warnings_at_the_end"}),
        ("laplacian_gan_causes", "single game", {"warnings_at_the_end"}),
        ("laplacian_gan_causes", "class-conditional pyramid", {"asked_for", "warnings_at_the_end"}),
        ("laplacian_gan_causes", "pyramid on real thumbnails", {"frechet_classifier_distance"}),
        ("latent_arithmetic", "a − b + c, never seen", set()),
        ("vae_gan", "VAE/GAN, samples, digits", {"two_sample_accuracy", "gradient_energy"}),
        ("sample_fidelity", "DCGAN samples, digits", {"two_sample_accuracy", "gradient_energy"}),
        ("categorical_gan", "CatGAN, circles", {"majority_label_error", "lowered_by_generator"}),
        ("categorical_gan", "CatGAN, 100 labels", {"clean_error_rate", "labels_seen"}),
    ],
)
def test_a_game_that_diverged_stays_a_row(experiment, row, metrics, tmp_path) -> None:
    run, config, main = started(tmp_path, f"experiment={experiment}")

    def diverge(*_):
        raise Diverged("loss of the generator became nan in epoch 1")

    run.models._train_game = diverge  # type: ignore[method-assign]
    main(run, **keywords(config, main))
    rows = lines(run.folder / "results.csv", RESULTS)
    found = [each for each in rows if each["row"] == row]
    assert found
    assert all(each["value"] in ("", "nan") for each in found)
    assert {each["metric"] for each in found} >= metrics
    assert (run.folder / "claims.csv").exists()


@pytest.mark.parametrize(
    ("experiment", "words", "complaint"),
    [
        ("vae_gan", ["samples=10"], "samples=10: a Fréchet distance over the 16 features"),
        ("vae_gan", ["digits.limit.test=9"], "digits.limit.test=9: leaves 9 test images"),
        ("vae_gan", ["dataset.test=12"], "dataset.test=12: leaves 12 test images"),
        ("vae_gan", ["layer=layers.99"], "layer=layers.99: not of the classifier"),
        ("vae_gan", ["attributes=[hat]"], "dataset=faces has no attribute 'hat'; valid: glasses"),
        ("vae_gan", ["on_digits=[vea]"], "no game 'vea'; did you mean vae"),
        ("sample_fidelity", ["error=0.9"], "none of 60 images can be changed so much"),
        ("sample_fidelity", ["games.vae.latent=5"], "games.vae.latent=5: all models have"),
        ("sample_fidelity", ["digits.limit.test=9"], "digits.limit.test=9: leaves 9 test images"),
        ("categorical_gan", ["labels=[105]"], "labels=105: the same number of each of the 10"),
        ("categorical_gan", ["labels=[null]"], "labels=[None]: null hides every label; valid"),
        ("categorical_gan", ["labels=[]"], "labels=[]: nothing to learn from; valid: numbers"),
        ("categorical_gan", ["dataset@planes.blobs=line"], "planes.blobs=line: its examples have"),
    ],
)
def test_what_cannot_be_measured_is_refused_before_anything_is_trained(
    experiment, words, complaint, tmp_path
) -> None:
    run, config, main = started(tmp_path, f"experiment={experiment}", *words)
    run.models._remembered = lambda *_: pytest.fail("trained")  # type: ignore[method-assign]
    with pytest.raises(ConfigError) as refused:
        main(run, **keywords(config, main))
    assert complaint in str(refused.value)
    assert "\n" not in str(refused.value)
