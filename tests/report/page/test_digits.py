"""Draw a digit, slide ε: what the page computes against PyTorch on the same 8-bit weights."""

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from advx.attacks.fgsm import FGSM
from advx.attacks.gradient import evaluated
from advx.attacks.objectives import objective_named
from advx.attacks.pgd import PGD
from advx.data import mnist5k
from advx.defenses.label_smoothing import LabelSmoothing
from advx.report.page.explorers.digits import digits_of_sheet
from advx.report.page.networks import KINDS, networks_in
from tests.report.page.opened import BROWSER, NO_BROWSER, Opened, opening, pixels, slide
from tests.report.page.trained import dequantized

pytestmark = [
    pytest.mark.xdist_group("page"),
    pytest.mark.skipif(not BROWSER, reason=NO_BROWSER),
]

LOAD = """async () => {
  const { networks } = JSON.parse(document.getElementById("data-digits").textContent);
  window.made = {};
  for (const [kind, network] of Object.entries(networks)) {
    const text = document.getElementById(`digits-weights-${kind}`).textContent;
    made[kind] = new Network(network, await inflated(text, network.bytes));
  }
}"""
"""The networks of the page, for a test to call."""

CLEAN = "[data-image=clean]"

COSTS = {"smoothed": LabelSmoothing().cost}
"""Training costs of another direction than the log-odds."""


@pytest.fixture
def opened(browser, explorers_page) -> Iterator[Opened]:
    with opening(browser, explorers_page) as made:
        made.see("#digits")
        made.page.wait_for_selector("#digits[data-shown]")
        yield made


@pytest.fixture(scope="module")
def modules(models) -> dict[str, nn.Module]:
    return {kind: dequantized(one) for kind, one in networks_in(models).found.items()}


@pytest.fixture(scope="module")
def some() -> tuple[Tensor, Tensor]:
    """Test digits, perturbed by noise a little, and their labels."""
    test = mnist5k.load().test
    chosen = torch.randperm(len(test), generator=torch.Generator().manual_seed(0))[:60]
    noise = 0.1 * torch.rand((60, 1, 28, 28), generator=torch.Generator().manual_seed(1))
    return test.images[chosen] + noise, test.labels[chosen]


def called(opened: Opened, script: str, images: Tensor, labels: Tensor, **more: Any) -> Any:
    """What a function of the networks, an image, its label and more gives for every image."""
    given = {"images": images.flatten(1).tolist(), "labels": labels.tolist()} | more
    opened.page.evaluate(LOAD)
    return opened.page.evaluate(
        "(given) => { const act = " + script + "; return given.images.map((image, at) =>"
        " act(Float32Array.from(image), given.labels[at], given)); }",
        given,
    )


def cost_of(kind: str, objective: str) -> Any:
    return objective_named("log_odds") if objective == "log_odds" else COSTS[kind]


@pytest.mark.parametrize("kind", KINDS)
def test_logits_are_pytorchs(opened, modules, some, kind) -> None:
    script = "(x, y, { kind }) => [...made[kind].logits(x)]"
    found = np.array(called(opened, script, *some, kind=kind))
    with torch.no_grad():
        expected = modules[kind](some[0]).double().numpy()
    assert np.abs(found - expected).max() <= 1e-4 * np.abs(expected).max()
    assert (found.argmax(1) == expected.argmax(1)).all()


@pytest.mark.parametrize(
    ("kind", "objective"),
    [*((kind, "log_odds") for kind in KINDS), ("smoothed", "training_cost")],
)
def test_input_gradients_are_pytorchs(opened, modules, some, kind, objective) -> None:
    script = """(x, y, { kind, objective }) => {
      const { value, slope, success } = made[kind].evaluated(x, y, objective);
      return { value, success, slope: [...slope] };
    }"""
    found = called(opened, script, *some, kind=kind, objective=objective)
    logits, values, slopes = evaluated(modules[kind], *some, cost_of(kind, objective))
    assert [one["value"] for one in found] == pytest.approx(values.tolist(), rel=1e-4, abs=1e-4)
    assert [one["success"] for one in found] == (logits.argmax(1) != some[1]).tolist()
    here, there = np.array([one["slope"] for one in found]), slopes.flatten(1).numpy()
    nonzero = there != 0
    assert nonzero.mean() > 0.5
    assert (np.sign(here) == np.sign(there))[nonzero].mean() >= 0.999
    close = np.isclose(here, there, rtol=1e-2, atol=1e-5 * np.abs(there).max())
    assert close.mean() >= 0.999


