"""Games between networks (section 1.4): one file each, its players and their algorithm."""
