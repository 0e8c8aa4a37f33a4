"""The papers' tables; not part of the package."""
