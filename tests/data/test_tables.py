"""Tables with a protected column: Adult, hiring, and files of one's own."""

import math
import os

import numpy as np
import pytest
import torch

from advx.data import adult, hiring, table
from advx.data.dataset import Dataset, Split
from advx.data.files import offline
from advx.data.hiring import Hiring
from advx.errors import ConfigError, DataError

needs_data = pytest.mark.skipif("ADVX_DATA" not in os.environ, reason="ADVX_DATA is not set")


@needs_data
def test_adult_has_the_counts_of_its_files() -> None:
    """Counted with grep and sort in the publisher's files."""
    data = adult.load(data_dir=os.environ["ADVX_DATA"])
    training = data.merged().train
    assert (len(training), len(data.test)) == (32_561, 16_281)
    assert (int(training.labels.sum()), int(data.test.labels.sum())) == (7_841, 3_846)
    assert data.class_names == ("<=50K", ">50K")
    assert data.group_names == ("Female", "Male")
    assert torch.bincount(training.groups).tolist() == [10_771, 32_561 - 10_771]
    assert torch.bincount(data.test.groups).tolist() == [5_421, 16_281 - 5_421]
    categories = 9 + 16 + 7 + 15 + 6 + 5 + 42  # without gender, missing values being one
    assert data.input_shape == (6 + categories,)
    assert (data.test.images[:, 6:].sum(1) == 7).all()
    assert data.train.images[:, :6].double().mean(0).abs().max() < 1e-4
    assert (data.train.images[:, :6].double().std(0) - 1).abs().max() < 1e-3


@needs_data
def test_adults_first_row_by_hand() -> None:
    """39, State-gov, 77516, Bachelors, 13, Never-married, Adm-clerical, Not-in-family, White."""
    folder = os.environ["ADVX_DATA"]
    data = adult.load(data_dir=folder)
    encoding = table.Encoding.of(
        adult.rows(adult.found(folder) / "adult" / "adult.data")[:26_561].drop(
            columns=["income", "gender"]
        )
    )
    row = dict(zip(encoding.names, data.train.images[0].tolist(), strict=True))
    mean, deviation = encoding.moments["age"]
    assert row["age"] == pytest.approx((39 - mean) / deviation, rel=1e-5)
    assert [name for name, value in row.items() if "=" in name and value == 1] == [
        "workclass=State-gov",
        "education=Bachelors",
        "marital_status=Never-married",
        "occupation=Adm-clerical",
        "relationship=Not-in-family",
        "race=White",
        "native_country=United-States",
    ]
    assert (data.train.labels[0], data.train.groups[0]) == (0, 1)


@needs_data
def test_adult_without_missing_values_and_with_five_groups() -> None:
    folder = os.environ["ADVX_DATA"]
    data = adult.load(data_dir=folder, missing="drop", train=30_000, validation=162)
    assert (len(data.train), len(data.validation), len(data.test)) == (30_000, 162, 15_060)
    by_race = adult.load(data_dir=folder, protected="race", limit={"train": 500, "test": 300})
    assert len(by_race.group_names) == 5
    assert (len(by_race.train), len(by_race.train.groups)) == (500, 500)
    with pytest.raises(ConfigError, match=r"dataset.protected=sex: no such column; .*gender"):
        adult.load(data_dir=folder, protected="sex")
    with pytest.raises(ConfigError, match=r"more than the 32,561 training rows"):
        adult.load(data_dir=folder, train=32_000)


