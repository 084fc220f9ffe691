"""Rotating heads and bouncing balls: exact geometry, masks, attributes, the cache."""

import dataclasses

import pytest
import torch

from advx.config.compose import composed
from advx.data import bouncing_balls, head_renderer, heads
from advx.data.ellipsoids import depths, normals
from advx.errors import ConfigError
from advx.run import check


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("advx.data.files.cache_dir", lambda: tmp_path)


def doubled(some: head_renderer.Heads) -> head_renderer.Heads:
    """The same heads in float64."""
    values = {f.name: getattr(some, f.name) for f in dataclasses.fields(some)}
    return head_renderer.Heads(
        **{k: v.double() if v.is_floating_point() else v for k, v in values.items()}
    )


def test_rays_enter_ellipsoids_where_a_walk_along_them_does() -> None:
    """Dense points along every ray: the first one inside, and none inside where it misses."""
    draw = torch.Generator().manual_seed(3)
    n, p, k, fine = 3, 40, 4, 20_001
    eye = torch.tensor([[0.0, 0.0, 3.0]]).double().repeat(n, 1)
    rays = torch.randn(n, p, 3, generator=draw).double() * 0.25
    rays[..., 2] = -1
    centers = torch.randn(n, k, 3, generator=draw).double() * 0.5
    radii = 0.2 + torch.rand(n, k, 3, generator=draw).double() * 0.4
    found = depths(eye, rays, centers, radii)
    t = torch.linspace(0, 8, fine).double()
    hits = 0
    for i in range(n):
        for r in range(p):
            points = eye[i] + t[:, None] * rays[i, r]
            inside = ((points[:, None] - centers[i]) / radii[i]).square().sum(-1) < 1
            for e in range(k):
                entered = inside[:, e].nonzero()
                if len(entered):
                    hits += 1
                    assert found[i, r, e].item() == pytest.approx(t[entered[0]].item(), abs=5e-4)
                elif found[i, r, e].isfinite():  # it only touches, between two points of the walk
                    at = eye[i] + found[i, r, e] * rays[i, r]
                    normal = normals(at[None], centers[i, e][None], radii[i, e][None])[0]
                    assert (normal * rays[i, r]).sum().abs() < 0.05
    assert hits > 50


def test_what_lies_behind_the_eye_is_not_seen() -> None:
    eye, ray = torch.tensor([[0.0, 0.0, 3.0]]), torch.tensor([[[0.0, 0.0, 1.0]]])
    assert depths(eye, ray, torch.zeros(1, 1, 3), torch.ones(1, 1, 3)).isinf().all()
    assert depths(eye, -ray, torch.zeros(1, 1, 3), torch.ones(1, 1, 3)).item() == pytest.approx(2)


def test_normals_point_along_the_gradient() -> None:
    radii = torch.tensor([[0.3, 0.5, 0.9]]).double()
    point = torch.nn.functional.normalize(torch.randn(20, 3).double(), dim=1) * radii
    point.requires_grad_()
    (point / radii).square().sum().backward()
    expected = torch.nn.functional.normalize(point.grad, dim=1)
    torch.testing.assert_close(normals(point.detach(), torch.zeros_like(radii), radii), expected)


@pytest.mark.parametrize("channels", [1, 3])
def test_twins_differ_exactly_in_the_mask(channels) -> None:
    some = doubled(head_renderer.drawn(24, seed=9))
    eared, mask = head_renderer.render(head_renderer.with_ears(some, True), 32, channels)
    earless, none = head_renderer.render(head_renderer.with_ears(some, False), 32, channels)
    assert eared.shape == (24, 6, channels, 32, 32)
    assert 0 <= eared.min() < eared.max() <= 1
    assert torch.equal((eared != earless).any(2), mask)
    assert not none.any()
    assert (mask.flatten(2).sum(2) > 0).all(), "an ear is seen from every side"
    assert 0.01 < mask.double().mean() < 0.06


def test_a_head_does_not_depend_on_its_neighbors() -> None:
    some = doubled(head_renderer.drawn(5, seed=1))
    whole, _ = head_renderer.render(some, 16, 3)
    for i in range(5):
        one, _ = head_renderer.render(some.take(slice(i, i + 1)), 16, 3)
        torch.testing.assert_close(one[0], whole[i], atol=1e-9, rtol=0)


def test_ears_attributes_are_seen() -> None:
    """Larger ears cover more pixels, higher ones lie higher; the head's own part stays."""
    some = dataclasses.replace(head_renderer.drawn(20, seed=4), eared=torch.ones(20).bool())

    def mask(**changed: float) -> torch.Tensor:
        values = {name: torch.full((20,), value) for name, value in changed.items()}
        return head_renderer.render(dataclasses.replace(some, **values), 32, 1)[1].double()

    sizes = [mask(ear_size=s).sum((1, 2, 3)) for s in (0.75, 1.05, 1.35)]
    assert (sizes[0] < sizes[1]).all()
    assert (sizes[1] < sizes[2]).all()
    row = torch.arange(32).double()[:, None]
    placed = [mask(ear_height=height, ear_size=1) for height in (-0.1, 0.1)]
    low, high = ((m * row).sum((1, 2, 3)) / m.sum((1, 2, 3)) for m in placed)
    assert (high < low - 1).all(), "rows count from the top"


def test_heads_turn_at_a_constant_speed() -> None:
    """A frame of a clip is the first frame of one that begins later."""
    some = doubled(head_renderer.drawn(3, seed=2))
    whole, _ = head_renderer.render(some, 16, 1)
    later = dataclasses.replace(some, angle=some.angle + 4 * some.speed)
    first, _ = head_renderer.render(later, 16, 1, frames=(0,))
    torch.testing.assert_close(first[:, 0], whole[:, 4], atol=1e-9, rtol=0)


