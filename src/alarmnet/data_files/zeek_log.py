"""Logs of Zeek: cells separated as the file's first lines say."""

import re
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path

from alarmnet.data_files.column_names import check_unique
from alarmnet.data_files.line_file import LineFile, Record
from alarmnet.data_files.text import numbered_lines
from alarmnet.errors import InputError

MARK = b"#separator"
_TRUTHS = {"T": "true", "F": "false"}


def _unescaped(text: str) -> str:
    r"""Characters that are written as \x09 and the like.

    >>> _unescaped("\\x09")
    '\t'
    """
    return re.sub(r"\\x([0-9a-fA-F]{2})", lambda found: chr(int(found[1], 16)), text)


class ZeekLog(LineFile):
    """A log of Zeek; its columns are those of ``#fields``, and what ``#unset_field`` names is a missing cell.

    Logs may be joined: further first lines are passed over where they name the same fields.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.unusable = {}
        head = [line for _, line in takewhile(lambda item: item[1].startswith("#"), numbered_lines(path))]
        self._separator = _unescaped(head[0].removeprefix(MARK.decode()).strip(" ")) if head else ""
        if not self._separator:
            raise InputError(f"{path} is no Zeek log: it does not begin with #separator", code="zeek_log")
        said = {key: rest for key, *rest in (line.split(self._separator) for line in head[1:])}
        self.columns, types = said.get("#fields", []), said.get("#types", [])
        if not self.columns or len(types) not in (0, len(self.columns)):
            raise InputError(
                f"{path} is not a complete Zeek log: its first lines name {len(self.columns)} #fields and "
                f"{len(types)} "
                "#types; copy it again, with its first lines",
                code="zeek_log",
            )
        check_unique(path, self.columns)
        self._unset = said.get("#unset_field", ["-"])[0]
        self._booleans = [place for place, kind in enumerate(types) if kind == "bool"]

    def records(self) -> Iterator[Record]:
        """Give the cells of each line."""
        for number, line in numbered_lines(self.path):
            if line.startswith("#"):
                self._check_fields(number, line)
                continue
            cells: list[str | None] = [
                None if cell == self._unset else cell for cell in line.split(self._separator)
            ]
            if len(cells) != len(self.columns):
                raise InputError(
                    f"{self.path} line {number} has {len(cells)} cells where #fields names {len(self.columns)}; "
                    "correct that line",
                    code="ragged_row",
                )
            for place in self._booleans:
                cells[place] = _TRUTHS.get(cells[place] or "", cells[place])
            yield number, cells

    def _check_fields(self, number: int, line: str) -> None:
        key, *names = line.split(self._separator)
        if key == "#fields" and names != self.columns:
            raise InputError(
                f"{self.path} changes its #fields at line {number}; split the log there, and give logs of the same "
                "fields",
                code="columns_differ",
            )
