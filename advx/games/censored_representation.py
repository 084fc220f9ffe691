"""Representations that hide a protected attribute (section 1.4.6).

Four networks: an encoder and its decoder, a predictor, and an adversary.

    x, y, s    a minibatch of examples, their labels and their groups
    code r   = Enc(x)
    L_x        mean squared error of Dec(r, s) and x, per component
    L_y        cross-entropy of Pred(r) and y
    L_s        cross-entropy of Adv(r) and s
    for k steps:
        Adv descends  L_s
    Enc, Dec, Pred descend  a L_x + b L_y − c L_s

alternating: the second line answers the adversary that has moved. The decoder is given the group,
so that the code need not hold it for the reconstruction's sake; this, and the layers, are choices
of our own. That the adversary fails says nothing: it may only be beaten. `advx.evaluation.audit`
asks critics that are trained afresh. Source: Edwards and Storkey (2015).
"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, mse_loss, one_hot

from advx.data.dataset import Dataset, Split
from advx.data.minibatches import grouped_minibatches
from advx.errors import ConfigError
from advx.games.base import Game, Observer
from advx.games.diagnostics import Limit, percent_wrong
from advx.games.multilayer import perceptron
from advx.games.players import Players
from advx.models.base import features
from advx.types import NonNegative, PositiveInt, Shape

GroupedMinibatch = tuple[Tensor, Tensor, Tensor]
"""Examples (batch, *shape), labels (batch,) and groups (batch,) int64."""

DIAGNOSED = 2_048
"""Training examples, always the same, that are looked at after every epoch."""

LIMITS = {"code_spread": Limit(low=0.01, meaning="all examples have nearly the same code")}
"""Chosen before the first run; what lies beyond is stored with the result."""


class CensoredRepresentation(Game):
    """An encoder whose code predicts labels and reconstructs examples, against an adversary.

    Called on examples (n, *input_shape), it is the classifier: logits (n, classes).

    Args:
        input_shape: shape of one example: (columns,) of a table's row.
        classes: number of classes.
        groups: values of the protected attribute.
        code: components of a code.
        units: of the hidden layers of each of the four networks.
        reconstruction_weight: a.
        prediction_weight: b.
        adversary_weight: c; 0 for no censoring, where the adversary still learns.
        adversary_steps: k, updates of the adversary for one of the others.
        decoder_sees_group: whether the decoder is given the group besides the code.

    Attributes:
        encoder: examples to codes (n, code).
        decoder: codes, and groups as 0 and 1, to examples (n, columns).
        predictor: codes to logits (n, classes).
        adversary: codes to logits (n, groups).
    """

    players = ("encoder", "decoder", "predictor", "adversary")
    limits = LIMITS

    def __init__(
        self,
        *,
        input_shape: Shape,
        classes: PositiveInt = 2,
        groups: PositiveInt = 2,
        code: PositiveInt = 16,
        units: tuple[PositiveInt, ...] = (100,),
        reconstruction_weight: NonNegative = 1.0,
        prediction_weight: NonNegative = 1.0,
        adversary_weight: NonNegative = 1.0,
        adversary_steps: PositiveInt = 1,
        decoder_sees_group: bool = True,
    ) -> None:
        super().__init__()
        self.input_shape = tuple(input_shape)
        self.groups = groups
        self.reconstruction_weight = reconstruction_weight
        self.prediction_weight = prediction_weight
        self.adversary_weight = adversary_weight
        self.adversary_steps = self.minibatches_per_update = adversary_steps
        self.decoder_sees_group = decoder_sees_group
        n = features(input_shape)
        seen = code + (groups if decoder_sees_group else 0)
        self.encoder = nn.Sequential(nn.Flatten(), perceptron((n, *units, code)))
        self.decoder = perceptron((seen, *units, n))
        self.predictor = perceptron((code, *units, classes))
        self.adversary = perceptron((code, *units, groups))

    def represent(self, x: Tensor) -> Tensor:
        """Codes (n, code) of examples (n, *input_shape)."""
        return self.encoder(x)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (n, classes) of examples (n, *input_shape)."""
        return self.predictor(self.represent(x))

    def reconstruct(self, codes: Tensor, groups: Tensor) -> Tensor:
        """Examples (n, columns), flat, from codes (n, code) and groups (n,)."""
        if self.decoder_sees_group:
            codes = torch.cat([codes, one_hot(groups, self.groups).to(codes)], 1)
        return self.decoder(codes)

    def update(self, data: Iterator[GroupedMinibatch], players: Players) -> dict[str, Tensor]:
        for _ in range(self.adversary_steps):
            x, y, s = next(data)
            codes = self.represent(x)
            players.adversary.descend(cross_entropy(self.adversary(codes.detach()), s))

        x_loss = mse_loss(self.reconstruct(codes, s), x.flatten(1))
        y_loss = cross_entropy(self.predictor(codes), y)
        s_loss = cross_entropy(self.adversary(codes), s)
        loss = self.reconstruction_weight * x_loss + self.prediction_weight * y_loss
        loss = loss - self.adversary_weight * s_loss
        players.descend_jointly(loss, "encoder", "decoder", "predictor")
        return {
            "reconstruction_loss": x_loss.detach(),
            "prediction_loss": y_loss.detach(),
            "adversary_loss": s_loss.detach(),
        }

    def begin(self, data: Dataset) -> None:
        """Refuse data without groups, or with more than there are places for.

        Raises:
            ConfigError: how many the game has, and how many the data.
        """
        groups = data.train.groups
        if groups is None or not len(groups):
            raise ConfigError(
                f"dataset={data.name}: has no protected attribute; valid: dataset=adult, "
                "dataset=hiring, dataset=table"
            )
        count = max(len(data.group_names), int(groups.max()) + 1)
        if count != self.groups:
            raise ConfigError(
                f"game.groups={self.groups}: dataset={data.name} has {count} groups; "
                f"set game.groups={count}"
            )

    def minibatches(self, train: Split, size: int) -> Iterator[GroupedMinibatch]:
        """Examples with their labels and groups, in one random order after another."""
        return grouped_minibatches(train, size)

    def misfit(self, images: Tensor, labels: Tensor) -> str:
        if tuple(images.shape[1:]) != self.input_shape:
            return f"it is for examples {self.input_shape}"
        with torch.no_grad():
            self(images)
        return ""

    def observer(self, data: Dataset, shown: int) -> Observer:
        return CodeObserver(self, data)


class CodeObserver(Observer):
    """What predictor and adversary say of always the same training examples.

    Args:
        game: in evaluation mode whenever it is looked at.
        data: what it is trained on.
    """

    def __init__(self, game: CensoredRepresentation, data: Dataset) -> None:
        self.game = game
        self.seen = data.train.take(torch.randperm(len(data.train))[:DIAGNOSED])

    @torch.no_grad()
    def diagnose(self) -> dict[str, float]:
        """Errors in percent, and the codes' standard deviation, mean over the components."""
        codes = self.game.represent(self.seen.images)
        groups = self.seen.groups
        assert groups is not None
        return {
            "error": percent_wrong(self.game.predictor(codes), self.seen.labels),
            "adversary_error": percent_wrong(self.game.adversary(codes), groups),
            "code_spread": codes.std(0, unbiased=False).mean().item(),
        }
