"""Trained models and measured rows, each kept under a key made of what it depends on."""
