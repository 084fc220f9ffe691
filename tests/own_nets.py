"""A user's own networks that answer in unusual ways, and the overrides that put them in a run."""

from pathlib import Path

from advx.run import Run

MODULE = """
import torch
from torch import nn
from torch.nn import functional as F


class Net(nn.Module):
    def __init__(self, classes=3, scale=1.0):
        super().__init__()
        self.flat, self.one, self.act = nn.Flatten(), nn.Linear(64, 16), nn.ReLU()
        self.two, self.scale = nn.Linear(16, classes), scale

    def logits(self, x):
        return self.scale * self.two(self.act(self.one(self.flat(x))))

    def forward(self, x):
        return self.logits(x)


class Undefined(Net):  # NaN for images whose first pixel is black
    def forward(self, x):
        return torch.where(x[:, 0, 0, :1] == 0, torch.nan, self.logits(x))


class Softmax(Net):
    def forward(self, x):
        return (5 * self.logits(x)).softmax(1)


class BFloatSoftmax(Net):
    def forward(self, x):
        return (5 * self.logits(x)).softmax(1).bfloat16()


class Sigmoid(Net):
    def forward(self, x):
        return self.logits(x).sigmoid()


class OneHot(Net):
    def forward(self, x):
        z = self.logits(x)
        return F.one_hot(z.argmax(1), z.shape[1]).float() + 0 * z


class Log(Net):
    def forward(self, x):
        return self.logits(x).log_softmax(1)


class Underflowing(Net):
    def forward(self, x):
        return (1e4 * self.logits(x)).softmax(1).log()


class Saturated(Net):
    def forward(self, x):
        return (1e6 * self.logits(x)).softmax(1)


class Rounded(Net):
    def forward(self, x):
        return self.logits(x.mul(15).round().div(15))


class Noisy(Net):
    def forward(self, x):
        return self.two(F.dropout(self.act(self.one(self.flat(x))), 0.5, training=True))


class OverBatch(Net):
    def forward(self, x):
        z = self.one(self.flat(x))
        return self.two(z - z.mean(0))


class OverSeveral(Net):
    def forward(self, x):
        return self.two(F.batch_norm(self.one(self.flat(x)), None, None, training=True))


class Half(Net):
    def forward(self, x):
        return self.logits(x).half()


class Brain(Net):
    def forward(self, x):
        return self.logits(x).bfloat16()


class Tuple(Net):
    def forward(self, x):
        return self.logits(x), None


class Dictionary(Net):
    def forward(self, x):
        return {"logits": self.logits(x)}


class Answer:
    def __init__(self, logits):
        self.logits = logits


class Object(Net):
    def forward(self, x):
        return Answer(self.logits(x))


class Autocast(Net):
    def forward(self, x):
        with torch.autocast("cpu", torch.bfloat16):
            return self.logits(x)


class Inference(Net):
    @torch.inference_mode()
    def forward(self, x):
        return self.logits(x)


class Double(Net):
    def __init__(self):
        super().__init__()
        self.double()

    def forward(self, x):
        return self.logits(x.double())


class Mute(Net):
    def forward(self, x):
        raise NotImplementedError


class TwoLines(Net):
    def forward(self, x):
        raise ValueError("first\\n\\x1b[1msecond\\x1b[0m")


class Nothing(Net):
    def forward(self, x):
        return None


class Viewing(Net):  # fails on an empty batch
    def forward(self, x):
        return self.two(self.act(self.one(x.view(x.size(0), -1))))


class Few(Net):
    def forward(self, x):
        if len(x) > 32:
            raise ValueError("too many\\nimages")
        return self.logits(x)


class Spoiled(Net):  # its backward pass fails
    def forward(self, x):
        z = self.logits(x)
        x.zero_()
        return z


class Backward(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, slope):
        if len(slope) > 32:
            raise ValueError("too many")
        return slope


class FewBackward(Net):
    def forward(self, x):
        return self.logits(Backward.apply(x))


class Whole(Net):
    def forward(self, x):
        return self.logits(x).round().long()


class Cut(Net):  # its logits depend on its weights alone, as far as autograd knows
    def forward(self, x):
        return self.logits(x.detach())


class OneLogit(Net):
    def __init__(self):
        super().__init__(1)


class Lazy(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.LazyLinear(8), nn.ReLU(), nn.LazyLinear(3))

    def forward(self, x):
        return self.layers(x)


class FirstDraws(nn.Module):  # takes a random projection in its first forward pass
    def __init__(self):
        super().__init__()
        self.register_buffer("projection", torch.zeros(64, 3))
        self.scale = nn.Parameter(torch.ones(3))

    def forward(self, x):
        if not self.projection.any():
            self.projection.copy_(torch.randn(64, 3))
        return x.flatten(1) @ self.projection * self.scale


class Normed(nn.Module):
    def __init__(self):
        super().__init__()
        act = nn.ReLU(inplace=True)
        self.layers = nn.Sequential(
            nn.Flatten(), nn.Linear(64, 8), nn.BatchNorm1d(8), act, nn.Linear(8, 3)
        )

    def forward(self, x):
        return self.layers(x)
"""


def words(folder: Path, experiment: str = "attack") -> list[str]:
    return [
        f"experiment={experiment}",
        "device=cpu",
        "device.threads=1",
        "dataset=images",
        f"dataset.path={folder / 'mine.npz'}",
        "dataset.classes=3",
        "dataset.input_shape=[1,8,8]",
        f"store={folder / 'store'}",
        "figure_examples=1",
    ]


def named(key: str) -> str:
    """The override that puts a model of one's own at `key`."""
    return "model=custom" if key == "model" else f"model@{key}=custom"


def own(folder: Path, name: str, key: str = "crafting", weights: bool = True) -> list[str]:
    found = [f"model@{key}=custom", f"{key}._target_=own_nets.{name}"]
    return found + ([f"{key}.weights={folder / 'weights.pt'}"] if weights else [])


def values(run: Run) -> dict[tuple[str, str], float]:
    return {(r.row, r.metric): r.value for r in run.table.results.rows}


TRANSFER = ["trainer.max_epochs=1", "seeds=[0]", "attack.epsilon=0.05"]

SMALL = ["model@crafting=softmax_regression", "model@target=softmax_regression"]


def trained(folder: Path, *overrides: str) -> list[str]:
    return [*words(folder, "transfer"), "dataset.training_share=0.8", *SMALL, *TRANSFER, *overrides]
