"""What holds for the project as a whole: layers, packaging, configuration."""

import ast
import tomllib
from pathlib import Path

import pytest

from advx.config.choices import choices
from advx.config.compose import composed
from advx.run import check
from tests.paths import ROOT, SOURCES

LAYERS = [
    {"errors", "types", "progress", "memory", "text_files", "places", "termination", "packages"},
    {"config"},
    {"models", "data"},
    {"attacks", "defenses", "games"},
    {"store", "training", "evaluation"},
    {"figures", "report", "run_folder"},
    {"run"},
    {"experiments"},
    {"cli"},
]

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
    assert set(listed) == found | {"advx.conf", "advx.experiments"}


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


CHAPTER = {
    "transfer_table": {
        ("maxout -> nearest_neighbor", "error_rate"): 25.3,
        ("smoothed_nearest_neighbor -> nearest_neighbor", "error_rate"): 47.2,
        ("maxout -> relu", "error_rate"): 47.2,
        ("maxout -> tanh", "error_rate"): 99.3,
        ("maxout -> softmax_regression", "error_rate"): 88.9,
    },
    "label_smoothing": {
        ("hard targets", "clean_error_rate"): 1.28,
        ("hard targets", "fgsm_error_rate"): 99.97,
        ("smoothed targets", "clean_error_rate"): 1.17,
        ("smoothed targets", "fgsm_error_rate"): 33.0,
    },
    "adversarial_training": {
        ("adversarially trained", "fgsm_error_rate@0.25"): 18,
        ("adversarially trained", "iterative_error_rate@0.25"): 97,
        ("adversarially trained", "iterative_error_rate@0.1"): 22,
        ("plain", "iterative_error_rate@0.1"): 79,
    },
    "church_windows": {("half-width", "epsilon"): 0.25},
    "norm_balls": {
        ("all six perturbations", "l2_norm"): 4,
        ("right-hand grid", "max_norm"): 0.14,
        ("max norm .25", "l2_norm"): 7,
    },
}
"""The chapter's own figures, transcribed a second time."""

SET = {
    ("church_windows", "half-width", "epsilon"),
    ("norm_balls", "all six perturbations", "l2_norm"),
    ("norm_balls", "right-hand grid", "max_norm"),
    ("norm_balls", "max norm .25", "l2_norm"),
}
"""Those that the protocol fixes and no run measures."""

EXPLAINING = "Goodfellow et al. 2014b"

PUBLISHED = {
    "adversarial_training": {
        ("adversarially trained", "clean_error_rate"): (0.84, EXPLAINING),
        ("plain", "fgsm_error_rate@0.25"): (89.4, EXPLAINING),
        ("sign noise", "fgsm_error_rate@0.25"): (86.2, EXPLAINING),
        ("uniform noise", "fgsm_error_rate@0.25"): (90.4, EXPLAINING),
        ("plain -> adversarially trained", "fgsm_error_rate@0.25"): (19.6, EXPLAINING),
        ("adversarially trained -> plain", "fgsm_error_rate@0.25"): (40.9, EXPLAINING),
        ("adversarially trained", "fgsm_confidence_on_mistakes@0.25"): (81.4, EXPLAINING),
    },
    "attack_comparison": {
        ("jsma, every class, 14.5% of the pixels", "success_rate"): (97, "Papernot et al. 2016b"),
        ("jsma", "mean_l0"): (4, "Papernot et al. 2016b"),
    },
    "black_box": {
        ("convolutional, convolutional substitute", "error_rate@0.3"): (
            84.24,
            "Papernot et al. 2016a",
        ),
    },
    "conditional_gan": {("generator", "parzen"): (132, "Mirza and Osindero 2014")},
    "defenses": {
        ("ensemble", "fgsm_error_rate@0.25"): (91.1, EXPLAINING),
        ("ensemble, through one member", "fgsm_error_rate@0.25"): (87.9, EXPLAINING),
    },
    "gan_samples": {("generator", "parzen"): (225, "Goodfellow et al. 2014a")},
    "rubbish": {
        ("maxout", "confident_rate@gaussian"): (98.35, EXPLAINING),
        ("maxout", "mean_confidence@gaussian"): (92.8, EXPLAINING),
    },
    "same_mistake": {("maxout -> softmax_regression", "same_class@0.25"): (84.6, EXPLAINING)},
    "virtual_adversarial_training": {
        ("virtual adversarial, 100 labels", "clean_error_rate"): (2.1, "Miyato et al. 2015"),
        ("virtual adversarial, all labels", "clean_error_rate"): (0.64, "Miyato et al. 2015"),
    },
}
"""Figures of other papers, and of which, transcribed a second time."""


@pytest.mark.parametrize("experiment", choices()["experiment"])
def test_transcribed_figures_match_the_chapter(experiment: str) -> None:
    config, _ = composed([f"experiment={experiment}"])
    listed = config.get("rows") or []
    figures = {(r["row"], r["metric"]): r["chapter"] for r in listed if "chapter" in r}
    assert figures == CHAPTER.get(experiment, {})
    listed_set = {(experiment, r["row"], r["metric"]) for r in listed if r.get("set")}
    assert listed_set == {place for place in SET if place[0] == experiment}
    papers = {
        (r["row"], r["metric"]): (r["published"], r["source"]) for r in listed if "published" in r
    }
    assert papers == PUBLISHED.get(experiment, {})
    claims = {c["claim"] for c in config.get("claims") or []}
    assert {r["direction"] for r in listed if "direction" in r} <= claims