@pytest.mark.parametrize("clip", [False, True])
@pytest.mark.parametrize(
    ("kind", "objective"), [("plain", "log_odds"), ("smoothed", "training_cost")]
)
def test_one_step_is_the_fast_gradient_sign_method(
    opened, modules, some, kind, objective, clip
) -> None:
    script = "(x, y, given) => [...attack(made[given.kind], x, y, given)]"
    given = {"kind": kind, "objective": objective, "clip": clip, "epsilon": 0.25, "steps": 1}
    some = (some[0].clamp(0, 1), some[1])
    found = np.array(called(opened, script, *some, **given))
    attack = FGSM(
        epsilon=0.25,
        objective=objective,
        clip=(0, 1) if clip else None,
        training_cost=COSTS.get(kind),
    )
    expected = attack(modules[kind], *some).flatten(1).numpy()
    assert (np.abs(found - expected) < 1e-6).mean() >= 0.999


@pytest.mark.parametrize("clip", [False, True])
@pytest.mark.parametrize(
    ("kind", "objective"),
    [*((kind, "log_odds") for kind in KINDS), ("smoothed", "training_cost")],
)
def test_many_steps_find_what_pgd_finds(opened, modules, some, kind, objective, clip) -> None:
    script = "(x, y, given) => [...attack(made[given.kind], x, y, given)]"
    given = {"kind": kind, "objective": objective, "clip": clip, "epsilon": 0.1, "steps": 12}
    images, labels = (some[0][:24].clamp(0, 1), some[1][:24])
    found = torch.tensor(called(opened, script, images, labels, **given)).view_as(images)
    attack = PGD(
        epsilon=0.1,
        objective=objective,
        steps=12,
        random_start=False,
        clip=(0, 1) if clip else None,
        training_cost=COSTS.get(kind),
    )
    expected = attack(modules[kind], images, labels)
    assert (found - images).abs().max() <= 0.1 + 1e-6
    if clip:
        assert 0 <= found.min() <= found.max() <= 1
    with torch.no_grad():
        here, there = (modules[kind](x) for x in (found, expected))
    cost = cost_of(kind, objective)
    values = [cost(logits, labels).numpy() for logits in (here, there)]
    assert np.quantile(np.abs(values[0] - values[1]), 0.8) < 0.02  # a sign may tip another way
    assert values[0].mean() == pytest.approx(values[1].mean(), rel=0.02, abs=0.02)
    assert ((here.argmax(1) != labels) == (there.argmax(1) != labels)).double().mean() >= 0.95


def mnist_form(ink: np.ndarray) -> np.ndarray:
    """The form of MNIST by matrices: the box's sides are integrals, then whole shifts."""
    ink = (ink >= 0.5).astype(float)
    rows, columns = np.flatnonzero(ink.any(1)), np.flatnonzero(ink.any(0))
    ink = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    cell = max(ink.shape) / 20

    def means(length: int) -> np.ndarray:
        edges = np.clip(np.arange(21)[:, None] * cell - np.arange(length), 0, 1)
        return np.diff(edges, axis=0) / cell  # (20, length)

    box = means(ink.shape[0]) @ ink @ means(ink.shape[1]).T
    center = [(box.sum(1 - axis) * np.arange(20)).sum() / box.sum() for axis in (0, 1)]
    made = np.zeros((28 + 40, 28 + 40))
    down, right = (int(np.ceil(13.5 - at - 1e-6)) + 20 for at in center)
    made[down : down + 20, right : right + 20] = box
    return np.round(255 * made[20:48, 20:48]) / 255


