"""Fashion-MNIST through torchvision, in MNIST's format and split."""

from advx.data.dataset import Dataset
from advx.data.mnist import load_idx
from advx.types import NonNegativeInt, PositiveInt


def load(
    *,
    data_dir: str | None = None,
    digests: str | None = None,
    train: PositiveInt = 50_000,
    validation: NonNegativeInt = 10_000,
    limit: dict[str, PositiveInt] | None = None,
) -> Dataset:
    """The Fashion-MNIST articles of clothing, (1, 28, 28) in [0, 1]; arguments as for MNIST."""
    import torchvision

    return load_idx(
        torchvision.datasets.FashionMNIST,
        "fashion_mnist",
        data_dir=data_dir,
        digests=digests,
        train=train,
        validation=validation,
        limit=limit,
    )
