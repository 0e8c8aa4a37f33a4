"""Images of folders and arrays, with labels in a file of their own."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from alarmnet._shared.phrases import quoted, rows_phrase
from alarmnet._shared.spelling import near_names
from alarmnet.data_files import ImageFiles, TableFiles
from alarmnet.errors import InputError
from alarmnet.sources.labels import FOLDER, FoundLabels, Labelling
from alarmnet.sources.memory import estimated_image_bytes
from alarmnet.sources.part import Bools, Part, row_numbers


class ImageRows:
    """Images, all of the `shape` of a model where there is one; `TableRows` has the same methods.

    Labels stand in `labels_file`, a table with a column `file` (a folder's paths) or `row` (numbers, for
    arrays), in another array of the .npz archives, or are the names of sub-folders.
    """

    unusable: ClassVar[str] = "they cannot be decoded, or hold pixels that are no finite number"
    fewer: ClassVar[str] = "train on fewer or smaller images"

    def __init__(
        self,
        paths: Sequence[Path],
        *,
        labels_file: Path | None,
        shape: tuple[int, ...] | None = None,
        resize: tuple[int, int] | None = None,
    ) -> None:
        self._files = ImageFiles(paths, shape=shape, resize=resize)
        self._labels_file = labels_file

    def refuse_unsaid_classes(self) -> None:
        """Refuse images in several folders, which may be classes, where nobody said what these mean."""
        found = Counter(name for name in self._files.classes or () if name)
        if len(found) > 1:
            shown = ", ".join(f"{name!r} {count:,}" for name, count in found.most_common(10))
            more = f" and {len(found) - 10:,} more" if len(found) > 10 else ""
            raise InputError(
                f"the images lie in several folders ({shown}{more}), and nothing says whether these are classes. "
                "If they are, name the folders of normal images with --normal, such as --normal good (images of "
                "all other folders are then anomalies), or those of anomalies with --anomaly. If not, "
                "--no-classes takes all images as unlabelled",
                code="folder_classes",
            )

    @property
    def n_rows(self) -> int:
        """How many there are."""
        return self._files.n_rows

    @property
    def has_ids(self) -> bool:
        """Whether they have paths; else they have numbers."""
        return self._files.ids is not None

    def size(self) -> tuple[str, int]:
        """Say how much there is, and how many bytes training on it takes."""
        files = self._files
        channels, height, width = files.shape
        kind = "grey" if channels == 1 else "colour"
        needed = estimated_image_bytes(files.shape, rows=files.n_rows, pixel_bytes=files.dtype.itemsize)
        return f"Images: {files.n_rows:,} of {width} x {height} pixels, {kind}.", needed

    def has_labels(self, labelling: Labelling) -> bool:
        """Whether a file of labels was given, the archives hold the label array, or folders are named as labels."""
        if self._labels_file is not None or labelling.label in self._files.columns:
            return True
        named = (*labelling.anomaly, *labelling.normal)
        return labelling.label == FOLDER and not set(named).isdisjoint(self._files.classes or ())

    def labels(self, labelling: Labelling, *, given: Sequence[str]) -> FoundLabels:
        """Read the labels (N,), NaN where none is listed; `given` values have to occur."""
        if self._labels_file:
            return self._listed(self._labels_file, labelling, given)
        if labelling.label == FOLDER and self._files.classes:
            return labelling.read(
                [pa.chunked_array([pa.array(self._files.classes, pa.string())])], given=given
            )
        if labelling.label not in self._files.columns:
            arrays = f" The archive's other arrays: {quoted(self._files.columns)}." * bool(
                self._files.columns
            )
            raise InputError(
                f"where are the labels of these images? Give a table that has the column {labelling.label!r} with "
                f"--labels FILE, or leave --label out where folders are classes.{arrays}",
                code="options",
            )
        return labelling.read([_as_arrow(self._files.column(labelling.label))], given=given)

    def parts(self, *, flag: bool) -> Iterator[Part]:
        """Give the images in order, at least one part; bad ones are refused, or flagged as not usable."""
        for batch in self._files.batches(on_bad_image="mark" if flag else "refuse"):
            numbers = row_numbers(batch.first_row, len(batch.images))
            names = self._files.ids
            stop = batch.first_row + len(batch.images)
            ids = pa.chunked_array([names[batch.first_row : stop]]) if names else numbers
            yield Part(batch.images, ~batch.bad_rows, ids, batch.first_row)

    def read(self) -> NDArray[Any]:
        """Give all images."""
        return self.to_learn()[0]

    def to_learn(self, *, flag: bool = False) -> tuple[NDArray[Any], Bools]:
        """Give all images, and which of them are usable (N,): all, unless bad ones are flagged."""
        found = self._files.read(on_bad_image="mark" if flag else "refuse")
        return found.images, ~found.bad_rows

    def ids(self) -> list[Any] | None:
        """Give the paths of all images, where they are files."""
        return None if self._files.ids is None else [*self._files.ids]

    def _listed(self, path: Path, labelling: Labelling, given: Sequence[str]) -> FoundLabels:
        """Labels of the images that a table lists."""
        by_file = self._files.ids is not None
        key = "file" if by_file else "row"
        table = TableFiles(path, kinds={"row": "number", "file": "text", labelling.label: "text"})
        if key not in table.columns:
            what = "their paths in the folder" if by_file else "their numbers, counted from 0"
            raise InputError(
                f"{path} has no column {key!r}, in which it names images by {what}; it has {quoted(table.columns)}"
                f"{near_names([key], table.columns)}",
                code="missing_column",
                column=key,
            )
        listed = table.read([key, labelling.label])
        found = labelling.read([listed[labelling.label]], given=given)
        values = found.values
        rows = self._rows_of_files(path, listed[key]) if by_file else self._rows_of_numbers(path, listed[key])
        labels = np.full(self.n_rows, np.nan)
        known = ~np.isnan(values)
        labels[rows[known]] = values[known]
        if (differ := known & (labels[rows] != values)).any():
            again = rows[differ][0]
            name = self._files.ids[again] if self._files.ids else again
            raise InputError(
                f"{path} labels the image {name!r} both normal and an anomaly, in "
                f"{rows_phrase(np.flatnonzero(known & (rows == again)))}; leave one label",
                code="contradictory_labels",
            )
        return replace(found, values=labels)

    def _rows_of_files(self, path: Path, column: pa.ChunkedArray) -> NDArray[np.intp]:
        places = {name: row for row, name in enumerate(self._files.ids or ())}
        names = [PurePosixPath(name or "").as_posix() for name in column.to_pylist()]
        rows = np.array([places.get(name, -1) for name in names], dtype=np.intp)
        if (absent := np.flatnonzero(rows < 0)).size:
            raise InputError(
                f"{path} names {names[absent[0]]!r} ({rows_phrase(absent)}), and there is no such image; write "
                f"paths relative to the folder, such as {next(iter(places))!r}",
                code="missing_file",
                column="file",
                rows=absent[:5].tolist(),
            )
        return rows

    def _rows_of_numbers(self, path: Path, column: pa.ChunkedArray) -> NDArray[np.intp]:
        numbers = column.cast(pa.float64()).to_numpy()
        good = (numbers >= 0) & (numbers < self.n_rows) & (numbers == np.floor(numbers))
        if (bad := np.flatnonzero(~good)).size:
            raise InputError(
                f"{path} names the image {numbers[bad[0]]:g} ({rows_phrase(bad)}); there are {self.n_rows:,}, "
                "numbered from 0 over all files",
                code="missing_row",
                column="row",
                rows=bad[:5].tolist(),
            )
        rows: NDArray[np.intp] = numbers.astype(np.intp)
        return rows


def _as_arrow(values: NDArray[Any]) -> pa.ChunkedArray:
    if values.dtype.kind not in "buifUS":
        raise InputError(
            f"labels are numbers or text, but the array of labels holds {values.dtype}", code="label"
        )
    try:
        text = np.char.decode(values, "utf-8") if values.dtype.kind == "S" else values
    except UnicodeDecodeError as error:
        raise InputError(
            f"the array of labels holds bytes that are not UTF-8 text: {error}", code="label"
        ) from error
    return pa.chunked_array([pa.array(text, from_pandas=True)])
