"""advx: the experiments of "Adversarial Perturbations of Deep Neural Networks", runnable."""

__version__ = "0.1.0"
