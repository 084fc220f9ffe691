"""The figures of the games: from their arrays alone, fit for a page, with a title that is true."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from advx.experiments import (
    conditional_gan,
    dcgan_samples,
    gan_samples,
    laplacian_gan,
    laplacian_gan_causes,
)
from advx.figures import arithmetic, collapse, predictive, pyplot, theory
from advx.figures.samples import beside_nearest, tiled
from advx.figures.saved import redraw, save
from advx.report.over_seeds import Numbers
from advx.report.results import Row
from tests.pages import recorded
from tests.paths import REFERENCE

FILES = {
    "gan_theory": ["gan_theory"],
    "gan_collapse": ["gan_collapse", "points"],
    "gan_collapse_stacked": ["gan_collapse", "images"],
    "gan_samples": ["samples"],
    "conditional_gan": ["conditional_gan"],
    "dcgan_samples": ["dcgan_samples"],
    "laplacian_gan": ["laplacian_gan"],
    "latent_arithmetic": ["latent_arithmetic", "success"],
}

PLACES = ["neither", "in G", "in D", "in both"]


def kept(name: str) -> tuple[dict[str, np.ndarray], dict]:
    """Arrays and options of a reference run."""
    with np.load(REFERENCE / name / "arrays.npz") as file:
        arrays = {key: file[key] for key in file.files}
    arrays.pop("drawn_by")
    return arrays, json.loads(str(arrays.pop("options")))


def rows(name: str) -> list[dict[str, str]]:
    with (REFERENCE / name / "results.csv").open(encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def values(name: str, row: str, metric: str, setting: str = "") -> list[float]:
    """Of the seeds, in their order."""
    cell = {"row": row, "metric": metric, "setting": setting}
    return [float(r["value"]) for r in rows(name) if cell.items() <= r.items()]


def means(name: str) -> Numbers:
    """The means over the seeds of a reference run."""
    keys = {(r["row"], r["metric"], r["setting"]) for r in rows(name)}
    return numbers({key: float(np.mean(values(name, *key))) for key in keys})


def numbers(found: dict[tuple[str, ...], float]) -> Numbers:
    """One number each, by row, metric and perhaps setting."""
    return Numbers(
        Row("e", row, metric, None, "".join(setting), 0, value)
        for (row, metric, *setting), value in found.items()
    )


def theory_arrays(seeds: int = 2) -> tuple[dict[str, np.ndarray], dict]:
    x = np.linspace(-3, 3, 200)
    p, q = np.exp(-(x**2)), np.exp(-((x - 1) ** 2) / 2) / 2
    arrays = {
        "x_far": x,
        "p_far": p,
        "q_far": q,
        "best_far": p / (p + q),
        "output_far": p / (p + q) + 0.01,
    }
    for k in (1, 5):
        arrays[f"divergence_k = {k}"] = np.linspace(0.6, 0.1 / k, 20)
        arrays[f"ends_k = {k}"] = np.full(seeds, 0.1 / k)
    games = {"updates": {"k = 1": "one", "k = 5": "five"}}
    return arrays, {"generators": ["far"], "games": games, "most": 0.69, "provenance": "p"}


def collapse_arrays(images: bool) -> tuple[dict[str, np.ndarray], dict]:
    columns = ["a, k = 1"] if images else ["a, k = 1", "b, k = 1"]
    arrays: dict[str, np.ndarray] = {"epochs": np.arange(5)}
    seeds = 1 if images else 3
    for index, place in enumerate(PLACES):
        for column in columns:
            arrays[f"grown_{place}, {column}"] = np.full((seeds, 5), 2.0 * index)
            arrays[f"ends_{place}, {column}"] = np.full(seeds, 2.0 * index)
            arrays[f"inside_{place}, {column}"] = np.full(seeds, 25.0 * index)
        if images:
            arrays[f"images_{place}"] = np.full((16, 3, 6, 6), 80 * index, np.uint8)
        else:
            arrays[f"points_{place}"] = np.random.default_rng(0).normal(size=(5, 50, 2))
    if not images:
        arrays["points_in both"] = arrays["points_in both"] + [0, -40]
    shape = (16, 3, 6, 6) if images else (40, 2)
    arrays["data"] = np.random.default_rng(1).integers(0, 256 if images else 3, shape)
    arrays["data"] = arrays["data"].astype(np.uint8 if images else np.float32)
    return arrays, {
        "places": PLACES,
        "columns": columns,
        "count": 8,
        "counted": [100, 1000],
        "inside": "near one",
        "shown": columns[0],
        "provenance": "p",
    }


def arithmetic_arrays() -> tuple[dict[str, np.ndarray], dict]:
    random = np.random.default_rng(0)
    arrays = {"averaged": np.array([1, 3, 10])}
    for suffix, share in (("", 80.0), (", never", 20.0)):
        arrays[f"faces{suffix}"] = random.integers(0, 256, (16, 3, 6, 6)).astype(np.uint8)
        arrays[f"right{suffix}"] = np.array([True, False, True, True])
        for k, name in enumerate(("sum", "rescaled", "other")):
            arrays[f"{name}{suffix}"] = np.array([[share - 9, share - 2 * k, 0.0]] * 2)
    games = {"": "G knows it", ", never": "G never saw it"}
    return arrays, {
        "games": games,
        "sums": ["sum", "rescaled", "other"],
        "shown": 3,
        "names": ["a, b", "a", "c", "b, c"],
        "provenance": "p",
    }


def samples_arrays() -> tuple[dict[str, np.ndarray], dict]:
    arrays = {"made": np.random.default_rng(0).integers(0, 256, (8, 1, 5, 5)).astype(np.uint8)}
    panel = {
        "array": "made",
        "columns": 4,
        "caption": "c",
        "left": ["one", "two"],
        "right": ["1%", "2%"],
    }
    return arrays, {"name": "sheet", "panels": [panel], "finding": "f", "provenance": "p"}


def predictive_arrays() -> tuple[dict[str, np.ndarray], dict]:
    """Heads in color, of two networks; two curves, of which one lacks a seed's number."""
    random = np.random.default_rng(0)
    arrays = {name: random.integers(0, 256, (5, 3, 16, 16)).astype(np.uint8) for name in ("a", "b")}
    arrays |= {"ears": random.uniform(0, 16, (5, 2)), "weights": np.array([0, 1e-3, 1e-2])}
    arrays |= {f"hits {under}": random.uniform(0, 100, (2, 3)) for under in ("", "short")}
    arrays["hits short"][1, 2] = np.nan
    options = {
        "rows": {"a": "target", "b": "squared error"},
        "measures": {"hits": "Hits (%)", "auc": "Area"},
        "settings": {"": "long", "short": "short"},
        "findings": ["f", "g"],
        "provenance": "p",
    }
    return arrays, options


