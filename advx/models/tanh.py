"""The hyperbolic tangent target network of Table 1.1: two layers of 1,200 units with dropout."""

from torch import nn

from advx.models.multilayer import MultilayerPerceptron


class TanhNetwork(MultilayerPerceptron):
    """`MultilayerPerceptron` of hyperbolic tangent units."""

    activation = nn.Tanh
