"""A fitted model, and files opened to learn from or to run it on."""

from collections.abc import Sequence
from pathlib import Path

from alarmnet._shared.atomic import open_regular
from alarmnet._shared.devices import chosen_device
from alarmnet.data_files import Reading, holds_images
from alarmnet.detectors import BaseDetector, load
from alarmnet.errors import InputError
from alarmnet.preprocessing import ImageScaler
from alarmnet.sources.images import ImageRows
from alarmnet.sources.labels import Labelling
from alarmnet.sources.tables import TableRows

Rows = TableRows | ImageRows


def load_model(path: Path, *, device: str) -> BaseDetector:
    """Load a detector of images or named columns, to run on `device` whatever it was trained on."""
    chosen_device(device, parameter="--device")
    detector = load(path)
    if not isinstance(detector.encoder_, ImageScaler) and not hasattr(detector, "feature_names_in_"):
        raise InputError(
            f"{path} was trained on a table without column names; use it from Python", code="no_column_names"
        )
    detector.device, detector.verbose = device, False
    return detector


def _are_images(paths: Sequence[Path]) -> bool:
    images = [holds_images(path) for path in paths]
    for path in (path for path, is_images in zip(paths, images, strict=True) if not is_images):
        with open_regular(path):  # a folder that does not exist is no table
            pass
    if any(images) and not all(images):
        raise InputError(
            f"{paths[images.index(True)]} holds images and {paths[images.index(False)]} a table; give one kind",
            code="mixed_files",
        )
    return all(images)


def _check_options(
    images: bool,
    *,
    label: str | None,
    labels_file: Path | None,
    identifier: str | None = None,
    ignored: Sequence[str],
    kept: Sequence[str] = (),
    categories: Sequence[str] = (),
) -> None:
    """Refuse options that make no sense for this kind of data or without each other."""
    columns = (("--id", identifier), ("--ignore", ignored), ("--keep", kept), ("--category", categories))
    for option, named in columns:
        if images and named:
            raise InputError(f"{option} names a column, and images have none.", code="options")
    if labels_file and not images:
        raise InputError(
            "--labels is for images: a table has its labels in a column, named with --label.", code="options"
        )
    if labels_file and not label:
        raise InputError(
            "--labels needs --label COLUMN: which of its columns holds the labels?", code="options"
        )


def open_to_train(
    paths: Sequence[Path],
    labelling: Labelling | None,
    *,
    labels_file: Path | None,
    ignored: Sequence[str],
    identifier: str | None = None,
    kept: Sequence[str] = (),
    categories: Sequence[str] = (),
    reading: Reading | None = None,
    resize: tuple[int, int] | None = None,
    classes: bool = True,
) -> Rows:
    """Open tables, to learn from all columns but labels, the identifier and ignored ones, or images.

    Numbers of the columns of `categories` are categories; `reading` says how to read tables.

    Raises
    ------
    InputError
        Files or options that cannot be used; and images in several folders without labels, unless `classes` is
        False: these folders are no classes.
    """
    images = _are_images(paths)
    label = labelling.label if labelling else None
    _check_options(
        images, label=label, labels_file=labels_file, ignored=ignored, kept=kept, categories=categories
    )
    if not images and (resize or not classes):
        raise InputError(
            "--resize and --no-classes are for folders of images, and these are tables.", code="options"
        )
    if images:
        pictures = ImageRows(paths, labels_file=labels_file, resize=resize)
        if classes and labelling is None:
            pictures.refuse_unsaid_classes()
        return pictures
    return TableRows.to_train(
        paths,
        labelling,
        ignored=ignored,
        identifier=identifier,
        kept=kept,
        categories=categories,
        reading=reading,
    )


def open_to_run(
    detector: BaseDetector,
    paths: Sequence[Path],
    *,
    label: str | None = None,
    labels_file: Path | None = None,
    identifier: str | None = None,
    ignored: Sequence[str],
    reading: Reading | None = None,
) -> Rows:
    """Open files to run a model on; see `TableRows.to_run` and `ImageRows`.

    Raises
    ------
    InputError
        These are images and the model is one of tables, or the reverse, or they differ from those of training.
    """
    images, encoder = _are_images(paths), detector.encoder_
    if images != isinstance(encoder, ImageScaler):
        kinds = ("tables", "images") if images else ("images", "tables")
        raise InputError(
            f"the model was trained on {kinds[0]}, but {paths[0]} is read as {kinds[1]}; give {kinds[0]}",
            code="wrong_kind_of_data",
        )
    _check_options(images, label=label, labels_file=labels_file, identifier=identifier, ignored=ignored)
    if isinstance(encoder, ImageScaler):
        resize = detector.notes_.get("resize") if paths[0].is_dir() else None
        return ImageRows(paths, labels_file=labels_file, shape=encoder.shape_, resize=resize)
    return TableRows.to_run(
        detector, paths, label=label, identifier=identifier, ignored=ignored, reading=reading
    )