def test_a_drawing_gets_the_form_of_mnist(opened) -> None:
    generator = np.random.default_rng(3)
    y, x = np.mgrid[:90, :120]
    shapes = [(np.abs(y - 40) < 3) & (x > 20) & (x < 101), (x - 60) ** 2 + (y - 33) ** 2 < 400]
    shapes += [(np.abs(x - 5) < 4) & (y < 88), (y > 60) & (x < y), generator.random(x.shape) < 0.2]
    one = np.zeros((90, 120), bool)
    one[89, 119] = True
    for ink in [*shapes, one]:
        found = opened.page.evaluate(
            "(ink) => [...mnistForm(Float32Array.from(ink), 120, 90)]",
            (0.9 * ink).ravel().tolist(),
        )
        found = np.array(found).reshape(28, 28)
        assert np.abs(found - mnist_form(0.9 * ink)).max() <= 1.01 / 255
        sides = [np.ptp(np.flatnonzero(found.any(axis))) + 1 for axis in (0, 1)]
        assert max(sides) == 20
        for axis in (0, 1):
            assert 13.5 - 0.02 <= (found.sum(axis) @ np.arange(28)) / found.sum() <= 14.5 + 0.02
    assert opened.page.evaluate("mnistForm(new Float32Array(10800), 120, 90)") is None


def set_to(opened: Opened, **wanted: Any) -> dict[str, Any]:
    """Set the controls, and wait until the answers are those."""
    page = opened.page
    if "epsilon" in wanted:
        slide(page, "[name=digit-epsilon]", wanted["epsilon"])
    if "steps" in wanted:
        slide(page, "[name=digit-steps]", wanted["steps"])
    if "objective" in wanted:
        page.check(f"[name=digit-objective][value={wanted['objective']}]", force=True)
    if "attacked" in wanted:
        page.select_option("[name=digit-attacked]", wanted["attacked"])
    if "clip" in wanted:
        page.set_checked("[name=digit-clip]", wanted["clip"])
    page.wait_for_function(
        "(wanted) => { const shown = JSON.parse(document.querySelector('#digits').dataset.shown);"
        " return Object.entries(wanted).every(([key, value]) => shown[key] === value); }",
        arg=wanted,
    )
    return json.loads(page.locator("#digits").get_attribute("data-shown"))


def check_answers(opened: Opened, modules: dict[str, nn.Module], image: Tensor, label: int) -> None:
    """That the bars and classes are PyTorch's, for the image (1, 1, 28, 28) as it is attacked."""
    page = opened.page
    shown = json.loads(page.locator("#digits").get_attribute("data-shown"))
    attacked = shown.pop("attacked")
    objective = shown["objective"] if attacked == "smoothed" else "log_odds"
    ball = {"epsilon": shown["epsilon"], "objective": objective}
    ball |= {"clip": (0, 1) if shown["clip"] else None, "training_cost": COSTS.get(attacked)}
    one = shown["steps"] == 1
    attack = FGSM(**ball) if one else PGD(**ball, steps=shown["steps"], random_start=False)
    perturbed = attack(modules[attacked], image, torch.tensor([label]))
    for kind, module in modules.items():
        with torch.no_grad():
            before, after = (module(x).softmax(1)[0] for x in (image, perturbed))
        card = page.locator(f"#digits [data-kind={kind}]")
        assert card.get_attribute("data-before") == str(before.argmax().item())
        bars = card.locator(".bars li")
        widths = bars.evaluate_all(
            "all => all.map(({ style }) =>"
            " ['--before', '--after'].map(name => +style.getPropertyValue(name)))"
        )
        assert np.array(widths)[:, 0] == pytest.approx(before.numpy(), abs=2e-3)
        assert np.array(widths)[:, 1] == pytest.approx(after.numpy(), abs=0.02)
        text = card.locator(".answer").text_content()
        assert text.startswith(f"{before.argmax()} (")
        assert f"→ {card.get_attribute('data-after')} (" in text


