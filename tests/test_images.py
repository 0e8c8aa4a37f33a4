import json
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.exceptions import NotFittedError

from alarmnet.errors import InputError, InputTypeError
from alarmnet.preprocessing import ImageScaler, encoder_from_dict


def bytes_images(*shape: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.random.default_rng(0).integers(0, 256, size=shape, dtype=np.uint8)


def test_bytes_are_divided_by_255_and_get_a_channel() -> None:
    images = bytes_images(300, 8, 9)
    scaler = ImageScaler()
    scaled = scaler.fit_transform(images)
    assert scaler.shape_ == (1, 8, 9)
    assert scaled.dtype == np.float32
    assert np.array_equal(scaled, (images[:, np.newaxis] / 255).astype(np.float32))
    assert not np.shares_memory(scaled, images)


def test_other_numbers_span_their_training_range_and_leave_it_linearly() -> None:
    images = np.zeros((300, 3, 8, 8))
    images[280] = -2.0
    images[1] = 6.0
    scaler = ImageScaler().fit(images)
    assert (scaler.low_, scaler.high_) == (-2.0, 6.0)
    assert scaler.transform(images)[[0, 1, 280], 0, 0, 0].tolist() == [0.25, 1.0, 0.0]
    assert scaler.transform(images + 8)[1, 0, 0, 0] == 2.0


@pytest.mark.parametrize("scale", [0.0, 1e-45, 3e38])
def test_constant_and_extreme_images_stay_finite(scale: float) -> None:
    images = np.full((2, 8, 8), scale, dtype=np.float32)
    scaled = ImageScaler().fit(images).transform(np.full((1, 8, 8), np.finfo(np.float32).max))
    assert np.all(np.isfinite(scaled))
    assert np.all(ImageScaler().fit_transform(images) == 0)


def test_same_values_scale_alike_whatever_the_container() -> None:
    images = bytes_images(4, 3, 8, 8)
    scaler = ImageScaler().fit(images)
    expected = scaler.transform(images).tobytes()
    for other in (
        images.astype(np.float32),
        np.asfortranarray(images),
        torch.tensor(images),
        images.tolist(),
    ):
        assert scaler.transform(other).tobytes() == expected
    assert ImageScaler().fit_transform(images > 100).max() == 1.0


def test_bad_pixels_are_refused_with_image_numbers() -> None:
    images = np.zeros((600, 8, 8))
    scaler = ImageScaler().fit(images)
    for value, sentence in ((np.nan, "NaN"), (np.inf, "infinity"), (1e39, "outside the float32 range")):
        bad = images.copy()
        bad[[300, 301], 4, 4] = value
        for method in (scaler.transform, ImageScaler().fit):
            with pytest.raises(
                InputError, match=f"contains .*{sentence}.*: images 300, 301. Every pixel"
            ) as e:
                method(bad)
            assert e.value.rows == (300, 301)


@pytest.mark.parametrize(
    ("images", "sentence"),
    [
        (np.zeros((2, 28, 28, 3)), r"channels last.*X.transpose\(0, 3, 1, 2\)"),
        (np.zeros((2, 2, 8, 8)), "1 or 3 channels"),
        (np.zeros((2, 7, 8)), "at least 8x8 pixels, but the shape is .2, 7, 8."),
        (np.zeros((8, 8)), "must have the shape"),
        (np.zeros((1, 8, 8)), r"1 sample\(s\)"),
        (np.zeros((0, 8, 8)), r"0 sample\(s\)"),
    ],
)
def test_other_shapes_are_refused(images: np.ndarray[Any, Any], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        ImageScaler().fit(images)


def test_text_complex_and_other_shapes_than_in_training_are_refused() -> None:
    for images in (np.full((2, 8, 8), "a"), np.zeros((2, 8, 8), dtype=complex)):
        with pytest.raises(InputTypeError, match="Images must be numbers"):
            ImageScaler().fit(images)
    scaler = ImageScaler().fit(bytes_images(2, 8, 8))
    with pytest.raises(InputError, match=r"\(1, 8, 8\) are expected.*these have \(1, 9, 8\)"):
        scaler.transform(bytes_images(2, 9, 8))
    with pytest.raises(NotFittedError):
        ImageScaler().transform(bytes_images(2, 8, 8))
    with pytest.raises(NotFittedError):
        ImageScaler().to_dict()


def test_state_survives_json() -> None:
    images = np.random.default_rng(0).normal(size=(5, 3, 8, 8))
    scaler = ImageScaler().fit(images)
    state = json.loads(json.dumps(scaler.to_dict()))
    again = encoder_from_dict(state)
    assert isinstance(again, ImageScaler)
    assert again.shape_ == (3, 8, 8)
    assert again.transform(images).tobytes() == scaler.transform(images).tobytes()


@pytest.mark.parametrize(
    "change",
    [{"shape": [1, 8]}, {"shape": None}, {"shape": [1, -8, 8]}, {"low": float("nan")}, {"high": "x"}],
)
def test_damaged_state_is_refused(change: dict[str, Any]) -> None:
    state = ImageScaler().fit(bytes_images(2, 8, 8)).to_dict()
    with pytest.raises((ValueError, TypeError)):
        encoder_from_dict(state | change)


def test_bytes_are_refused_where_training_had_shares() -> None:
    images = bytes_images(4, 8, 8)
    scaler = ImageScaler().fit(images / 255)
    with pytest.raises(InputError, match=r"Images of bytes, 0 to 255, came, but .* between 0 and 1"):
        scaler.transform(images)
    assert ImageScaler().fit(images > 100).transform(images > 100).max() == 1
    assert ImageScaler().fit(images.astype(float)).transform(images).max() == 1


FRACTIONS = np.random.default_rng(0).random((4, 8, 8))
BYTES = (FRACTIONS * 255).round().astype(np.uint8)


@pytest.mark.parametrize(
    ("trained", "given", "remedy"),
    [
        (BYTES, FRACTIONS, "multiply them by 255"),
        (BYTES, FRACTIONS.astype(np.float32)[:, np.newaxis], "multiply them by 255"),
        (BYTES, FRACTIONS * 2 - 1, r"\(X \+ 1\) \* 127.5"),
        (BYTES, (FRACTIONS * 65535).astype(np.uint16), "scale them to 0 to 255"),
        (FRACTIONS, BYTES, "divide by 255"),
        (FRACTIONS, BYTES.astype(np.int64), "divide by 255"),
        (FRACTIONS, BYTES.astype(np.float32), "divide by 255"),
    ],
)
def test_images_on_another_scale_than_in_training_are_refused(trained: Any, given: Any, remedy: str) -> None:
    scaler = ImageScaler().fit(trained)
    for read in (scaler.transform, lambda images: scaler.store(images, torch.device("cpu"))):
        with pytest.raises(InputError, match=remedy) as caught:
            read(given)
        assert caught.value.code == "image_range"


@pytest.mark.parametrize("kind", [np.int64, np.float32, np.float64, ">i2"])
def test_bytes_of_another_type_are_the_same(kind: Any) -> None:
    scaler = ImageScaler().fit(BYTES)
    expected = scaler.transform(BYTES)
    np.testing.assert_array_equal(scaler.transform(BYTES.astype(kind)), expected)
    np.testing.assert_array_equal(scaler.store(BYTES.astype(kind), torch.device("cpu")).all(), expected)


def test_dark_bytes_and_black_images_are_read() -> None:
    scaler = ImageScaler().fit(BYTES)
    assert scaler.transform((BYTES > 200).astype(np.uint8)).max() == np.float32(1 / 255)
    assert scaler.transform(np.zeros((1, 8, 8))).max() == 0
    beyond = ImageScaler().fit(FRACTIONS).transform(FRACTIONS * 3)
    assert beyond.max() > 2