KINDS = {
    "predictive": (predictive_arrays, ["predictive_gan", "weights"]),
    "theory": (theory_arrays, ["gan_theory"]),
    "collapse": (lambda: collapse_arrays(images=False), ["gan_collapse", "points"]),
    "collapse of images": (lambda: collapse_arrays(images=True), ["gan_collapse", "images"]),
    "arithmetic": (arithmetic_arrays, ["latent_arithmetic", "success"]),
    "samples": (samples_arrays, ["sheet"]),
}


def read(folder: Path) -> dict[str, bytes]:
    """All figures of a folder."""
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.suffix in (".png", ".pdf")}


def check_page(folder: Path, names: list[str]) -> list[str]:
    """Draw a folder's figures twice, to the same bytes; nothing is wrong with the page.

    Returns:
        all words on them.
    """
    with recorded() as seen:
        redraw(folder)
    assert seen.faults == []
    assert len(seen.words) >= 2 * len(names)
    before = read(folder)
    assert set(before) == {f"{name}.{kind}" for name in names for kind in ("png", "pdf")}
    redraw(folder)
    assert read(folder) == before
    return [word for words in seen.words for word in words]


@pytest.mark.parametrize("kind", KINDS)
def test_a_games_figure_is_drawn_again_to_the_same_bytes_and_fits_the_page(kind, tmp_path) -> None:
    make, names = KINDS[kind]
    arrays, options = make()
    save(tmp_path, kind.split()[0], arrays, options)
    check_page(tmp_path, names)


