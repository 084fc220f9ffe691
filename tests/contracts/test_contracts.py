"""What holds for the project as a whole: layers, packaging, configuration."""

import ast
import tomllib
from pathlib import Path

import pytest

from advx.config.cells import Cell
from advx.config.choices import choices
from advx.config.claims import listed_cell
from advx.config.compose import composed
from advx.run import check
from tests.paths import ROOT, SOURCES

LAYERS = [
    {"errors", "types", "progress", "text_files", "places", "termination", "packages", "notes"}
    | {"memory", "randomness"},
    {"config"},
    {"models", "data", "run_folder"},
    {"attacks", "games"},
    {"defenses"},
    {"store"},
    {"training"},
    {"evaluation"},
    {"figures", "report"},
    {"run"},
    {"experiments", "reproduce"},
    {"cli"},
]
"""Each may import what stands above it, and what stands beside it."""

LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}


def imports(path: Path) -> set[str]:
    """Second parts of the `advx.…` modules that a file imports anywhere."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("advx."):
            found.add(node.module.split(".")[1])
        if isinstance(node, ast.Import):
            found |= {a.name.split(".")[1] for a in node.names if a.name.startswith("advx.")}
    return found


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_dependencies_run_one_way(path: Path) -> None:
    parts = path.relative_to(ROOT).with_suffix("").parts
    own = parts[0] if parts[0] == "experiments" else parts[1]
    if own == "__init__":
        return
    for name in imports(path):
        assert LEVEL[name] <= LEVEL[own], f"{own} must not import {name}"


def test_only_build_calls_instantiate() -> None:
    users = [p for p in SOURCES if "instantiate" in p.read_text() and p.name != "build.py"]
    assert users == []


def test_packages_are_listed_completely() -> None:
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    found = {
        ".".join(p.parent.relative_to(ROOT).parts) for p in (ROOT / "advx").rglob("__init__.py")
    }
    assert set(listed) == found | {"advx.conf", "advx.docs", "advx.experiments"}


def test_lock_file_has_hashes_and_no_address() -> None:
    text = (ROOT / "requirements.lock").read_text()
    assert "://" not in text
    assert text.count("==") <= text.count("--hash=sha256:")


@pytest.mark.parametrize("scale", ["smoke", "quick", "chapter"])
@pytest.mark.parametrize("experiment", choices()["experiment"])
def test_every_configuration_composes_and_checks(experiment: str, scale: str) -> None:
    config, main = composed([f"experiment={experiment}", f"scale={scale}"])
    assert config["experiment"] == experiment
    assert config["scale"] == scale
    check(config, main)


TABLE = {
    Cell("maxout -> nearest_neighbor", "error_rate"): 25.3,
    Cell("smoothed_nearest_neighbor -> nearest_neighbor", "error_rate"): 47.2,
    Cell("maxout -> relu", "error_rate"): 47.2,
    Cell("maxout -> tanh", "error_rate"): 99.3,
    Cell("maxout -> softmax_regression", "error_rate"): 88.9,
}
"""Table 1.1."""

CHAPTER = {
    "transfer_table": TABLE,
    "table_protocols": TABLE,
    "smoothed_neighbor_precision": {Cell("exact", "error_rate"): 47.2},
    "label_smoothing": {
        Cell("hard targets", "clean_error_rate"): 1.28,
        Cell("hard targets", "fgsm_error_rate"): 99.97,
        Cell("smoothed targets", "clean_error_rate"): 1.17,
        Cell("smoothed targets", "fgsm_error_rate"): 33.0,
    },
    "adversarial_training": {
        Cell("adversarially trained", "fgsm_error_rate", 0.25): 18,
        Cell("adversarially trained", "iterative_error_rate", 0.25): 97,
        Cell("adversarially trained", "iterative_error_rate", 0.1): 22,
        Cell("plain", "iterative_error_rate", 0.1): 79,
    },
    "church_windows": {Cell("half-width", "epsilon"): 0.25},
    "norm_balls": {
        Cell("all six perturbations", "l2_norm"): 4,
        Cell("right-hand grid", "max_norm"): 0.14,
        Cell("max norm .25", "l2_norm"): 7,
    },
}
"""The chapter's own figures, transcribed a second time."""

SET = {
    ("church_windows", Cell("half-width", "epsilon")),
    ("norm_balls", Cell("all six perturbations", "l2_norm")),
    ("norm_balls", Cell("right-hand grid", "max_norm")),
    ("norm_balls", Cell("max norm .25", "l2_norm")),
}
"""Those that the protocol fixes and no run measures."""