def test_a_chosen_digit_is_perturbed_and_answered(opened, modules) -> None:
    page = opened.page
    digits = torch.from_numpy(digits_of_sheet()).float().div(255).view(10, 10, 1, 28, 28)
    picks = page.locator(".digits-picks button")
    for at, wanted in (
        (7, {}),
        (3, {"epsilon": 0.1}),
        (9, {"attacked": "plain", "clip": True}),
        (0, {"attacked": "smoothed", "objective": "log_odds", "steps": 8}),
        (4, {"attacked": "softmax", "epsilon": 0.0}),
        (4, {"attacked": "adversarial", "epsilon": 0.3, "steps": 1}),
    ):
        picks.nth(at).focus()
        page.keyboard.press("Enter")
        page.wait_for_selector(f"#digits[data-label='{at}']")
        assert picks.nth(at).get_attribute("aria-pressed") == "true"
        set_to(opened, **wanted)
        check_answers(opened, modules, digits[at, :1], at)


def test_the_counts_are_pythons(opened, modules) -> None:
    page = opened.page
    digits = torch.from_numpy(digits_of_sheet()).float().div(255)[:, None]
    labels = torch.arange(10).repeat_interleave(10)
    for preset, attack in (
        ("cost", FGSM(epsilon=0.15, objective="training_cost", training_cost=COSTS["smoothed"])),
        ("odds", PGD(epsilon=0.15, steps=40, random_start=False)),
    ):
        page.click(f"[data-preset={preset}]")
        page.wait_for_selector(f"[data-preset={preset}][aria-pressed=true]")
        shown = set_to(opened, epsilon=0.15)
        assert shown["attacked"] == "smoothed"
        page.wait_for_function(
            "() => { const { counted, shown } = document.querySelector('#digits').dataset;"
            " return counted === shown; }"
        )
        perturbed = attack(modules["smoothed"], digits, labels)
        for kind, module in modules.items():
            with torch.no_grad():
                errors = (module(perturbed).argmax(1) != labels).sum().item()
            count = page.locator(f"#digits [data-kind={kind}] .count")
            assert abs(int(count.locator("b").text_content()) - errors) <= 1 + (preset == "odds")
            assert count.locator("span").text_content() == "of 100 test digits wrong"


def test_a_drawn_digit_is_answered(opened, modules) -> None:
    page = opened.page
    set_to(opened, clip=True)
    box = opened.see("#digits .pad").bounding_box()

    def place(x: float, y: float) -> tuple[float, float]:
        return box["x"] + x * box["width"], box["y"] + y * box["height"]

    page.mouse.move(*place(0.3, 0.25))
    page.mouse.down()
    for at in ((0.7, 0.25), (0.45, 0.8)):
        page.mouse.move(*place(*at), steps=6)
    page.mouse.up()
    page.mouse.move(*place(0.1, 0.9))  # nothing is drawn with the button up
    page.wait_for_timeout(200)
    levels = pixels(page, CLEAN)[..., 0]
    image = torch.from_numpy(levels).float().div(255).view(1, 1, 28, 28)
    sides = [np.ptp(np.flatnonzero(levels.any(axis))) + 1 for axis in (0, 1)]
    assert max(sides) == 20
    top = np.flatnonzero(levels.any(1))[0]
    assert (levels[top + 1] > 200).sum() > 10  # the bar of the seven
    with torch.no_grad():
        said = modules["smoothed"](image).argmax().item()
    assert page.locator("#digits").get_attribute("data-label") == str(said)
    check_answers(opened, modules, image, said)
    page.select_option("[name=digit-label]", "7")
    page.wait_for_selector("#digits[data-label='7']")
    check_answers(opened, modules, image, 7)
    page.click("#digits .clear")
    page.wait_for_selector("#digits[data-label='']")
    assert not page.locator("#digits .bars").first.is_visible()


def test_a_finger_draws(browser, explorers_page) -> None:
    made = Opened(browser, explorers_page, has_touch=True, viewport={"width": 390, "height": 800})
    made.see("#digits .pad").tap(position={"x": 60, "y": 90})
    made.page.wait_for_selector("#digits[data-shown]")
    made.page.wait_for_function("() => document.querySelector('[name=digit-label]').value === ''")
    made.page.wait_for_timeout(200)
    assert (pixels(made.page, CLEAN) > 200).sum() > 100  # a dot, as large as a digit
    assert made.page.evaluate("document.documentElement.scrollWidth") == 390
    assert made.wrong == []
    made.context.close()
