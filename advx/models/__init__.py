"""Classifiers. Each maps images (batch, *shape) to logits (batch, classes); one file each."""
