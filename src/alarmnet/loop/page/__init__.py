"""The page on which people answer: one row at a time, and all that is needed to decide."""
