"""Hydra configuration; a package so that `pkg://advx.conf` resolves in a wheel."""
