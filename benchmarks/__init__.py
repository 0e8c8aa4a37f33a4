"""What the figures in the docs are measured with; not part of the package."""
