"""Plain sentences on how to read a report's numbers."""

from collections.abc import Mapping
from typing import Any

from alarmnet.report.words import as_count, as_percent, said_of_share
from alarmnet.thresholds import drift_note


def hints_on(facts: Mapping[str, Any]) -> list[str]:
    """Plain sentences on how to read the numbers."""
    rates, observed = facts["alarm_rate"], facts["observed"]
    asked, held = as_percent(rates["asked"]), as_percent(rates["held"])
    row = "image" if facts["data"]["image_shape"] else "row"
    hints = [
        f"At an alarm rate of {held}, expect about {as_count(round(10_000 * rates['held']))} false alarms per "
        f"10,000 normal {row}s.",
        f"A p-value is the share of normal {row}s that would score at least as high: 0.001 means 1 in 1,000.",
    ]
    if rates["held"] > rates["asked"] * 1.0001:
        hints.append(
            f"{as_count(rates['calibration_rows'])} calibration {row}s are too few to hold {asked}: {held} is "
            "the smallest rate they can hold."
        )
    if not rates["calibration_is_labelled"]:
        hints.append(
            f"No {row} labelled normal was at hand for calibration, so unlabelled {row}s were taken. "
            f"{said_of_share(rates, row)}"
        )
    if observed["of"] == "all rows":
        hints.append(
            f"No {row} here is labelled normal, so the observed rate counts all {row}s: true anomalies raise it."
        )
    elif note := drift_note(
        observed["alarms"],
        observed["rows"],
        calibration_rows=rates["calibration_rows"],
        held=rates["held"],
    ):
        hints.append(f"{note} Consider fitting anew.")
    if facts["evaluation"] is None:
        hints.append(
            f"Without both labelled normal {row}s and labelled anomalies there is no measure here of how many "
            "anomalies are found."
        )
    return hints
