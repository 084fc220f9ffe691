"""Error rates and what goes with them."""
