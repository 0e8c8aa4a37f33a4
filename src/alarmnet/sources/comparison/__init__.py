"""Methods compared on rows with labels."""

from alarmnet.sources.comparison.folds import METHODS, FoldResult, folds_of, judge, keep_columns, methods_for

__all__ = ["METHODS", "FoldResult", "folds_of", "judge", "keep_columns", "methods_for"]