@pytest.mark.parametrize("name", FILES)
def test_the_references_figures_come_back_from_their_arrays(name, tmp_path) -> None:
    (tmp_path / "arrays.npz").write_bytes((REFERENCE / name / "arrays.npz").read_bytes())
    words = check_page(tmp_path, FILES[name])
    _, options = kept(name)
    footer = " ".join(" ".join(words).split())
    assert options["provenance"] in footer
    for file in FILES[name]:
        assert (REFERENCE / name / f"{file}.png").is_file()
        assert (REFERENCE / name / f"{file}.pdf").is_file()


def test_what_the_references_figures_draw_stands_in_their_rows() -> None:
    arrays, options = kept("gan_theory")
    for lines in options["games"].values():
        for game in lines:
            assert arrays[f"ends_{game}"] == pytest.approx(values("gan_theory", game, "divergence"))
    for name in ("gan_collapse", "gan_collapse_stacked"):
        arrays, options = kept(name)
        for place in options["places"]:
            for column in options["columns"]:
                row = f"{place}, {column}"
                for array, metric in (("ends", "modes"), ("inside", "high_quality")):
                    assert arrays[f"{array}_{row}"] == pytest.approx(values(name, row, metric))
    name = "latent_arithmetic"
    arrays, options = kept(name)
    for row in (sum_ + suffix for sum_ in options["sums"] for suffix in options["games"]):
        for k, count in enumerate(arrays["averaged"]):
            found = values(name, row, "target_class", f"averaged={count}")
            assert arrays[row][:, k] == pytest.approx(found, abs=1e-4)


def test_the_titles_of_the_references_sheets_are_those_of_their_rows() -> None:
    digits = [str(k) for k in range(10)]
    made = Numbers(
        Row("e", r["row"], r["metric"], None, r["setting"], int(r["seed"] or 0), float(r["value"]))
        for r in rows("conditional_gan")
    )
    assert kept("conditional_gan")[1]["finding"] == conditional_gan.finding(made, 10_000, digits)
    assert kept("conditional_gan")[1]["panels"] == [conditional_gan.panel(made, digits)]
    for name, module in (
        ("gan_samples", gan_samples),
        ("dcgan_samples", dcgan_samples),
        ("laplacian_gan", laplacian_gan),
    ):
        assert kept(name)[1]["finding"] == module.finding(means(name))


def test_titles_without_a_floor_say_nothing_of_it() -> None:
    shown = {("generator", "confident_rate"): 40.0, ("generator", "two_sample_accuracy"): 90.0}
    found = numbers(shown)
    assert gan_samples.finding(found) == (
        "A classifier is confident of 40% of the generated images, and a second one tells them "
        "from real images in 90% of cases"
    )
    assert (
        dcgan_samples.finding(found) == "A classifier is confident of 40% of the generated images"
    )
    found = numbers(shown | {("validation images", "confident_rate"): 97.6})
    assert "confident of 40% of the generated images (real ones: 98%)" in gan_samples.finding(found)
    metric = "frechet_classifier_distance"
    found = numbers({("pyramid", metric): 400.0, ("finest level on real images", metric): 7.34})
    assert laplacian_gan.finding(found).endswith("of 7.34 from the data, the whole pyramid at 400")
    rates = {"": 50.0, "class=a": 80.0, "class=b": 20.0}
    found = numbers({("generator", "asked_for", which): rate for which, rate in rates.items()})
    assert conditional_gan.finding(found, 1000, ["a", "b"]) == (
        "The generator makes the class that it is asked for in 50.0% of 1,000 images: at worst in "
        "20.0% (b), at best in 80.0% (a)"
    )
    second = [
        Row("e", "generator", "asked_for", None, which, 1, rate / 2)
        for which, rate in rates.items()
    ]
    first = [
        Row("e", "generator", "asked_for", None, which, 0, rate) for which, rate in rates.items()
    ]
    assert conditional_gan.finding(Numbers(second + first), 1000, ["a", "b"]) == (
        "The generator makes the class that it is asked for in 50.0% and 25.0% of 1,000 images, by "
        "seed; the first at worst in 20.0% (b), at best in 80.0% (a)"
    )
    assert conditional_gan.panel(Numbers(second + first), ["a", "b"])["right"] == ["80.0%", "20.0%"]


