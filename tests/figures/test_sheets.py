"""Rows of images under captions, as panels of a figure."""

import numpy as np
import torch

from advx.experiments import categorical_gan, sample_fidelity, vae_gan
from advx.figures.samples import sheets
from advx.report.over_seeds import Numbers
from advx.report.results import Row


def test_rows_become_panels_in_their_order() -> None:
    first, second = torch.zeros(3, 1, 2, 2), torch.ones(3, 1, 2, 2)
    arrays, panels = sheets(
        {"Test images": {"test image": first, "VAE, late": second}, "none": {}, "b": {"x": second}}
    )
    assert [panel["caption"] for panel in panels] == ["a  Test images", "b  b"]
    assert [panel["columns"] for panel in panels] == [3, 3]
    assert panels[0]["left"] == ["test image", "VAE,\nlate"]
    assert arrays["a"].shape == (6, 1, 2, 2)
    np.testing.assert_array_equal(arrays["a"][:3], 0)
    np.testing.assert_array_equal(arrays["a"][3:], 255)


def numbers(values: dict[tuple[str, str, str], float]) -> Numbers:
    return Numbers(
        Row("x", row, metric, None, setting, 0, value, "percent", 10)
        for (row, metric, setting), value in values.items()
    )


def test_titles_say_what_was_measured() -> None:
    distance, glasses = "frechet_classifier_distance", "attribute=glasses"
    measured = numbers(
        {
            ("VAE, samples", distance, ""): 1234.4,
            ("VAE/GAN, samples", distance, ""): 261.9,
            ("VAE", "flip_rate", glasses): 0.0,
            ("VAE/GAN", "flip_rate", glasses): 43.4,
            ("VAE samples, faces", distance, ""): 1234.4,
            ("DCGAN samples, faces", distance, ""): 99.6,
            ("blur, faces", "logit_change", ""): -2.345,
            ("chroma, faces", "logit_change", ""): 0.5,
            ("CatGAN, two_moons", "majority_label_error", ""): 0.25,
            ("without G, two_moons", "majority_label_error", ""): 8.2,
            ("k-means, two_moons", "majority_label_error", ""): 23.9,
            ("CatGAN, 1000 labels", "clean_error_rate", ""): 4.0,
            ("without G, 1000 labels", "clean_error_rate", ""): 6.5,
            ("labels only, 1000 labels", "clean_error_rate", ""): 9.0,
        }
    )
    assert vae_gan.finding(measured, ["glasses"]) == (
        "Samples of the VAE/GAN lie at a Fréchet distance of 262 from the data, those of the VAE "
        "at 1,234; “glasses” is changed in 43% of test images, with the VAE in 0%"
    )
    assert sample_fidelity.finding(measured, "faces") == (
        "At one squared error a blur moves the discriminator's logit by −2.35, a shift in chroma "
        "by +0.50; samples of the VAE lie at a Fréchet distance of 1,234 from faces, those of the "
        "DCGAN at 100"
    )
    assert categorical_gan.finding(measured, ["two_moons", "blobs"], 1000) == (
        "On two moons the game's clusters err on 0.2%, without its generator on 8.2%, k-means on "
        "24%; with 1,000 labels, digits are misclassified in 4% of the cases, without the "
        "generator in 6.5%, by the labels alone in 9%"
    )
