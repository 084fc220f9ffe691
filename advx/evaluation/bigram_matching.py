"""Reading without pairs and without an adversary: two tables of bigrams are to agree.

    p̄ = E p(x_t) ⊗ p(x_{t+1})       of the reader's probabilities p, over all neighbors
    q                               of labels: the language's, or counted
    the reader descends             −Σ q log p̄

A table of k² numbers says less than a discriminator sees, but has no adversary to wait for. From
random weights the descent ends in local optima. So it begins with clusters of images, whose labels
a small problem gives them: C the bigrams of m clusters, W (m, k) with rows of probabilities,

    W descends −Σ q log WᵀCW        from many beginnings at once; the smallest one counts

It ends with rounds of decoding: what forward and backward passes over the sequences make of the
reader's answers and the language is what the reader is fitted to next. No label of an image is
seen. The statistic is that of Sutskever et al. (2015), whose adversary this is the alternative to;
the decoding is the forward-backward algorithm of Baum et al. (1970).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from advx.data.minibatches import endless
from advx.errors import ConfigError
from advx.evaluation.parzen import k_means_centers
from advx.types import NonNegativeInt, Positive, PositiveInt

TINY = 1e-12
"""Probabilities do not fall below it where a logarithm is taken."""

CHUNK = 10_000
"""Images whose distances to the centers are computed at once."""


@dataclass(frozen=True, kw_only=True)
class BigramMatching:
    """How a reader is trained by tables.

    Attributes:
        clusters: m, of images.
        restarts: beginnings of W.
        spread: standard deviation of the logits of a beginning.
        assignment_steps: of W's descent, by Adam.
        assignment_rate: its learning rate.
        fitting_steps: of the reader to the clusters' labels, and to what each round decodes.
        matching_steps: of the reader to the table.
        rounds: of decoding.
        batch_size: sequences in a minibatch; large, as the logarithm of a mean has a bias.
        learning_rate: of the reader, by Adam.
        seed: decides clusters, beginnings and minibatches.
    """

    clusters: PositiveInt = 100
    restarts: PositiveInt = 150
    spread: Positive = 0.1
    assignment_steps: PositiveInt = 500
    assignment_rate: Positive = 0.1
    fitting_steps: PositiveInt = 300
    matching_steps: NonNegativeInt = 300
    rounds: NonNegativeInt = 5
    batch_size: PositiveInt = 200
    learning_rate: Positive = 1e-3
    seed: NonNegativeInt = 0


def counted_bigrams(labels: Tensor, symbols: int) -> Tensor:
    """The bigram table (k, k) float64 of sequences (n, length) int64; it sums to 1.

    Raises:
        ConfigError: sequences of length 1.
    """
    if labels.shape[1] < 2:
        raise ConfigError(
            f"bigrams: sequences of length {labels.shape[1]} have none; valid: from 2"
        )
    pairs = labels[:, :-1] * symbols + labels[:, 1:]
    counts = torch.bincount(pairs.flatten(), minlength=symbols**2)
    return counts.view(symbols, symbols).double() / counts.sum()


def read_bigrams(p: Tensor) -> Tensor:
    """The bigram table (k, k) of probabilities (n, length, k) that were read."""
    before, after = p[:, :-1].flatten(0, 1), p[:, 1:].flatten(0, 1)
    return before.T @ after / len(before)


def table_loss(read: Tensor, wanted: Tensor) -> Tensor:
    """−Σ q log p̄ in nats; the KL divergence but for q's entropy.

    Args:
        read: p̄, (..., k, k).
        wanted: q, (k, k).

    Returns:
        (...).
    """
    return -(wanted * read.clamp(min=TINY).log()).sum((-2, -1))


def table_divergence(read: Tensor, wanted: Tensor) -> Tensor:
    """KL(q ‖ p̄) in nats, (...), of tables (..., k, k) and (k, k)."""
    return table_loss(read, wanted) - table_loss(wanted, wanted)


def assigned(bigrams: Tensor, wanted: Tensor, how: BigramMatching) -> tuple[Tensor, float]:
    """Which symbols clusters of images stand for, from their bigrams alone.

    Args:
        bigrams: C, (m, m), of clusters.
        wanted: q, (k, k).
        how: restarts, steps and seed.

    Returns:
        W, (m, k), each row probabilities, and its KL(q ‖ WᵀCW) in nats, the smallest of all
        restarts: it tells, without a label, whether a labeling was found.
    """
    draw = torch.Generator().manual_seed(how.seed)
    start = torch.randn(how.restarts, len(bigrams), len(wanted), generator=draw)
    logits = (how.spread * start).to(bigrams.device).requires_grad_()
    table, target = bigrams.float(), wanted.float()
    optimizer = torch.optim.Adam([logits], lr=how.assignment_rate)

    def divergences() -> Tensor:
        w = logits.softmax(2)
        return table_divergence(w.transpose(1, 2) @ table @ w, target)

    for _ in range(how.assignment_steps):
        optimizer.zero_grad()
        divergences().sum().backward()
        optimizer.step()
    with torch.no_grad():
        results = divergences()
    best = int(results.argmin())
    return logits.detach()[best].softmax(1), results[best].item()


@torch.no_grad()
def nearest_centers(images: Tensor, centers: Tensor) -> Tensor:
    """Which of centers (m, d) is nearest to each of images (n, d): (n,) int64."""
    parts = [torch.cdist(part, centers).argmin(1) for part in images.split(CHUNK)]
    return torch.cat(parts)


@torch.no_grad()
def decoded(p: Tensor, bigrams: Tensor) -> Tensor:
    """The probabilities of every symbol of a sequence, given the whole sequence.

    An answer p(y|x) is turned into the likelihood p(y|x) / p(y) of a hidden Markov model.

    Args:
        p: answers (n, length, k) for each image alone.
        bigrams: (k, k), of the language.

    Returns:
        (n, length, k) float64.
    """
    first = bigrams.sum(1).clamp(min=TINY)
    transitions = bigrams / first[:, None]
    likelihood = p.double() / first
    forward = [normalized(first * likelihood[:, 0])]
    for t in range(1, p.shape[1]):
        forward.append(normalized(forward[-1] @ transitions * likelihood[:, t]))
    backward = [torch.ones_like(forward[0])]
    for t in range(p.shape[1] - 1, 0, -1):
        backward.append(normalized((backward[-1] * likelihood[:, t]) @ transitions.T))
    return normalized(torch.stack(forward, 1) * torch.stack(backward[::-1], 1))


def normalized(weights: Tensor) -> Tensor:
    """Weights (..., k) as probabilities."""
    weights = weights.clamp(min=TINY**2)
    return weights / weights.sum(-1, keepdim=True)


def train_reader(
    reader: nn.Module, images: Tensor, bigrams: Tensor, how: BigramMatching
) -> dict[str, float]:
    """Train a reader, in place, on sequences of images and a table of bigrams.

    Args:
        reader: images (n, *shape) to logits (n, k).
        images: sequences (n, length, *shape).
        bigrams: q, (k, k), of labels; it sums to 1.
        how: settings.

    Returns:
        KL(q ‖ ·) in nats of the clusters' labeling, `assigned`, and of the trained reader's table,
        `read`.

    Raises:
        ConfigError: sequences of a single image, or fewer images than clusters.
    """
    if images.shape[1] < 2:
        raise ConfigError(
            f"bigrams: sequences of length {images.shape[1]} have none; valid: from 2"
        )
    flat = images.flatten(0, 1).flatten(1)
    wanted = bigrams.double().to(images.device)
    centers = k_means_centers(flat, how.clusters, seed=how.seed).to(flat)
    cluster = nearest_centers(flat, centers)
    in_order = cluster.view(images.shape[:2])
    weights, divergence = assigned(counted_bigrams(in_order, how.clusters), wanted, how)

    with torch.random.fork_rng(devices=[images.device] if images.is_cuda else []):
        torch.manual_seed(how.seed)
        reader.train()
        fit(reader, images, weights[cluster].view(*images.shape[:2], -1), how)
        batches = _batches(images, how)
        _descend(
            reader,
            lambda: table_loss(read_bigrams(_read(reader, images[next(batches)])), wanted.float()),
            how.matching_steps,
            how.learning_rate,
        )
        for _ in range(how.rounds):
            fit(reader, images, decoded(_read_all(reader, images), wanted).float(), how)
    table = read_bigrams(_read_all(reader, images)).double()
    return {"assigned": divergence, "read": table_divergence(table, wanted).item()}


def _batches(images: Tensor, how: BigramMatching) -> Iterator[Tensor]:
    """Indices of sequences, without end."""
    everything = torch.arange(len(images), device=images.device)
    return endless(everything, min(how.batch_size, len(images)))


def _read(reader: nn.Module, images: Tensor) -> Tensor:
    """Sequences (n, length, *shape) to probabilities (n, length, k)."""
    return reader(images.flatten(0, 1)).softmax(1).unflatten(0, images.shape[:2])


@torch.no_grad()
def _read_all(reader: nn.Module, images: Tensor) -> Tensor:
    """The same in evaluation, a part of the sequences after the other."""
    reader.eval()
    size = max(1, CHUNK // images.shape[1])
    p = torch.cat([_read(reader, part) for part in images.split(size)])
    reader.train()
    return p


def fit(reader: nn.Module, images: Tensor, targets: Tensor, how: BigramMatching) -> None:
    """Descend the cross-entropy of targets (n, length, k)."""
    batches = _batches(images, how)

    def loss() -> Tensor:
        chosen = next(batches)
        return cross_entropy(reader(images[chosen].flatten(0, 1)), targets[chosen].flatten(0, 1))

    _descend(reader, loss, how.fitting_steps, how.learning_rate)


def _descend(reader: nn.Module, loss: Callable[[], Tensor], steps: int, rate: float) -> None:
    """So many steps of Adam down a loss of new minibatches."""
    optimizer = torch.optim.Adam(reader.parameters(), lr=rate)
    for _ in range(steps):
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()