def test_the_title_of_the_pyramids_causes_names_each() -> None:
    rows = {
        "single game": 80.0,
        "pyramid": 400.0,
        "pyramid on real thumbnails": 50.0,
        "class-conditional pyramid": 300.0,
        "wide pyramid": 200.0,
    }
    distances = {(row, "frechet_classifier_distance"): value for row, value in rows.items()}
    assert laplacian_gan_causes.finding(numbers(distances)) == (
        "A single game ends at a Fréchet distance of 80 from the data, the pyramid at 400; on real "
        "thumbnails it ends at 50, with the class at 300, with more filters at 200"
    )


def test_the_title_of_theory_follows_the_games() -> None:
    arrays, options = theory_arrays()
    title = theory.finding(arrays, options["generators"], options["games"])
    assert title.startswith("D alone comes within 0.0")
    assert title.endswith(
        "the more updates D gets for one of G, the nearer G comes to the data (c): "
        "0.1 nats with one, 0.02 with five"
    )
    arrays["ends_k = 5"] = np.array([0.3, np.nan])
    title = theory.finding(arrays, [], options["games"])
    assert title == (
        "G does not come the nearer to the data, the more updates D gets for one of "
        "G (b): 0.3 nats with five, 0.1 with one"
    )
    assert theory.finding({}, [], options["games"]) == "A game on a line"


def test_curves_of_collapse_have_a_band_from_the_smallest_seed_to_the_largest() -> None:
    arrays, options = collapse_arrays(images=False)
    name, count = options["columns"][0], options["count"]
    grown = np.array([[0.0, 1, 2, 3, 4], [0, 2, 4, 6, 8], [0, 3, 3, 3, 3]])
    arrays[f"grown_neither, {name}"] = grown
    figure, axis = pyplot.subplots()
    collapse.over_time(axis, arrays, PLACES[:1], name, count, 100)
    (band,) = axis.collections
    reached = band.get_paths()[0].vertices
    for epoch in range(5):
        found = reached[reached[:, 0] == epoch, 1]
        assert (found.min(), found.max()) == (grown[:, epoch].min(), grown[:, epoch].max())
    assert list(axis.lines[0].get_ydata()) == list(grown.mean(0))
    pyplot.close(figure)


def test_the_title_of_collapse_counts_the_games() -> None:
    arrays, options = collapse_arrays(images=False)
    arrays["ends_in both, b, k = 1"] = np.array([0.0, 0.0, 1.0])
    arrays["ends_neither, b, k = 1"] = np.array([4.0, 4.0, 5.0])
    assert collapse.finding(arrays, PLACES, options["columns"], 8) == (
        "Batch normalization in both networks leaves G more of the 8 modes in 1 of 2 games and "
        "fewer in 1: 6.0 instead of 0.0 (a, k = 1); 0.3 instead of 4.3 (b, k = 1)"
    )
    for place in ("in both", "neither"):
        arrays[f"inside_{place}, b, k = 1"] = np.array([0.5, 0.0, 0.2])
    assert collapse.finding(arrays, PLACES, [*options["columns"], "c, k = 1"], 8) == (
        "With batch normalization in both networks G ends with 6.0 of 8 modes, without it with 0.0"
    )
    for place in ("in both", "neither"):
        for kept in ("ends", "inside"):
            arrays[f"{kept}_{place}, c, k = 1"] = arrays[f"{kept}_{place}, a, k = 1"]
    assert collapse.finding(arrays, PLACES, [*options["columns"], "c, k = 1"], 8) == (
        "Batch normalization in both networks leaves G more of the 8 modes in 2 of 2 games and "
        "fewer in 0: 6.0 instead of 0.0 (a, k = 1). In 1 more hardly a point lies in a mode"
    )
    arrays, options = collapse_arrays(images=True)
    assert collapse.finding(arrays, PLACES, options["columns"], 1000) == (
        "With batch normalization in both networks G ends with 6 of 1,000 modes, without it with 0"
    )
    captions = [panel["caption"] for panel in collapse.image_panels(arrays, PLACES, "a, k = 1", 8)]
    assert (
        captions[0] == "Batch normalization in neither: 0 of 8 modes; all images are alike, black"
    )
    assert captions[1] == "Batch normalization in G: 2 of 8 modes; all images are alike"
    arrays["images_in G"] = arrays["data"]
    captions = [panel["caption"] for panel in collapse.image_panels(arrays, PLACES, "a, k = 1", 8)]
    assert captions[1].endswith("the images vary 100% as much as the data")


