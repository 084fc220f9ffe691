"""Training: the classifier loop, its schedule and checkpoints, and models kept in the store."""