def test_adult_missing_or_damaged_is_one_line(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("ADVX_CACHE", str(tmp_path / "cache"))
    with offline(), pytest.raises(DataError) as missing:
        adult.load(data_dir=str(tmp_path))
    for part in ("adult.data, adult.test", str(tmp_path), adult.SOURCE, "dataset=hiring"):
        assert part in str(missing.value)
    (tmp_path / "adult").mkdir()
    for file in adult.PUBLISHED:
        (tmp_path / "adult" / file).write_text("39, Private\n")
    with pytest.raises(DataError, match=r"has MD5 .* expected 5d7c39d7b8804f071cdd1f2a7c460872"):
        adult.load(data_dir=str(tmp_path))


MODELS = [
    Hiring(),
    Hiring(share=0.5, leak=1.0, bias=1.0, noise=2.0),
    Hiring(share=0.2, leak=0.0, proxies=1, nuisances=0),
]


@pytest.mark.parametrize("model", MODELS)
def test_the_best_guesses_at_hiring_by_a_large_sample(model: Hiring) -> None:
    """The optimal rules, applied to a million applicants, are right as often as the formulas say.

    The rules are written down a second time, from the columns before their rotation.
    """
    n = 1_000_000
    draw = [torch.Generator().manual_seed(9) for _ in range(2)]
    past = model.draw(n, "decisions", draw[0])
    truth = model.draw(n, "qualified", draw[1])
    assert torch.equal(past.images, truth.images)
    columns = past.images @ hiring.rotation(model.columns).T
    k = model.measures
    proxy = columns[:, k : k + model.proxies].sum(1) / math.sqrt(model.proxies)
    skill = columns[:, :k].sum(1) / (k + model.noise**2)
    favored = torch.sigmoid(model.leak * proxy + math.log(model.share / (1 - model.share)))
    spread = math.sqrt(1 - k / (k + model.noise**2))
    up, down = (torch.special.ndtr((skill + s * model.bias) / spread) for s in (1, -1))
    decided = (favored * up + (1 - favored) * down > 0.5).long()
    group = past.groups

    def share(right: torch.Tensor) -> float:
        return right.double().mean().item()

    error = 3 * 0.5 / math.sqrt(n * min(model.share, 1 - model.share))
    best = model.best_guess
    assert share((favored > 0.5) == group) == pytest.approx(model.leakage, abs=error)
    assert share((skill > 0) == truth.labels) == pytest.approx(model.qualified_accuracy, abs=error)
    assert share(decided == past.labels) == pytest.approx(best.decision_accuracy, abs=error)
    assert share(decided == truth.labels) == pytest.approx(best.qualified_accuracy, abs=error)
    for labels, gap in ((past.labels, model.past_gap), (decided, best.gap)):
        found = share(labels[group == 1]) - share(labels[group == 0])
        assert found == pytest.approx(gap, abs=2 * error)


def test_hiring_without_a_leak_has_no_gap_and_decides_better() -> None:
    model = Hiring(leak=3.0, bias=1.0)
    assert model.censored.leakage == model.base_rate == 0.6
    assert model.censored.best_guess.gap == pytest.approx(0, abs=1e-9)
    assert model.censored.best_guess.qualified_accuracy > model.best_guess.qualified_accuracy
    assert model.censored.best_guess.decision_accuracy < model.best_guess.decision_accuracy
    fair = Hiring(bias=0.0).best_guess
    assert fair.decision_accuracy == pytest.approx(Hiring().qualified_accuracy, abs=1e-4)


@pytest.fixture
def people(tmp_path):
    rng = np.random.default_rng(0)
    lines = ["age,zip,color,town,wage"]
    for row in range(60):
        age = "" if row % 10 == 3 else str(20 + row % 30)
        town = ["north", "south", "?", "west"][row % 4]
        lines.append(f"{age},{rng.integers(3)},{'rgb'[row % 3]},{town},{row % 2}")
    path = tmp_path / "people.csv"
    path.write_text("\n".join(lines))
    return path


def test_an_own_table(people) -> None:
    data = table.load(path=str(people), target="wage", protected="color", categorical=("zip",))
    assert (data.name, data.classes, data.group_names) == ("people", 2, ("b", "g", "r"))
    assert [len(s) for s in (data.train, data.validation, data.test)] == [36, 12, 12]
    assert data.input_shape == (1 + 1 + 3 + 4,)  # age, its gaps, three codes, four towns
    assert not data.train.images[data.train.images[:, 1] == 1, 0].any()
    other = table.load(path=str(people), target="wage", protected="town")
    assert "15 rows without wage or town are left out" in other.remarks
    assert sum(len(s) for s in (other.train, other.validation, other.test)) == 45


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"target": "wages"}, "dataset.target=wages: no such column; did you mean wage"),
        ({"protected": "colors"}, "dataset.protected=colors: no such column; did you mean color"),
        ({"protected": "wage"}, "dataset.protected=wage: is the target"),
        ({"protected": "one"}, "dataset.protected=one: has one value only, x"),
        ({"target": "name"}, "dataset.target=name: has 150 different values; valid: a column of 2"),
        ({"training_share": 0.9}, "leave no rows for the test"),
    ],
)
def test_a_column_that_cannot_be_used_is_one_line(options, complaint, tmp_path) -> None:
    path = tmp_path / "rows.csv"
    rows = [f"{i % 2},{'ab'[i % 2]},x,n{i},{i}" for i in range(150)]
    path.write_text("\n".join(["wage,color,one,name,x", *rows]))
    with pytest.raises(ConfigError, match=complaint):
        table.load(**({"path": str(path), "target": "wage", "protected": "color"} | options))


