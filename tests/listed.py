"""A model whose answers are listed."""

import torch
from torch import Tensor, nn


class Listed(nn.Module):
    """Gives the image whose first pixel is k the k-th of some classes; −1 stands for NaN."""

    def __init__(self, classes: list[int]) -> None:
        super().__init__()
        self.classes = torch.tensor(classes)

    def forward(self, x: Tensor) -> Tensor:
        answer = self.classes[x[:, 0, 0, 0].long()]
        logits = nn.functional.one_hot(answer.clamp(min=0), 4).double()
        return logits.masked_fill((answer < 0)[:, None], torch.nan)
