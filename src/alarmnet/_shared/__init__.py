"""Internal helpers for every folder: files, seeds, threads, devices, checks of parameters."""
