"""Explanations of scores: contributions of input columns, counterfactuals, similar rows, heat maps."""

from alarmnet.explain.explainer import Explainer
from alarmnet.explain.explanation import (
    Counterfactual,
    Difference,
    Explanation,
    Group,
    Reason,
    RowExplanation,
    Similar,
)
from alarmnet.explain.importance import Importance, global_importance
from alarmnet.explain.patterns import Pattern, patterns_of
from alarmnet.explain.sentences import reason_text

__all__ = [
    "Counterfactual",
    "Difference",
    "Explainer",
    "Explanation",
    "Group",
    "Importance",
    "Pattern",
    "Reason",
    "RowExplanation",
    "Similar",
    "global_importance",
    "patterns_of",
    "reason_text",
]
