"""The same detectors behind other libraries' interfaces: scikit-learn's outlier detectors, and PyOD."""

from alarmnet.faces.outlier import OutlierDetector

__all__ = ["OutlierDetector"]
