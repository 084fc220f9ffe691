"""Data sets, one file each: whole tensors, verified against digests, resident on the device."""
