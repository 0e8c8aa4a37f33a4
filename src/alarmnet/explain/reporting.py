"""Explanations as the facts of a report."""

from collections.abc import Mapping, Sequence
from typing import Any

from alarmnet.explain.explanation import Explanation, RowExplanation
from alarmnet.explain.patterns import patterns_of

BARS = 4
"""The most columns that a report draws for a row."""


def explained_facts(explanation: Explanation, described: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Patterns of rows with the same reasons, ready for JSON.

    `described` has all other facts that the report shows for each explained row. Bars are shares of the longest
    bar.
    """
    longest = max(
        (abs(reason.contribution) for row in explanation.rows for reason in row.reasons), default=1.0
    )
    return [
        {
            "columns": [*pattern.columns],
            "said": pattern.said,
            "rows": len(pattern.places),
            "alarms": sum(explanation.rows[place].alarm for place in pattern.places),
            "highest": float(explanation.rows[pattern.places[0]].score),
            "members": [
                {**described[place], **row_facts(explanation.rows[place], longest)}
                for place in pattern.places
            ],
        }
        for pattern in patterns_of(explanation)
    ]


def row_facts(row: RowExplanation, longest: float, *, bars: int = BARS) -> dict[str, Any]:
    """The reasons for one row's score, with at most this number of bars; bars are shares of `longest`."""
    return {
        "sentence": row.sentence,
        "spoke": row.spoke,
        "reasons": [
            {
                "column": reason.column,
                "value": reason.value,
                "normal": reason.normal,
                "contribution": reason.contribution,
                "bar": abs(reason.contribution) / longest if longest else 0.0,
            }
            for reason in sorted(row.reasons, key=lambda reason: -abs(reason.contribution))[:bars]
        ],
    }
