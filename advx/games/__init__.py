"""Games between two networks (section 1.4): one file each, and the losses that they share."""
