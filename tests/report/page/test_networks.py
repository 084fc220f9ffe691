"""Networks of the page: which file is which, 8 bits a weight, and what is said where one lacks."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import save_file

from advx.cli.report import write_page
from advx.data import mnist, mnist5k
from advx.errors import ConfigError
from advx.report.page.explorers.digits import EACH, digits_of_sheet
from advx.report.page.networks import (
    ADVERSARIAL,
    KINDS,
    MAXOUT,
    PLAIN,
    SMOOTHING,
    SOFTMAX,
    Refused,
    dense,
    network_of,
    networks_in,
    quantized,
    targets_of,
)
from advx.report.page.render import page
from advx.report.pages import SUMMARY
from advx.report.selection import select
from tests.paths import REFERENCE
from tests.report.page.parsed import parsed
from tests.report.page.trained import dequantized, module_of, write_network


def test_networks_are_known_by_what_their_files_say(models, tmp_path) -> None:
    for at, path in enumerate(sorted(models.iterdir())):
        shutil.copy(path, tmp_path / f"{9 - at}.safetensors")
    found = networks_in(tmp_path)
    assert {kind: one.path.name[0] for kind, one in found.found.items()} == {
        "softmax": "9", "plain": "8", "smoothed": "7", "adversarial": "6"
    }  # fmt: skip
    assert (found.missing, found.refused) == ("", [])
    assert found.found["smoothed"].targets == pytest.approx((0.9, 0.01))
    assert found.found["plain"].targets == (1, 0)
    assert [layer.pieces for layer in found.found["plain"].layers] == [3, 3, 1]


@pytest.mark.parametrize(
    ("target", "defense", "said"),
    [
        ("advx.models.relu.ReLUNetwork", {"_target_": PLAIN}, "ReLUNetwork, NoDefense; valid: "),
        (SOFTMAX, {"_target_": SMOOTHING}, "SoftmaxRegression, LabelSmoothing; valid: "),
        (MAXOUT, {"_target_": ADVERSARIAL, "perturbation": "sign_noise"}, "AdversarialTraining; "),
        (MAXOUT, {"_target_": ADVERSARIAL, "steps": 7}, "AdversarialTraining; "),
        (MAXOUT, {}, "MaxoutNetwork, of no name; valid: "),
    ],
)
def test_other_networks_are_refused(tmp_path, target, defense, said) -> None:
    path = tmp_path / "plain.safetensors"
    write_network(path, module_of(MAXOUT), target, defense)
    refused(path, said)


def refused(path: Path, said: str) -> None:
    with pytest.raises(Refused) as why:
        network_of(path)
    assert said in str(why.value)
    assert "\n" not in str(why.value)
    found = networks_in(path.parent)
    assert found.refused == [str(why.value)]
    assert str(path.parent) in found.missing


def test_damaged_files_and_other_shapes_are_refused(tmp_path) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(b"no weights at all")
    refused(path, "valid: what advx store export writes")
    save_file({"linear.weight": torch.zeros(10, 784)}, path)
    refused(path, "of no name")
    for wrong in ("wide", "infinite", "more"):
        module = module_of(MAXOUT)
        if wrong == "wide":
            module.layers[1] = torch.nn.Linear(700, 69)
        elif wrong == "infinite":
            module.layers[3].weight.data[0, 0] = torch.inf
        else:
            module.register_buffer("more", torch.zeros(2))
        write_network(path, module, MAXOUT, {"_target_": PLAIN})
        refused(path, "do not lead from 784 pixels to 10 classes")


def test_the_second_file_of_a_network_is_refused(models, tmp_path) -> None:
    for name in ("a", "b"):
        shutil.copy(sorted(models.iterdir())[1], tmp_path / f"{name}.safetensors")
    found = networks_in(tmp_path)
    assert found.found["plain"].path.name == "a.safetensors"
    second = tmp_path / "b.safetensors"
    assert found.refused == [f"{second}: the maxout network is in a.safetensors"]
    assert found.missing.endswith(
        "lacks: softmax regression; maxout network, labels smoothed; "
        "maxout network, adversarially trained"
    )


def test_weights_are_within_half_a_step(models) -> None:
    generator = np.random.default_rng(0)
    weight = generator.normal(size=(6, 50)).astype(np.float32) * 10.0 ** np.arange(-3, 3)[:, None]
    weight[2] = 0
    layer = quantized(weight, np.arange(6.0), 2)
    assert layer.weights.dtype == np.int8
    assert (np.abs(layer.weights.astype(int)).max(1) == [127, 127, 0, 127, 127, 127]).all()
    assert (np.abs(layer.dequantized - weight) <= 0.5001 * layer.scales[:, None]).all()
    assert (layer.bias == np.arange(6)).all()


def test_eight_bits_say_what_floats_say(models, record_property, capsys) -> None:
    """On the test digits of mnist5k; at least 99 of 100."""
    images = mnist5k.load().test.images
    for kind, network in networks_in(models).found.items():
        state = {
            name: torch.from_numpy(value.astype(np.float32))
            for name, value in weights_in(network.path).items()
        }
        module = dequantized(network)
        with torch.no_grad():
            short = module(images).argmax(1)
            module.load_state_dict(state)
            agreement = 100 * (module(images).argmax(1) == short).double().mean().item()
        record_property(f"agreement_{kind}", agreement)
        with capsys.disabled():
            print(f"\n{kind}: 8 bits and half precision agree on {agreement:.1f}% of the digits")
        assert agreement >= 99


def weights_in(path: Path) -> dict[str, np.ndarray]:
    from safetensors.numpy import load_file

    return load_file(path)


def test_the_targets_are_those_of_the_defense() -> None:
    assert targets_of("smoothed", {"smoothing": 0.2}) == pytest.approx((0.8, 0.02))
    given = {"_target_": SMOOTHING, "smoothing": 0.1, "convention": "other_classes"}
    assert targets_of("smoothed", given) == pytest.approx((0.9, 0.1 / 9))
    assert targets_of("adversarial", {"epsilon": 0.25}) == (1, 0)


@pytest.mark.parametrize("count", [0, 1, 12, 13, 1000])
def test_dense_text_is_the_number_that_the_bytes_are(count) -> None:
    content = np.random.default_rng(count).integers(0, 256, count, dtype=np.uint8).tobytes()
    text = dense(content)
    alphabet = [chr(code) for code in range(33, 127) if chr(code) not in '"&<']
    total = 0
    for at in range(0, len(text), 2):
        low, high = (alphabet.index(letter) for letter in text[at : at + 2])
        total |= (low + 91 * high) << (13 * at // 2)
    assert total == int.from_bytes(content, "little")
    assert len(text) == 2 * -(-8 * count // 13)


@pytest.mark.skipif("ADVX_DATA" not in os.environ, reason="ADVX_DATA is not set")
def test_the_sheet_holds_test_digits() -> None:
    test = mnist.load(data_dir=os.environ["ADVX_DATA"], train=1, validation=1).test
    first = [(test.labels == k).nonzero()[:EACH, 0] for k in range(10)]
    images = (255 * test.images[torch.cat(first)]).round().byte()
    assert np.array_equal(digits_of_sheet(), images[:, 0].numpy())


def page_of(models: Path | None) -> str:
    return page(select([REFERENCE / "label_smoothing"], SUMMARY), models)


def test_without_its_networks_the_explorer_is_left_out(models, tmp_path) -> None:
    partly = tmp_path / "models"
    partly.mkdir()
    for path in sorted(models.iterdir())[:3]:
        shutil.copy(path, partly)
    other = partly / "other.safetensors"
    write_network(other, module_of(MAXOUT), "advx.models.relu.ReLUNetwork", {"_target_": PLAIN})
    for folder, said in (
        (tmp_path / "none", f"{tmp_path / 'none'} holds none of its networks"),
        (partly, f"{partly} lacks: maxout network, adversarially trained"),
        (None, ""),
    ):
        root = parsed(page_of(folder))
        assert not root.all("section", id="digits")
        assert not root.all("a", href="#digits")
        (about,) = root.all("section", id="about")
        assert (said in about.words) == bool(said or folder is None)
        assert ("is left out:" in about.words) == (folder is not None)
        assert (f"{other}: ReLUNetwork, NoDefense; valid:" in about.words) == (folder == partly)


def test_the_page_holds_the_networks_and_the_errors_of_the_runs(models) -> None:
    root = parsed(page_of(models))
    (section,) = root.all("section", id="digits")
    (block,) = root.all("script", id="data-digits")
    data = json.loads(block.text)
    assert set(data["networks"]) == set(KINDS)
    assert sorted(data["labels"]) == sorted(list(range(10)) * 10)
    assert data["labels"][:10] == list(range(10))
    shown = [[cell.words for cell in row.inside] for row in section.all("tbody")[0].all("tr")]
    numbers = pd.read_csv(REFERENCE / "label_smoothing" / "summary.csv")
    rates = numbers[numbers.setting.isna() & numbers.epsilon.isna()]
    expected = []
    for name, row in (("maxout network", "hard"), (KINDS["smoothed"][0], "smoothed")):
        some = rates[rates.row == f"{row} targets"].set_index("metric")
        cells = [name]
        for metric in ("clean_error_rate", "fgsm_error_rate", "strongest_error_rate"):
            chapter = some.chapter[metric]
            cells.append(
                f"{some['mean'][metric]:.2f}" + (f" ({chapter:g})" if chapter == chapter else "")
            )
        expected.append([*cells, "3", "10,000"])
    assert shown == expected


def test_a_folder_that_is_not_there_is_said(tmp_path) -> None:
    with pytest.raises(ConfigError, match=r"models=.*nowhere: no such folder; valid: "):
        write_page([REFERENCE], tmp_path, tmp_path / "p.html", None, tmp_path / "nowhere")
