"""What every folder needs and nobody calls by name: files, seeds, threads, devices, checks of parameters."""
