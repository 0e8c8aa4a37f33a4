"""Images as float32 arrays in [0, 1]."""

from collections.abc import Iterator, Mapping
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.exceptions import NotFittedError

from alarmnet._shared.phrases import rows_phrase
from alarmnet._shared.warn import warn
from alarmnet.data_files.image_arrays import channels_first
from alarmnet.errors import InputError, InputTypeError
from alarmnet.preprocessing.cells import FLOAT32_LIMIT, Float32s
from alarmnet.preprocessing.frames import as_array, check_rows, is_list_of_arrays, stacked
from alarmnet.preprocessing.pixel_scale import refuse_other_scale
from alarmnet.preprocessing.row_store import PixelRows
from alarmnet.preprocessing.scales import LinearScale

SMALLEST_IMAGE = 8
IMAGE_BLOCK = 256


def _as_images(X: Any) -> NDArray[Any]:
    """Give images as (N, C, H, W), a view where possible."""
    images = stacked(X) if is_list_of_arrays(X) else as_array(X)
    if images.dtype.kind not in "buif":
        raise InputTypeError(
            f"Images must be numbers (uint8 or float), but their dtype is {images.dtype}.", code="wrong_type"
        )
    images = channels_first(images)
    shape = images.shape
    if images.ndim != 4 or shape[1] not in (1, 3) or min(shape[2:]) < SMALLEST_IMAGE:
        raise InputError(
            "Images must have the shape (N, H, W), (N, C, H, W) or (N, H, W, C) with 1 or 3 channels and at least "
            f"{SMALLEST_IMAGE}x{SMALLEST_IMAGE} pixels, but the shape is {np.shape(X)}.",
            code="image_shape",
        )
    return images


def _blocks(images: NDArray[Any]) -> Iterator[tuple[slice, NDArray[np.float64]]]:
    """Give checked images as float64, a block at a time."""
    for start in range(0, len(images), IMAGE_BLOCK):
        rows = slice(start, start + IMAGE_BLOCK)
        block = images[rows].astype(np.float64)
        _refuse_bad_pixels(block, first=start)
        yield rows, block


def _refuse_bad_pixels(block: NDArray[np.float64], *, first: int) -> None:
    with np.errstate(invalid="ignore"):
        bad = ~(np.abs(block) <= FLOAT32_LIMIT)
    if not bad.any():
        return
    numbers = first + np.flatnonzero(bad.any(axis=(1, 2, 3)))
    worst = block[bad][0]
    fault = (
        "NaN" if np.isnan(worst) else "infinity" if np.isinf(worst) else "values outside the float32 range"
    )
    raise InputError(
        f"Input X contains {fault}: {rows_phrase(numbers, what='image')}. "
        "Every pixel must be a finite number.",
        code="bad_pixels",
        rows=numbers[:5].tolist(),
    )


class ImageScaler:
    """Images as float32 in [0, 1], with channels first.

    Use it before a convolutional network. ``uint8`` images are divided by 255 and boolean ones become 0 and
    1; for other numbers the smallest and largest training pixel become 0 and 1, and later pixels beyond them
    lie outside [0, 1], held within a million.

    Attributes
    ----------
    shape_
        (C, H, W) of the training images, 1 or 3 channels and at least 8x8 pixels.
    low_, high_
        The pixels that become 0 and 1.

    Examples
    --------
    >>> images = np.full((2, 8, 8), 51, dtype=np.uint8)
    >>> scaler = ImageScaler().fit(images)
    >>> scaler.shape_, scaler.transform(images)[0, 0, 0, 0]
    ((1, 8, 8), np.float32(0.2))
    """

    def fit(self, X: Any) -> Self:
        """Learn from at least two images, (N, H, W), (N, C, H, W) or (N, H, W, C).

        Raises
        ------
        InputError
            For another shape, and for pixels that are not finite; names the images.

        Warns of ``uint8`` images whose largest pixel is 1.
        """
        images = _as_images(X)
        check_rows(len(images), at_least=2, shape=np.shape(X))
        if images.dtype == np.uint8:
            low, high = 0.0, 255.0
            if images.max() == 1:
                warn(
                    "the largest pixel of the uint8 images is 1, and division by 255 leaves them almost black: "
                    "pass masks of 0 and 1 as X.astype(bool), or multiply them by 255, in training and scoring"
                )
        elif images.dtype == bool:
            low, high = 0.0, 1.0
        else:
            extremes = [(float(block.min()), float(block.max())) for _, block in _blocks(images)]
            low, high = min(low for low, _ in extremes), max(high for _, high in extremes)
        self._set_learned(images.shape[1:], low=low, high=high)
        return self

    def transform(self, X: Any) -> Float32s:
        """Scale images (N, H, W), (N, C, H, W) or (N, H, W, C) to a new float32 array (N, C, H, W), always finite.

        Raises
        ------
        InputError
            For another shape than that of the training images, for another scale (bytes where training had
            fractions, fractions or 16 bits where it had bytes), and for pixels that are not finite.
        """
        images = self._checked(X)
        output = np.empty(images.shape, dtype=np.float32)
        for rows, block in _blocks(images):
            output[rows] = self._scale(block)
        return output

    def _checked(self, X: Any) -> NDArray[Any]:
        """Images of the training images' shape and range."""
        self._check_fitted()
        images = _as_images(X)
        check_rows(len(images), at_least=1, shape=np.shape(X))
        if images.shape[1:] != self.shape_:
            raise InputError(
                f"Images of shape (C, H, W) = {self.shape_} are expected, as in training, but these have "
                f"{images.shape[1:]}. Resize or crop them.",
                code="image_shape",
            )
        refuse_other_scale(images, self.low_, self.high_)
        return images

    def store(self, X: Any, device: torch.device) -> PixelRows:
        """Keep images as they came, to be scaled when they are taken; refuses what `transform` refuses."""
        images = self._checked(X)
        if images.dtype.kind == "f":
            for _ in _blocks(images):
                pass  # refuses bad pixels
        return PixelRows(images, self._scale, device)

    def fit_transform(self, X: Any) -> Float32s:
        """`fit`, then `transform` of the same images."""
        return self.fit(X).transform(X)

    def to_dict(self) -> dict[str, Any]:
        """Give everything learned as JSON-ready values, for `from_dict`."""
        self._check_fitted()
        return {"kind": "images", "shape": [*self.shape_], "low": self.low_, "high": self.high_}

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> Self:
        """Undo `to_dict`; raises ValueError, KeyError or TypeError if the state is damaged."""
        shape, low, high = tuple(state["shape"]), state["low"], state["high"]
        fits = len(shape) == 3 and all(type(size) is int and 0 < size < 2**20 for size in shape)
        if not fits or not (isinstance(low, float) and isinstance(high, float)):
            raise ValueError("the stored image shape or range is damaged")
        scaler = cls()
        scaler._set_learned(shape, low=low, high=high)
        return scaler

    def _set_learned(self, shape: tuple[int, ...], *, low: float, high: float) -> None:
        self._scale = LinearScale.between(low, high)
        self.shape_, self.low_, self.high_ = shape, low, high

    def _check_fitted(self) -> None:
        if not hasattr(self, "shape_"):
            raise NotFittedError("This ImageScaler is not fitted yet: call fit first.")
