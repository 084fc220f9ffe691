"""Training: one loop for classifiers and games, their optimizers, and what the store keeps."""
