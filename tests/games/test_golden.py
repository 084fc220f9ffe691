"""The losses of the games: if these fail, a game means something else than before."""

import pytest
import torch

from advx.data import mixtures
from advx.data.dataset import Dataset, Split
from advx.games.adversarial_autoencoder import (
    AdversarialAutoencoder,
    CategoricalAutoencoder,
    LabelsOnly,
)
from advx.games.base import Game
from advx.games.categorical_gan import CategoricalGAN, InformationMaximization
from advx.games.censored_representation import CensoredRepresentation
from advx.games.conditional_gan import ConditionalGAN
from advx.games.dcgan import DCGAN
from advx.games.distribution_matching import DistributionMatching
from advx.games.domain_adversarial import DomainAdversarial
from advx.games.gan import GAN
from advx.games.laplacian_gan import LaplacianLevel
from advx.games.multilayer import MultilayerGame
from advx.games.predictive_gan import PredictiveGAN
from advx.games.vae import VAE, MultilayerVAE
from advx.games.vae_gan import VAEGAN
from advx.training.game_trainer import GameTrainer
from advx.training.optimizers import SGD, Annealed

PUBLISHED = {"optimizer": SGD(), "optimizers": {"discriminator": {"learning_rate": 0.05}}}
SMALL, BIG = {"input_shape": (1, 8, 8)}, {"input_shape": (1, 28, 28)}
TWENTY = {"generator_units": (20, 20), "discriminator_units": (12, 12)}
NARROW = {"units": (9,), "discriminator_units": (8,)}
SORTING = SMALL | {"classes": 3, "labeled": 6, "labeled_batch_size": 4}
READING = {
    "input_shape": (4, 1, 3, 3),
    "classes": 3,
    "window": 3,
    "components": 5,
    "reader_units": (9,),
    "discriminator_units": (8,),
}
GAMES = {
    "adversarial_autoencoder": (
        AdversarialAutoencoder,
        SMALL | NARROW | {"prior": "mixture"},
        {},
    ),
    "categorical_autoencoder": (CategoricalAutoencoder, SORTING | NARROW | {"style": 2}, {}),
    "categorical_gan": (
        CategoricalGAN,
        SORTING | {"generator_units": (9,), "discriminator_units": (8,), "latent": 4},
        {},
    ),
    "information_maximization": (
        InformationMaximization,
        SORTING | {"discriminator_units": (8,), "penalty": 0.1},
        {},
    ),
    "distribution_matching": (DistributionMatching, READING, {}),
    "wasserstein_matching": (
        DistributionMatching,
        READING | {"adversary": "wasserstein", "discriminator_steps": 2},
        {},
    ),
    "gan": (GAN, SMALL | TWENTY | {"discriminator_init": 0.5, "latent": 5}, PUBLISHED),
    "censored_representation": (
        CensoredRepresentation,
        {"input_shape": (1, 8, 8), "classes": 3, "code": 4, "units": (9,), "adversary_steps": 2},
        {},
    ),
    "conditional_gan": (
        ConditionalGAN,
        SMALL
        | {
            "classes": 3,
            "joint_units": 20,
            "class_units": 9,
            "noise_units": 8,
            "image_units": 12,
            "label_units": 5,
            "top_units": 12,
            "discriminator_init": 0.5,
        },
        PUBLISHED,
    ),
    "dcgan": (DCGAN, BIG | {"filters": 4}, {}),
    "domain_adversarial": (
        DomainAdversarial,
        {
            "input_shape": (1, 16, 16),
            "classes": 3,
            "channels": (3, 4),
            "units": (6,),
            "critic_units": 5,
        },
        {"optimizer": Annealed(updates=12)},
    ),
    "domain_adversarial_bn": (
        DomainAdversarial,
        {
            "input_shape": (1, 16, 16),
            "classes": 3,
            "way": "alternating",
            "network": "bn",
            "channels": (3, 4),
            "units": (6,),
            "critic_units": 5,
        },
        {"optimizer": Annealed(updates=12)},
    ),
    "laplacian_gan": (
        LaplacianLevel,
        SMALL | {"generator_filters": 4, "discriminator_filters": 4},
        {},
    ),
    "laplacian_gan_of_classes": (
        LaplacianLevel,
        SMALL | {"classes": 3, "generator_filters": 4, "discriminator_filters": 4},
        {},
    ),
    "labels_only": (LabelsOnly, SORTING | NARROW | {"style": 2}, {}),
    "multilayer": (
        MultilayerGame,
        {
            "input_shape": (2,),
            "latent": 4,
            "generator_units": (16,),
            "discriminator_units": (16,),
            "batch_norm_generator": True,
            "batch_norm_discriminator": True,
        },
        {},
    ),
    "multilayer_vae": (MultilayerVAE, SMALL | {"units": (9,)}, {}),
    "predictive_gan": (
        PredictiveGAN,
        {
            "input_shape": (6, 1, 8, 8),
            "adversarial_weight": 0.5,
            "filters": 3,
            "units": 5,
            "discriminator_filters": 4,
        },
        {},
    ),
    "vae": (VAE, BIG | {"filters": 4, "latent": 8}, {}),
    "vae_gan": (VAEGAN, BIG | {"filters": 4, "latent": 8}, {}),
}
LOSSES = {
    "adversarial_autoencoder": ("reconstruction_loss", "discriminator_loss", "encoder_loss"),
    "categorical_autoencoder": (
        "reconstruction_loss",
        "class_discriminator_loss",
        "style_discriminator_loss",
        "encoder_loss",
        "label_loss",
    ),
    "information_maximization": ("discriminator_loss", "label_loss", "marginal_entropy"),
    "distribution_matching": ("discriminator_loss", "reader_loss"),
    "wasserstein_matching": ("discriminator_loss", "reader_loss"),
    "censored_representation": ("reconstruction_loss", "prediction_loss", "adversary_loss"),
    "domain_adversarial": ("label_loss", "domain_loss", "strength"),
    "domain_adversarial_bn": ("label_loss", "domain_loss", "strength"),
    "labels_only": ("label_loss",),
    "multilayer_vae": ("bound_loss", "divergence"),
    "vae": ("bound_loss", "divergence"),
    "vae_gan": ("encoder_loss", "decoder_loss", "discriminator_loss"),
}
"""By game, what stands below, where it is not the losses of D and of G."""

