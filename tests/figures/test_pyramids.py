"""What a panel of a pyramid shows."""

import torch

from advx.data.resize import doubled
from advx.figures.pyramids import panel, taken_apart


def test_a_panel_shows_what_every_level_adds() -> None:
    images = [torch.rand(3, 1, side, side) for side in (2, 4, 8)]
    thumbnail, detail, sum_, finest_detail, finest = taken_apart(images).split(3)
    assert torch.equal(thumbnail[..., ::4, ::4], images[0])
    assert torch.equal(sum_[..., ::2, ::2], images[1])
    assert torch.equal(finest, images[2])
    torch.testing.assert_close(detail[..., 1::2, 1::2] - 0.5 + doubled(images[0]), images[1])
    torch.testing.assert_close(finest_detail - 0.5 + doubled(images[1]), images[2])
    assert panel("a", "c", images)["left"] == [
        "2 × 2",
        "+ detail",
        "= 4 × 4",
        "+ detail",
        "= 8 × 8",
    ]