EXPLAINING, PAPERNOT = "Goodfellow et al. 2014b", "Papernot et al. 2016b"
MAKHZANI, GANIN = "Makhzani et al. 2015", "Ganin and Lempitsky 2015, on MNIST-M"
MIYATO, SPRINGENBERG = "Miyato et al. 2015", "Springenberg 2016"

PUBLISHED = {
    "church_windows": {Cell("clean", "error_rate"): (11.68, "Goodfellow et al. 2013b")},
    "adversarial_autoencoder": {
        Cell("few labels", "clean_error_rate", setting="labels=100"): (1.9, MAKHZANI),
        Cell("few labels", "clean_error_rate", setting="labels=1000"): (1.6, MAKHZANI),
        Cell("few labels", "clean_error_rate", setting="labels=all"): (0.85, MAKHZANI),
        Cell("clusters", "majority_label_error", setting="clusters=16"): (9.55, MAKHZANI),
        Cell("clusters", "majority_label_error", setting="clusters=30"): (4.1, MAKHZANI),
    },
    "domain_adaptation": {
        Cell("source only, plain", "target_error_rate", setting="target=backgrounds"): (
            42.51,
            GANIN,
        ),
        Cell("gradient reversal, plain", "target_error_rate", setting="target=backgrounds"): (
            18.51,
            GANIN,
        ),
    },
    "adversarial_training": {
        Cell("adversarially trained", "clean_error_rate"): (0.84, EXPLAINING),
        Cell("plain", "fgsm_error_rate", 0.25): (89.4, EXPLAINING),
        Cell("sign noise", "fgsm_error_rate", 0.25): (86.2, EXPLAINING),
        Cell("uniform noise", "fgsm_error_rate", 0.25): (90.4, EXPLAINING),
        Cell("plain -> adversarially trained", "fgsm_error_rate", 0.25): (19.6, EXPLAINING),
        Cell("adversarially trained -> plain", "fgsm_error_rate", 0.25): (40.9, EXPLAINING),
        Cell("adversarially trained", "fgsm_confidence_on_mistakes", 0.25): (81.4, EXPLAINING),
    },
    "attack_comparison": {
        Cell("jsma", "success_rate", setting="class=all+share=0.145"): (97, PAPERNOT),
        Cell("jsma", "mean_l0"): (4, PAPERNOT),
    },
    "black_box": {
        Cell("convolutional, convolutional substitute", "error_rate", 0.3): (
            84.24,
            "Papernot et al. 2016a",
        ),
    },
    "categorical_gan": {
        Cell("CatGAN, 100 labels", "clean_error_rate"): (1.91, SPRINGENBERG),
        Cell("CatGAN, 1000 labels", "clean_error_rate"): (1.73, SPRINGENBERG),
        Cell("CatGAN, 20 clusters", "majority_label_error"): (9.7, SPRINGENBERG),
    },
    "conditional_gan": {Cell("generator", "parzen"): (132, "Mirza and Osindero 2014")},
    "defenses": {
        Cell("ensemble", "fgsm_error_rate", 0.25): (91.1, EXPLAINING),
        Cell("ensemble, through one member", "fgsm_error_rate", 0.25): (87.9, EXPLAINING),
    },
    "gan_samples": {Cell("generator", "parzen"): (225, "Goodfellow et al. 2014a")},
    "rubbish": {
        Cell("maxout", "confident_rate", setting="noise=gaussian"): (98.35, EXPLAINING),
        Cell("maxout", "mean_confidence", setting="noise=gaussian"): (92.8, EXPLAINING),
    },
    "same_mistake": {Cell("maxout -> softmax_regression", "same_class", 0.25): (84.6, EXPLAINING)},
    "virtual_adversarial_training": {
        Cell("virtual adversarial", "clean_error_rate", setting="labels=100"): (2.1, MIYATO),
        Cell("virtual adversarial", "clean_error_rate", setting="labels=all"): (0.64, MIYATO),
    },
}
"""Figures of other papers, and of which, transcribed a second time."""


@pytest.mark.parametrize("experiment", choices()["experiment"])
def test_transcribed_figures_match_the_chapter(experiment: str) -> None:
    config, _ = composed([f"experiment={experiment}"])
    listed = config.get("rows") or []
    figures = {listed_cell(r): r["chapter"] for r in listed if "chapter" in r}
    assert figures == CHAPTER.get(experiment, {})
    listed_set = {(experiment, listed_cell(r)) for r in listed if r.get("set")}
    assert listed_set == {place for place in SET if place[0] == experiment}
    papers = {listed_cell(r): (r["published"], r["source"]) for r in listed if "published" in r}
    assert papers == PUBLISHED.get(experiment, {})
    claims = {c["claim"] for c in config.get("claims") or []}
    assert {r["direction"] for r in listed if "direction" in r} <= claims
