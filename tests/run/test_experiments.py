"""Every experiment writes the contract's files; what some of them measure, by hand."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from advx.config.check import keywords
from advx.config.choices import choices
from advx.config.compose import composed
from advx.config.config import Config
from advx.config.declared import declared
from advx.evaluation.transfer import craft, error_rate, predictions
from advx.experiments import attack_comparison
from advx.report.finished import cells_of
from advx.reproduce.experiments import listed
from tests.processes import advx
from tests.running import CELL, CLAIMS, MANIFEST, RESULTS, SUMMARY, lines, started

FIGURES = {
    "transfer_table": "transfer",
    "table_protocols": "table_protocols",
    "smoothed_neighbor_precision": "smoothed_neighbor_precision",
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
    "gan_collapse_stacked": "images",
    "gan_samples": "samples",
    "conditional_gan": "conditional_gan",
    "dcgan_samples": "dcgan_samples",
    "laplacian_gan": "laplacian_gan",
    "laplacian_gan_causes": "laplacian_gan_causes",
    "predictive_gan": "predictive_gan",
    "vae_gan": "vae_gan",
    "adversarial_autoencoder": "adversarial_autoencoder",
    "sample_fidelity": "sample_fidelity",
    "distribution_matching": "distribution_matching",
    "categorical_gan": "categorical_gan",
    "search_strength": "search_strength",
    "training_perturbations": "training_perturbations",
    "extrapolation": "extrapolation",
    "ideal_discriminator": "ideal_discriminator",
    "class_changes": "class_changes",
}


@pytest.mark.parametrize("experiment", choices()["experiment"])
def test_every_experiment_writes_the_contracts_files(experiment, reproduced, tmp_path) -> None:
    """From one `advx reproduce scale=smoke`; a tool that it has left out runs here."""
    if experiment in ("independent_attacks", "benchmark_attacks"):
        pytest.importorskip("foolbox")
        pytest.importorskip("torchattacks")
    words = [f"experiment={experiment}", "scale=smoke", "device.threads=1"]
    config, main = composed(words)
    folder = reproduced / experiment
    if listed()[experiment].tool and not folder.exists():
        folder = tmp_path / experiment
        done = advx(tmp_path, "run", *words, f"hydra.run.dir={folder}")
        folder.with_suffix(".log").write_text(done.stdout + done.stderr, encoding="utf-8")
    assert not (folder / "FAILED").exists()
    rows = lines(folder / "results.csv", RESULTS)
    assert {row["experiment"] for row in rows} == {experiment}
    assert len({(*(r[key] for key in CELL), r["seed"]) for r in rows}) == len(rows)
    made = set(cells_of(pd.read_csv(folder / "results.csv", keep_default_na=False)))
    known = declared(config, main)
    if known is not None:
        assert {cell for cell, always in known.items() if always} <= made <= known.keys()
    for row in rows:
        assert "@" not in row["metric"]
        assert row["seed"] == "" or int(row["seed"]) >= 0
        if row["unit"] == "percent":
            assert 0 <= float(row["value"]) <= 100 or "confidence" in row["metric"]
            assert int(row["n"]) > 0
    summary = lines(folder / "summary.csv", SUMMARY)
    named = [tuple(line[key] for key in CELL) for line in rows]
    assert [tuple(line[key] for key in CELL) for line in summary] == [*dict.fromkeys(named)]
    assert all(s["verdict"] == "" for s in summary), "verdicts belong to scale=chapter"
    claims = lines(folder / "claims.csv", CLAIMS)
    assert [c["claim"] for c in claims] == [c["claim"] for c in config.get("claims") or []]
    assert lines(folder / "timing.csv", ["phase", "row", "seconds"])
    assert set(json.loads((folder / "manifest.json").read_text())) == MANIFEST
    check_what_is_printed(experiment, folder, config["dataset"]["name"])
    if FIGURES.get(experiment) == "transfer":
        arrays = np.load(folder / "arrays.npz")
        moved = np.abs(arrays["adversarial"] - arrays["images"]).max()
        assert moved == pytest.approx(0.25, abs=1e-6)


def check_what_is_printed(experiment: str, folder: Path, dataset: str) -> None:
    """The folder, the data set and the figure, which is not empty."""
    printed = folder.with_suffix(".log").read_text(encoding="utf-8")
    assert re.search(rf"^files:  (.*/)?{experiment}$", printed, re.MULTILINE)
    assert dataset in printed
    if experiment in FIGURES:
        assert (folder / f"{FIGURES[experiment]}.png").stat().st_size > 10_000
        assert f"{FIGURES[experiment]}.png" in printed


def test_attacks_cost_and_reach_what_they_say(tmp_path) -> None:
    run, config, main = started(tmp_path, "experiment=attack_comparison", "seeds=[0]")
    main(run, **keywords(config, main))
    found = {(r.row, r.metric): r.value for r in run.table.results.rows}
    assert found["fgsm", "forward_equivalents"] == pytest.approx(2)  # there and back
    assert found["random_noise", "forward_equivalents"] == 0
    assert found["fgsm", "mean_linf"] == pytest.approx(0.1, abs=1e-6)
    assert found["fgsm_l2", "mean_l2"] == pytest.approx(2.8, abs=1e-5)
    assert found["fgsm_l2", "distortion"] == pytest.approx(0.1, abs=1e-6)  # 2.8 / √784
    assert found["jsma", "mean_l0"] <= 1.0  # of smoke's share
    fgsm = Config(config["attacks"]["fgsm"])
    adversarial = run.craft(fgsm, run.model("maxout", 0), 20)
    assert found["fgsm", "success_rate"] == run.measure(
        error_rate, run.model("maxout", 0), adversarial
    )


def test_jsma_toward_each_class_counts_every_pair_once(tmp_path) -> None:
    run, config, _ = started(tmp_path, "experiment=attack_comparison")
    jsma = Config(config["attacks"]["jsma"]).with_(share=0.03)
    module, clean = run.model("maxout", 0).value, run.test(20)
    found = attack_comparison.success_by_class(module, jsma.build(), clean, classes=10)
    rates = list(zip(found.rates, found.examples, strict=True))
    won = torch.zeros(10)
    for shift in range(1, 10):
        aims = (clean.labels + shift) % 10
        said = predictions(module, craft(jsma.build(), module, clean, aims).images)
        won += torch.bincount(aims[said == aims], minlength=10)
    asked = 20 - torch.bincount(clean.labels, minlength=10)
    assert [n for _, n in rates] == asked.tolist()
    torch.testing.assert_close(torch.tensor([r for r, _ in rates]), 100 * won / asked)
    assert 0 < won.sum() < asked.sum()
