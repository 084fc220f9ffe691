"""The rectified linear target network of Table 1.1: two layers of 1,200 units with dropout."""

from torch import nn

from advx.models.multilayer import MultilayerPerceptron


class ReLUNetwork(MultilayerPerceptron):
    """`MultilayerPerceptron` of rectified linear units."""

    activation = nn.ReLU