GOLDEN = {
    "adversarial_autoencoder": [(0.0862, 1.4105, 0.5875), (0.0861, 1.4373, 0.5783)],
    "categorical_autoencoder": [
        (0.0849, 1.3814, 1.441, 1.7157, 1.4017),
        (0.0846, 1.375, 1.4286, 1.7016, 1.3817),
    ],
    "categorical_gan": [(0.0979, -0.0213), (0.1354, -0.0216)],
    "information_maximization": [(1.2531, 1.1184, 1.0717), (1.2506, 1.1102, 1.067)],
    "distribution_matching": [(1.3969, 0.7089), (1.3964, 0.7054)],
    "wasserstein_matching": [(6.9383, 0.027), (6.9219, 0.0281)],
    "censored_representation": [(0.3426, 1.136, 0.6884), (0.3453, 1.1013, 0.6909)],
    "gan": [(2.5923, 1.1275), (1.6208, 0.8341)],
    "conditional_gan": [(2.3908, 1.0892), (1.761, 0.6434)],
    "dcgan": [(1.3274, 0.6855), (1.2718, 0.6756)],
    "domain_adversarial": [(1.1018, 0.6962, 0.6375), (1.1229, 0.6955, 0.9961)],
    "domain_adversarial_bn": [(1.0724, 0.7043, 0.6375), (1.0529, 0.73, 0.9961)],
    "laplacian_gan": [(1.3881, 0.7087), (1.3856, 0.7095)],
    "laplacian_gan_of_classes": [(1.3891, 0.6741), (1.3865, 0.6747)],
    "labels_only": [(1.4502,), (1.3693,)],
    "multilayer": [(1.3436, 0.7225), (1.3026, 0.7149)],
    "multilayer_vae": [(61.0973, 0.0823), (59.4944, 0.0748)],
    "predictive_gan": [(1.3902, 0.7235), (1.3877, 0.7146)],
    "vae": [(745.508, 0.3717), (725.694, 0.2934)],
    "vae_gan": [(79.4526, 1.4655, 1.3164), (79.111, 1.4378, 1.2862)],
}
"""By game, its losses in each epoch: raise GAME_VERSION and renew them together."""


def data(shape: tuple[int, ...]) -> Dataset:
    if shape == (2,):
        return mixtures.ring(train=1000, test=200)
    noise = torch.Generator().manual_seed(0)
    labels = torch.arange(64) % 3
    if len(shape) == 4 and shape[0] == 4:
        labels = (labels[:, None] + torch.arange(4)) % 3
    images, groups = torch.rand(64, *shape, generator=noise), (torch.arange(64) >= 40).long()
    split = Split(images, labels, groups=groups)
    return Dataset("noise", 3, split, split, split)


def losses(name: str) -> list[tuple[float, ...]]:
    kind, options, rule = GAMES[name]
    torch.manual_seed(1)
    game: Game = kind(**options)
    trainer = GameTrainer(max_epochs=2, batch_size=10, shown=7, snapshots=2, **rule)
    history = trainer.fit(game, data(options["input_shape"]), seed=4).history
    names = LOSSES.get(name, ("discriminator_loss", "generator_loss"))
    return [tuple(row[each] for each in names) for row in history]


@pytest.mark.parametrize("name", GAMES)
def test_golden_losses_announce_a_change_of_meaning(name) -> None:
    for found, golden in zip(losses(name), GOLDEN[name], strict=True):
        assert found == pytest.approx(golden, abs=2e-4, rel=1e-4)
