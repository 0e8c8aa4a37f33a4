"""Plain sentences on how to read a report's numbers."""

from collections.abc import Mapping
from typing import Any

from alarmnet._shared.phrases import counted
from alarmnet.detectors.recognition import Recognised
from alarmnet.metrics import Estimate, reversed_note
from alarmnet.report.words import as_percent, said_of_share
from alarmnet.thresholds import drift_note


def hints_on(facts: Mapping[str, Any]) -> list[str]:
    """Plain sentences on how to read the numbers."""
    rates, observed = facts["alarm_rate"], facts["observed"]
    asked, held = as_percent(rates["asked"]), as_percent(rates["held"])
    row = "image" if facts["data"]["image_shape"] else "row"
    hints = [
        f"At a false-alarm rate of {held}, expect about {counted(round(10_000 * rates['held']), 'false alarm')} "
        f"per 10,000 normal {row}s.",
        f"A p-value is the share of normal {row}s that would score at least as high: 0.001 means 1 in 1,000.",
    ]
    if rates["held"] > rates["asked"] * 1.0001:
        hints.append(
            f"{counted(rates['calibration_rows'], f'calibration {row} is', f'calibration {row}s are')} too few for "
            f"a rate of {asked}. The smallest possible rate is {held}."
        )
    if not rates["calibration_is_labelled"]:
        since = "All of these have been reviewed or labelled since."
        hints.append(
            f"When the model was fitted, no {row} was labelled normal, so unlabelled {row}s calibrate the "
            f"threshold. {since if rates['calibration_is_reviewed'] else said_of_share(rates, row)}"
        )
    if facts["looked"]:
        hints.append(
            f"The labels are reviewers' answers about {row}s that were chosen for review, and the model learns "
            f"them. Measured on such {row}s, the alarm rate, average precision and drift would mislead, so the "
            f"report leaves them out. To measure them, label {row}s that are drawn at random and that the model "
            "has not seen, and use alarmnet evaluate."
        )
        return hints
    if note := Recognised(**facts["training_rows"]).note(row):
        hints.append(note)
    normal = observed["of"] != "all rows"
    if not normal:
        hints.append(
            f"No {row} of this data is labelled normal, so the observed rate counts all {row}s, also anomalies."
        )
    if note := drift_note(
        observed["alarms"],
        observed["rows"],
        calibration_rows=rates["calibration_rows"],
        held=rates["held"],
        normal=normal,
    ):
        hints.append(f"{note} Consider fitting a new model." if normal else note)
    if (found := facts["evaluation"]) is None:
        hints.append(
            f"This data does not have both labelled normal {row}s and labelled anomalies, so the report cannot "
            "measure how many anomalies are found."
        )
    elif note := reversed_note(
        found["normal"], found["anomalies"], Estimate(**found["roc_auc"]), Estimate(**found["recall"])
    ):
        hints.append(note)
    return hints
