"""Rendered faces: the geometry, and that attributes are what they are called."""

import math

import pytest
import torch

from advx.data import faces
from advx.errors import ConfigError


def test_distances_of_the_parts() -> None:
    p = torch.randn(200, 3)
    ball = faces.ellipsoid(p, (0.1, 0.2, 0.3), (0.5, 0.5, 0.5))
    torch.testing.assert_close(ball, (p - torch.tensor([0.1, 0.2, 0.3])).norm(dim=1) - 0.5)
    stretched = faces.ellipsoid(p, (0, 0, 0), (0.6, 0.8, 0.7))
    outside = (p / torch.tensor([0.6, 0.8, 0.7])).norm(dim=1) > 1
    assert ((stretched > 0) == outside).all()
    a, b = torch.tensor([0.0, -1, 0]), torch.tensor([0.5, 1, 0.2])
    line = torch.stack([a + t * (b - a) for t in torch.linspace(0, 1, 2001)])
    brute = torch.cdist(p, line).amin(1) - 0.2
    found = faces.capsule(p, tuple(a.tolist()), tuple(b.tolist()), 0.2)
    torch.testing.assert_close(found, brute, atol=1e-3, rtol=0)
    angles = torch.linspace(0, 2 * math.pi, 2001)
    ring = torch.stack([0.4 * angles.cos(), 0.4 * angles.sin(), torch.full((2001,), 0.1)], 1)
    brute = torch.cdist(p, ring).amin(1) - 0.05
    torch.testing.assert_close(faces.torus(p, (0, 0, 0.1), 0.4, 0.05), brute, atol=1e-3, rtol=0)


def test_rotations_are_rotations() -> None:
    turn = faces.rotation(torch.tensor([0.3, -0.4]), torch.tensor([0.1, 0.0]))
    torch.testing.assert_close(turn @ turn.transpose(1, 2), torch.eye(3).expand(2, 3, 3))
    torch.testing.assert_close(torch.linalg.det(turn), torch.ones(2))


def test_a_face_does_not_depend_on_its_neighbors() -> None:
    drawn = faces.drawn_traits(6, seed=5)
    traits = {k: v.double() if v.is_floating_point() else v for k, v in drawn.items()}
    whole = faces.render(traits, 16)
    assert whole.shape == (6, 3, 16, 16)
    assert 0 <= whole.min() < whole.max() <= 1
    for i in range(6):
        one = faces.render({k: v[i : i + 1] for k, v in traits.items()}, 16)
        torch.testing.assert_close(one[0], whole[i], atol=1e-9, rtol=0)


@pytest.mark.parametrize("attribute", ["glasses", "long"])
def test_an_attribute_changes_its_own_part_only(attribute) -> None:
    traits = faces.drawn_traits(8, seed=1)
    images = [faces.render(traits | {attribute: torch.full((8,), on)}, 32) for on in (False, True)]
    change = (images[1] - images[0]).abs().amax(1)
    rows = change.amax(2) > 0.05
    assert rows.any(1).all(), "it shows on every face"
    if attribute == "glasses":
        assert not rows[:, 24:].any(), "glasses are above the mouth"
    else:
        assert not rows[:, :4].any(), "long hair ends where short hair does at the top"
        assert rows[:, 20:].any(1).all()


def test_the_data_set_is_kept_and_labeled(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("advx.data.files.cache_dir", lambda: tmp_path)
    data = faces.load(side=16, train=40, validation=10, test=10)
    assert data.input_shape == (3, 16, 16)
    traits = faces.drawn_traits(40, seed=0)
    expected = 2 * traits["glasses"].long() + traits["long"].long()
    assert torch.equal(data.train.labels, expected)
    monkeypatch.setattr("advx.data.faces.render", lambda *_: pytest.fail("rendered again"))
    again = faces.load(side=16, train=40, validation=10, test=10)
    assert again.fingerprint == data.fingerprint
    without = faces.load(side=16, train=40, validation=10, test=10, withheld=3)
    assert 3 not in without.train.labels
    assert 3 in without.test.labels
    assert "no long hair, glasses among the training faces" in without.remarks
    with pytest.raises(ConfigError, match=r"withheld=4: no such class"):
        faces.load(side=16, train=40, validation=10, test=10, withheld=4)
