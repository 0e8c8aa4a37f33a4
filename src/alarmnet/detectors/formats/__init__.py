"""Converts older model files to today's format, so that networks and detectors know this format alone."""

from alarmnet.detectors.formats.alarms import stored_alarms
from alarmnet.detectors.formats.manifests import quantile_scales, upgraded

__all__ = ["quantile_scales", "stored_alarms", "upgraded"]