def test_the_data_set_is_cached_and_labeled(tmp_path, monkeypatch) -> None:
    sizes = {"side": 16, "train": 40, "validation": 10, "test": 10}
    data = heads.load(**sizes)
    assert data.input_shape == (6, 1, 16, 16)
    assert data.class_names == ("no ears", "ears")
    assert "20% of heads have no ears" in data.remarks
    pair = heads.twins("train", 40, side=16)
    for i, label in enumerate(data.train.labels.tolist()):
        assert torch.equal(data.train.images[i], (pair.eared if label else pair.earless)[i])
        assert not torch.equal(data.train.images[i], (pair.earless if label else pair.eared)[i])
    last = heads.twins("train", 40, side=16, frames=(5,))
    assert torch.equal(last.mask[:, 0], pair.mask[:, 5])
    monkeypatch.setattr("advx.data.heads.render", lambda *_: pytest.fail("rendered again"))
    assert heads.load(**sizes).fingerprint == data.fingerprint


def test_a_damaged_cache_is_rendered_again(tmp_path) -> None:
    sizes = {"side": 16, "train": 12, "validation": 3, "test": 3}
    data = heads.load(**sizes)
    for path in tmp_path.glob("heads-*.pt"):
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 255
        path.write_bytes(content)
    assert heads.load(**sizes).fingerprint == data.fingerprint
    for path in tmp_path.glob("heads-*.pt"):
        path.write_bytes(path.read_bytes()[:100])
    assert heads.load(**sizes).fingerprint == data.fingerprint


def test_splits_differ_and_a_share_has_no_ears() -> None:
    drawn = [head_renderer.drawn(50, seed) for seed in heads.SEEDS.values()]
    seen = torch.cat([each.proportions for each in drawn])
    assert len(seen.unique(dim=0)) == 150
    many = head_renderer.drawn(4000, seed=0)
    assert many.eared.double().mean().item() == pytest.approx(0.8, abs=0.02)
    assert head_renderer.drawn(4000, seed=0, earless=0).eared.all()
    other = head_renderer.drawn(4000, seed=0, earless=0.5)
    assert torch.equal(other.ear_size, many.ear_size), "the same heads but for their ears"
    assert many.speed.abs().max().rad2deg() <= 30


@pytest.mark.parametrize(
    ("load", "complaint"),
    [
        (lambda: heads.load(side=30), r"dataset.side=30: heads have 16, 32 or 64 pixels"),
        (lambda: heads.load(channels=2), r"dataset.channels=2: valid: 1 \(gray\), 3 \(color\)"),
        (lambda: heads.twins("test", 5, side=8), r"dataset.side=8: "),
        (lambda: bouncing_balls.load(balls=9), r"dataset.balls=9: .*valid: 1 … 4"),
    ],
)
def test_what_cannot_be_rendered_is_refused(load, complaint) -> None:
    with pytest.raises(ConfigError, match=complaint):
        load()


@pytest.mark.parametrize(
    "words", ["dataset.earless=1", "dataset.earless=-0.1", "dataset.channels=2", "dataset.turn=-1"]
)
def test_a_configuration_out_of_range_is_refused(words) -> None:
    config, main = composed(["experiment=latent_arithmetic", "dataset=heads", words])
    key, value = words.split("=")
    with pytest.raises(ConfigError, match=rf"{key}={value}"):
        check(config, main)


def test_balls_keep_their_energy_and_stay_in_the_box() -> None:
    now = bouncing_balls.thrown(200, 3, seed=0)
    energy = now.velocity.square().sum((1, 2))
    met = torch.zeros(200, dtype=torch.bool)
    for _ in range(6 * bouncing_balls.STEPS):
        before, now = now, bouncing_balls.moved(now, 1 / bouncing_balls.STEPS)
        one = now.velocity.norm(dim=2)
        met |= ((one - before.velocity.norm(dim=2)).abs() > 1e-5).any(1)
        slack = bouncing_balls.SPEED / bouncing_balls.STEPS * 2
        assert (now.position > bouncing_balls.RADIUS - slack).all()
        assert (now.position < 1 - bouncing_balls.RADIUS + slack).all()
    torch.testing.assert_close(now.velocity.square().sum((1, 2)), energy)
    assert met.double().mean() > 0.2, "balls meet"


def test_two_balls_head_on_exchange_their_velocities() -> None:
    position = torch.tensor([[[0.4, 0.5], [0.6, 0.5]]])
    velocity = torch.tensor([[[0.1, 0.02], [-0.05, 0.02]]])
    after = bouncing_balls.moved(bouncing_balls.Balls(position, velocity), 0.01)
    torch.testing.assert_close(after.velocity, torch.tensor([[[-0.05, 0.02], [0.1, 0.02]]]))


def test_balls_are_where_they_are_said_to_be() -> None:
    image = bouncing_balls.render(torch.tensor([[[0.25, 0.75]]]), 32)[0, 0]
    area = image.sum().item() / 32**2
    assert area == pytest.approx(torch.pi * bouncing_balls.RADIUS**2, rel=0.02)
    x = (image.sum(0) * (torch.arange(32) + 0.5)).sum() / image.sum() / 32
    y = (image.sum(1) * (torch.arange(32) + 0.5)).sum() / image.sum() / 32
    assert (x.item(), y.item()) == pytest.approx((0.25, 0.25), abs=1e-3)  # rows from the top
    data = bouncing_balls.load(side=16, channels=3, train=8, validation=2, test=2)
    assert data.input_shape == (6, 3, 16, 16)
