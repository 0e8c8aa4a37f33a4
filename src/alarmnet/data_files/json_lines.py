"""JSON lines: an object a line, whose values are cells."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from alarmnet._shared.spelling import is_encodable
from alarmnet.data_files.column_names import check_unique
from alarmnet.data_files.line_file import LineFile, Record
from alarmnet.data_files.text import numbered_lines
from alarmnet.errors import InputError


def _cell(value: Any) -> str | None:
    """A value as text, as a CSV file would have it; numbers come as they are written.

    >>> _cell(True), _cell("a"), _cell(None)
    ('true', 'a', None)
    """
    if value is None or isinstance(value, str):
        return value
    return str(value).lower() if isinstance(value, bool) else ""


class JsonLines(LineFile):
    """A file of JSON lines; its columns are all keys, and a key that a line lacks is a missing cell."""

    def __init__(self, path: Path) -> None:
        self.path = path
        columns: dict[str, None] = {}
        self.unusable = {}
        for _, found in self._objects():
            columns.update(dict.fromkeys(found))
            self.unusable |= {
                name: "JSON lists or objects"
                for name, value in found.items()
                if isinstance(value, list | dict)
            }
        self.columns = list(columns)
        if not self.columns:
            raise InputError(
                f"{path} holds no value; it needs an object with values on each line", code="json_lines"
            )

    def records(self) -> Iterator[Record]:
        """Give the values of each line in the order of the columns."""
        for number, found in self._objects():
            yield number, [_cell(found.get(name)) for name in self.columns]

    def _objects(self) -> Iterator[tuple[int, dict[str, Any]]]:
        def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
            found = dict(items)
            if len(found) < len(items):
                check_unique(self.path, [name for name, _ in items])
            return found

        decoder = json.JSONDecoder(
            object_pairs_hook=pairs, parse_int=str, parse_float=str, parse_constant=str
        )
        for number, line in numbered_lines(self.path):
            try:
                found = decoder.decode(line)
            except (json.JSONDecodeError, RecursionError) as error:
                what = "begins a JSON list" if line.strip() == "[" else f"is no JSON ({error})"
                raise self._refusal(number, what) from error
            if not isinstance(found, dict):
                kind = "a JSON list" if isinstance(found, list) else "no JSON object"
                raise self._refusal(number, f"holds {kind}")
            texts = [*found, *(value for value in found.values() if isinstance(value, str))]
            if not all(map(is_encodable, texts)):
                raise self._refusal(number, "holds half a character (a lone surrogate)")
            yield number, found

    def _refusal(self, number: int, what: str) -> InputError:
        return InputError(
            f"{self.path} line {number} {what}; JSON lines have one whole object on each line",
            code="json_lines",
        )
