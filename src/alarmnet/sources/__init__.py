"""Files of tables and images as rows in parts, with ids and labels: what commands, services and engines read.

`open_to_train` and `open_to_run` open them; `TableRows` and `ImageRows` have the same methods. To add a source: a
class with these methods, and its place in `opened.py`.
"""

from alarmnet.sources.labels import Labelling, label_counts, needed
from alarmnet.sources.memory import available_bytes, check_memory, peak_bytes, shown_bytes
from alarmnet.sources.opened import Rows, load_model, open_to_run, open_to_train
from alarmnet.sources.part import Part

__all__ = [
    "Labelling",
    "Part",
    "Rows",
    "available_bytes",
    "check_memory",
    "label_counts",
    "load_model",
    "needed",
    "open_to_run",
    "open_to_train",
    "peak_bytes",
    "shown_bytes",
]
