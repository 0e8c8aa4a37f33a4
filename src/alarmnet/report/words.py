"""Values as a page shows them."""

from collections.abc import Mapping
from typing import Any

from alarmnet._shared.phrases import counted

LONGEST_TEXT = 48


def as_count(value: int) -> str:
    """Write a number with commas."""
    return f"{value:,}"


def as_percent(share: float) -> str:
    """Write a share in percent.

    >>> as_percent(0.00849), as_percent(4.77e-8)
    ('0.849%', 'less than 0.001%')
    """
    return "less than 0.001%" if 0 < share < 1e-5 else f"{100 * share:.3g}%"


def as_decimal(value: float, digits: int = 2) -> str:
    """Write a number with a true minus sign."""
    return f"{value:.{digits}f}".replace("-", "\u2212")


def as_p_value(value: float) -> str:
    """Write a p-value, a tiny one as a power of ten."""
    return f"{value:.2g}" if value >= 0.0001 else f"{value:.0e}"


def as_visible(value: object) -> str:
    """Show a value as one line of text: no line breaks and no characters that cannot be seen."""
    if value is None:
        return "missing"
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    shown = " ".join(text.split()) or "(empty)"
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in shown)


def shortened(text: str) -> str:
    """Cut a long text, and show that it was cut."""
    return text if len(text) <= LONGEST_TEXT else text[: LONGEST_TEXT - 1] + "\u2026"


def said_of_calibration(facts: Mapping[str, Any]) -> str:
    """Say which rows the false-alarm rate was calibrated on, from the facts about it."""
    held, count = as_percent(facts["alarm_rate_held"]), facts["calibration_rows"]
    if facts["calibration_is_labelled"]:
        rows = counted(count, "held-out row")
        return f"at most {held} of normal rows raise an alarm, calibrated on {rows} labelled normal."
    if facts["calibration_is_reviewed"]:
        return (
            f"about {held} of normal rows raise an alarm, calibrated on {counted(count, 'held-out row')}, "
            f"{'which has' if count == 1 else 'which have all'} been reviewed or labelled since."
        )
    most = f"about {held}" if facts["allows_for_unclean"] else f"at most {held}"
    return (
        f"{most} of normal rows raise an alarm, calibrated on {counted(count, 'held-out unlabelled row')}. "
        f"{said_of_share(facts)}"
    )


def said_of_share(facts: Mapping[str, Any], row: str = "row") -> str:
    """Say how many unlabelled calibration rows score like anomalies, and whether the threshold allows for them."""
    share = facts["unclean_share"]
    value, low, high = (as_percent(share[name]) for name in ("value", "low", "high"))
    estimate = f"An estimated {value} of these {row}s ({low} to {high}) score like anomalies"
    if facts["allows_for_unclean"]:
        allowance = (
            "; the threshold allows for them, but not for anomalies that do not score like the known ones. There "
            "may be fewer alarms than requested, or more if hardly any of them is an anomaly"
        )
    else:
        allowance = ". The threshold does not allow for them, so there may be fewer alarms than requested"
    return f"{estimate}{allowance}. Reviewing {row}s corrects this."
