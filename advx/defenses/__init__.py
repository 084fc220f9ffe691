"""Defenses: a training loss `(model, images, labels) -> loss`, one file each."""
