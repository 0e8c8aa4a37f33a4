"""A fitted detector and data as one page to send on: HTML for people, facts as JSON for programs."""

from alarmnet.report.report import FittedDetector, Report, make_report

__all__ = ["FittedDetector", "Report", "make_report"]
