"""An explanation in words that a colleague understands."""

from collections.abc import Sequence

from alarmnet.explain.explanation import Counterfactual, Group, Reason, Similar, spoken
from alarmnet.explain.words import cell_text

NAMED = 3
"""Columns that a sentence names."""
NEGLIGIBLE = 0.1
"""The share of the whole difference below which a sentence leaves a column out."""
SMALLEST = 0.05
"""Contributions below this number of logits are not mentioned."""
SPREAD = 1.0
"""The difference, in logits, that a sentence mentions even if no column has a share worth mentioning."""
ALIKE = 0.9
"""The similarity from which a known anomaly is named as similar."""


def points(value: float) -> str:
    """A number of logits.

    >>> points(-3.14159)
    '\u22123.1'
    """
    return f"{value:.1f}".replace("-", "\u2212")


def reason_text(reason: Reason) -> str:
    """A column, its value and what is normal.

    >>> reason = Reason(column="bytes", value="12,000", normal="normal rows: 310 to 520", contribution=9.06)
    >>> reason_text(reason)
    '9.1 from bytes = 12,000 (normal rows: 310 to 520)'
    """
    return f"{points(reason.contribution)} from {cell_text(reason.column)} = {reason.value} ({reason.normal})"


def sentence(
    *,
    score: float,
    reference: float,
    reasons: Sequence[Reason],
    groups: Sequence[Group],
    counterfactual: Counterfactual | None,
    known: Sequence[Similar] | None,
) -> str:
    """Explain a row's score in a few sentences."""
    difference = score - reference
    above = f"{points(abs(score))} {'above' if score > 0 else 'below'} the threshold"
    said = [f"{'Alarm' if score > 0 else 'No alarm'}, {above}."]
    least = max(NEGLIGIBLE * abs(difference), SMALLEST)
    named = [reason for reason in reasons if reason.contribution > least][:NAMED] if difference > 0 else []
    if named:
        of = f"{points(difference)} more than normal rows"
        said.append(f"It scores {of}: {spoken([reason_text(reason) for reason in named])}.")
    elif reasons and difference > SPREAD:
        most = reason_text(max(reasons, key=lambda reason: reason.contribution))
        said.append(
            f"It scores {points(difference)} more than normal rows, through many columns; the largest part is "
            f"{most}."
        )
    else:
        said.append("Its score is like that of normal rows.")
    said += [_group_text(group) for group in groups]
    if counterfactual:
        said.append(_counterfactual_text(counterfactual))
    likest = next((other for other in known or () if other.alike >= ALIKE), None)
    if likest and score > 0:
        alike = "equals" if likest.alike == 1 else "is similar to"
        said.append(f"It {alike} a known anomaly {place_of(likest.row)}.")
    return " ".join(said)


def place_of(row: int | None) -> str:
    """Where a known anomaly is, by its row number."""
    return "of earlier training data" if row is None else f"in row {row} of the training data, counted from 0"


def _group_text(group: Group) -> str:
    names = spoken([cell_text(column) for column in group.columns])
    if group.acts == "together":
        return f"{names} act together: each alone has little effect."
    return f"Any one of {names} is enough to raise the score; it falls only if all of them become normal."


def _counterfactual_text(counterfactual: Counterfactual) -> str:
    changes = counterfactual.changes
    if len(changes) > NAMED:
        more = len(changes) - NAMED
        names = [cell_text(change.column) for change in changes[:NAMED]]
        more_columns = f"{more} more column{'s' if more > 1 else ''}"
        return f"There would be no alarm with normal values of {spoken([*names, more_columns])}."
    reset = [f"{cell_text(change.column)} = {change.other}" for change in changes]
    return f"There would be no alarm with {spoken(reset)}."
