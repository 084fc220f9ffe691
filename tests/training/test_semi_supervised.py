"""Training on a few labels: the minibatches, what is refused, and resume to the byte."""

import pytest
import torch

from advx.defenses.none import NoDefense
from advx.defenses.virtual_adversarial import VirtualAdversarial
from advx.errors import ConfigError
from advx.models.relu_batch_norm import BatchNormReLUNetwork
from advx.training.semi_supervised import UNLABELED, SemiSupervisedTrainer
from advx.training.trainer import validation_error


def test_semi_supervised_minibatches_show_only_the_chosen_labels(tiny) -> None:
    trainer = SemiSupervisedTrainer(
        labeled=6, batch_size=4, unlabeled_batch_size=7, updates_per_epoch=5
    )
    chosen = trainer.with_labels(tiny.train, seed=2)
    assert torch.bincount(tiny.train.labels[chosen]).tolist() == [2, 2, 2]
    assert torch.equal(chosen, trainer.with_labels(tiny.train, seed=2))
    assert not torch.equal(chosen, trainer.with_labels(tiny.train, seed=3))
    allowed = {tuple(image.flatten().tolist()) for image in tiny.train.images[chosen]}
    batches = list(trainer.minibatches(tiny.train, seed=2))
    assert len(batches) == 5
    for images, labels in batches:
        assert labels.tolist()[4:] == [UNLABELED] * 7
        assert (labels[:4] >= 0).all()
        assert all(tuple(image.flatten().tolist()) in allowed for image in images[:4])
    labeled = torch.cat([images[:4] for images, _ in batches])
    assert len(labeled.flatten(1).unique(dim=0)) == 6, "every labeled example in turn"


@pytest.mark.parametrize(("asked", "why"), [(63, "has 60 training"), (7, "multiples of 3")])
def test_more_labels_than_there_are(tiny, asked, why) -> None:
    with pytest.raises(ConfigError, match=f"trainer.labeled={asked}.*{why}"):
        SemiSupervisedTrainer(labeled=asked).check(tiny)


def test_a_loss_that_needs_every_label_is_refused(tiny) -> None:
    with pytest.raises(ConfigError, match="NoDefense needs every example's label"):
        SemiSupervisedTrainer(labeled=6).check(tiny, NoDefense())
    SemiSupervisedTrainer(labeled=6).check(tiny, VirtualAdversarial())
    SemiSupervisedTrainer(labeled=6).check(tiny, OfBefore())


class OfBefore(NoDefense):
    """A defense of one's own that says it as it was said before."""

    uses_unlabelled = True


def test_semi_supervised_training_learns_and_resumes_to_the_byte(tiny) -> None:
    trainer = SemiSupervisedTrainer(
        labeled=6, batch_size=6, unlabeled_batch_size=10, updates_per_epoch=20, max_epochs=4
    )
    runs, states = [], []
    for resume in (None, 1):
        torch.manual_seed(5)
        model = BatchNormReLUNetwork(input_shape=(1, 4, 4), classes=3, units=(16,))
        trainer.fit(
            model,
            VirtualAdversarial(epsilon=0.3),
            tiny,
            seed=0,
            resume=states[resume] if resume else None,
            on_epoch=lambda _, c: states.append(torch.load(_saved(c()), weights_only=True)),
        )
        runs.append(model)
    assert validation_error(runs[0], tiny.test) < 20
    for a, b in zip(runs[0].parameters(), runs[1].parameters(), strict=True):
        assert torch.equal(a, b)


def _saved(state: dict):
    import io

    stream = io.BytesIO()
    torch.save(state, stream)
    stream.seek(0)
    return stream