@pytest.mark.parametrize("value", ["inf", "-inf", "1e300", "1e999"])
@pytest.mark.parametrize("part", ["train", "test"])
def test_a_number_that_would_wipe_out_its_column_is_refused(people, part, value) -> None:
    refused(people, part, value)


def test_a_text_in_a_test_row_of_a_column_of_numbers_is_refused(people) -> None:
    refused(people, "test", "old")


def test_a_number_that_standardizing_takes_beyond_float32_is_refused(people) -> None:
    lines = [line.split(",") for line in people.read_text().splitlines()]
    tiny = [lines[0], *([f"{len(x)}e-30", *rest] for x, *rest in lines[1:])]
    people.write_text("\n".join(map(",".join, tiny)))
    refused(people, "test", "1e30")


def refused(path, part: str, value: str) -> None:
    """The line for `value` as the age of the last row of a part, the row before being left out."""
    order = np.random.default_rng(0).permutation(59)
    place = int(order[:35].max() if part == "train" else order[-12:].max())
    row = place + (place >= 5)  # row 5, counted from 0, has no wage
    lines = path.read_text().splitlines()
    lines[6] = lines[6].rsplit(",", 1)[0] + ","
    lines[row + 1] = ",".join([value, *lines[row + 1].split(",")[1:]])
    path.write_text("\n".join(lines))
    text = rf"^dataset\.path={path}: column age, row {row + 1}: {value}; valid in a column of num"
    with pytest.raises(DataError, match=text) as caught:
        table.load(path=str(path), target="wage", protected="color")
    assert "\n" not in str(caught.value)
    table.load(path=str(path), target="wage", protected="color", categorical=("age",))


def test_groups_go_where_their_examples_go() -> None:
    groups = torch.tensor([0, 1, 2, 0, 1, 2])
    split = Split(torch.arange(6.0)[:, None], torch.tensor([0, 0, 0, 1, 1, 1]), groups)
    data = Dataset("rows", 2, split, split, split, group_names=("a", "b", "c"))
    assert split.take(torch.tensor([4, 2])).groups.tolist() == [1, 2]
    assert torch.equal(data.merged().train.groups, groups.repeat(2))
    assert data.half(0).train.groups.tolist() == [0, 2, 0, 2]
    plain = Split(split.images, split.labels)
    assert Dataset("rows", 2, plain, plain, plain).fingerprint != data.fingerprint
    with pytest.raises(DataError, match=r"cannot be read"):
        table.load(path="/nowhere.csv", target="a", protected="b")