def test_points_that_lie_outside_are_pointed_at(tmp_path) -> None:
    arrays, options = collapse_arrays(images=False)
    with recorded() as seen:
        collapse.draw(tmp_path, arrays, **options)
    (words, *_) = [page for page in seen.words if any(w.startswith("epoch ") for w in page)]
    outside = [word for word in words if word.startswith("all outside")]
    assert len(outside) == 5
    assert all(word.splitlines()[1] == "(0, −40)" for word in outside)


def test_the_titles_of_arithmetic_say_what_was_reached() -> None:
    arrays, options = arithmetic_arrays()
    games, sums = options["games"], options["sums"]
    assert arithmetic.at_count(arrays, games, "sum", "b", 3) == (
        "A classifier sees “b” in 80% of the sums sum (3 averaged z each) if G knows it, in 20% if "
        "G never saw it"
    )
    assert arithmetic.best(arrays, games, sums, "b") == (
        "Sums of z give “b” in up to 80% (rescaled: 78%) if G knows it, in up to 20% (rescaled: "
        "18%) if G never saw it"
    )
    arrays["sum"] = np.full((2, 3), np.nan)
    del arrays["rescaled"]
    assert arithmetic.best(arrays, games, sums, "b").startswith("Sums of z give “b” in up to 20%")
    assert arithmetic.best({"averaged": np.array([1])}, games, sums, "b").startswith("No sum")


def test_the_evaluators_marks_stand_beside_the_sums(tmp_path) -> None:
    arrays, options = arithmetic_arrays()
    with recorded() as seen:
        arithmetic.draw(tmp_path, arrays, **options)
    (words, *_) = [page for page in seen.words if "=" in page]
    assert (words.count("✓"), words.count("✗")) == (6, 2)
    assert (words.count("−"), words.count("+"), words.count("=")) == (8, 8, 8)
    unmarked = {key: array for key, array in arrays.items() if not key.startswith("right")}
    with recorded() as seen:
        arithmetic.draw(tmp_path, unmarked, **options)
    assert not any("✓" in word for page in seen.words for word in page)


def test_samples_stand_above_the_training_images_nearest_to_them() -> None:
    fake = torch.arange(100).view(100, 1, 1, 1) / 255
    nearest = torch.arange(100, 130).view(30, 1, 1, 1) / 255
    arrays, panels = beside_nearest(fake, nearest)
    grid = tiled(arrays["pairs"], panels[1]["columns"], gap=0) * 255
    assert grid.shape == (4, 15)
    assert (grid[::2].round() == np.arange(30).reshape(2, 15)).all()
    assert (grid[1::2].round() == np.arange(100, 130).reshape(2, 15)).all()
    assert len(panels[1]["left"]) == 4


def test_ears_are_enlarged_where_they_are() -> None:
    """A bright pixel lies in its crop, also where it is in a corner."""
    images = np.zeros((3, 1, 10, 10), np.uint8)
    places = np.array([(0, 0), (9, 4), (5, 5)])
    for image, (y, x) in zip(images, places, strict=True):
        image[0, y, x] = 255
    found = predictive.enlarged(images, places.astype(float))
    assert found.shape == (3, 1, 4, 4)
    assert (found.max((1, 2, 3)) == 255).all()
