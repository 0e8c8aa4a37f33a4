"""A fitted detector and data as one page to send on: HTML for people, facts as JSON for programs."""

from alarmnet.report.fitted_detector import FittedDetector
from alarmnet.report.making import make_report
from alarmnet.report.page import Report, check_ending

__all__ = ["FittedDetector", "Report", "check_ending", "make_report"]
