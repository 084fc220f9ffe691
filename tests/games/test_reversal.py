"""Gradient reversal against finite differences."""

import pytest
import torch
from torch import Tensor

from advx.games.reversal import reversed_gradient


@pytest.mark.parametrize("strength", [1.0, 0.3, 0.0, -2.0])
def test_the_gradient_has_the_reversals_sign_and_scale(strength) -> None:
    """Below the reversal it is −λ times the difference quotient, above it the quotient itself."""
    generator = torch.Generator().manual_seed(0)
    below, above, x = (
        torch.randn(shape, generator=generator, dtype=torch.float64)
        for shape in ((3, 4), (4,), (6, 3))
    )

    def loss(below: Tensor, above: Tensor, reverse: bool) -> Tensor:
        hidden = torch.tanh(x @ below)
        hidden = reversed_gradient(hidden, strength) if reverse else hidden
        return torch.sigmoid(hidden @ above).square().sum()

    assert loss(below, above, True) == loss(below, above, False)
    leaves = [below.clone().requires_grad_(), above.clone().requires_grad_()]
    loss(*leaves, reverse=True).backward()
    step = 1e-6
    for place, scale in ((0, -strength), (1, 1.0)):
        values = [below, above]
        quotient = torch.zeros_like(values[place])
        for index in range(quotient.numel()):
            ends = []
            for side in (step, -step):
                moved = [v.clone() for v in values]
                moved[place].view(-1)[index] += side
                ends.append(loss(*moved, reverse=False))
            quotient.view(-1)[index] = (ends[0] - ends[1]) / (2 * step)
        torch.testing.assert_close(leaves[place].grad, scale * quotient, atol=1e-8, rtol=1e-5)
