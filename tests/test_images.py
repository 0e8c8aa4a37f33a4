import json
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.exceptions import NotFittedError

from alarmnet import A3Detector, Schedule
from alarmnet.errors import AlarmnetWarning, InputError, InputTypeError
from alarmnet.preprocessing import ImageScaler, encoder_from_dict
from alarmnet.report import make_report


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


SCALES: dict[str, Any] = {
    "bytes": lambda images: images,
    "bytes as int64": lambda images: images.astype(np.int64),
    "bytes as floats": lambda images: images.astype(float),
    "shares": lambda images: images / 255,
    "shares around 0": lambda images: images / 127.5 - 1,
    "16 bits": lambda images: images.astype(np.uint16) * 257,
    "floats that end at 250": lambda images: np.clip(images, 3, 250).astype(np.float32),
    "integers from 3": lambda images: np.clip(images, 3, 255).astype(np.int32),
    "black or white": lambda images: images > 100,
}


@pytest.mark.parametrize(
    ("trained", "came", "sentence"),
    [
        ("bytes", "shares", "(multiply by 255)"),
        ("bytes as floats", "shares", "(multiply by 255)"),
        ("bytes", "shares around 0", "(add 1 and divide by 2, then multiply by 255)"),
        ("bytes", "16 bits", "(divide by 65,535, then multiply by 255)"),
        (
            "bytes",
            "black or white",
            "on the scale 0 to 1 came, but the training images lay between 0 and 255,",
        ),
        ("floats that end at 250", "shares", "lay between 3 and 250, on the scale 0 to 255"),
        ("floats that end at 250", "shares around 0", "(add 1 and divide by 2, then multiply by 255)"),
        ("integers from 3", "shares", "(multiply by 255)"),
        ("integers from 3", "16 bits", "(divide by 65,535, then multiply by 255)"),
        ("shares", "bytes", "on the scale 0 to 1: scale them as those were (divide by 255)."),
        ("shares", "bytes as int64", "(divide by 255)"),
        ("shares", "bytes as floats", "(divide by 255)"),
        ("shares", "16 bits", "(divide by 65,535)"),
        ("shares", "shares around 0", "(add 1 and divide by 2)"),
        ("shares around 0", "bytes", "(divide by 255, then multiply by 2 and take off 1)"),
        ("16 bits", "bytes", "(divide by 255, then multiply by 65,535)"),
        ("16 bits", "shares", "(multiply by 65,535)"),
        ("black or white", "bytes", "(divide by 255)"),
    ],
)
def test_pixels_on_another_scale_are_refused(trained: str, came: str, sentence: str) -> None:
    images = bytes_images(4, 8, 8)
    images[0, 0, :2] = 0, 255
    scaler = ImageScaler().fit(SCALES[trained](images))
    with pytest.raises(InputError) as refused:
        scaler.transform(SCALES[came](images)[1:2])
    assert refused.value.code == "image_range"
    assert sentence in str(refused.value)


@pytest.mark.parametrize("trained", SCALES)
def test_pixels_on_the_same_scale_pass(trained: str) -> None:
    images = bytes_images(4, 8, 8)
    scaler = ImageScaler().fit(SCALES[trained](images))
    assert np.isfinite(scaler.transform(SCALES[trained](images[:1]))).all()


@pytest.mark.parametrize("came", ["bytes as int64", "bytes as floats"])
def test_bytes_are_the_same_whatever_type_holds_them(came: str) -> None:
    images = bytes_images(4, 8, 8)
    scaler = ImageScaler().fit(images)
    assert np.array_equal(scaler.transform(SCALES[came](images)), scaler.transform(images))


@pytest.mark.parametrize("kind", [np.uint8, np.int64, np.float32])
@pytest.mark.parametrize("brightest", [0, 1])
def test_a_dark_image_passes(kind: type, brightest: int) -> None:
    scaler = ImageScaler().fit(bytes_images(4, 8, 8))
    assert scaler.transform(np.full((1, 8, 8), brightest, kind)).max() <= 1 / 255 + 1e-9


@pytest.mark.parametrize("ends", [(0.0, 16.0), (0.0, 100.0), (0.0, 200.5), (-3.0, 200.0), (0.0, 3.2)])
def test_other_units_than_bytes_may_have_images_of_small_numbers(ends: tuple[float, float]) -> None:
    scaler = ImageScaler().fit(np.linspace(*ends, 256).reshape(4, 8, 8))
    assert scaler.transform(np.linspace(0, 0.9, 64).reshape(1, 8, 8)).max() < 0.6


def test_counts_may_have_a_bright_image() -> None:
    scaler = ImageScaler().fit(np.clip(bytes_images(4, 8, 8), 0, 200).astype(np.int32))
    assert scaler.transform(np.full((1, 8, 8), 300)).min() == 1.5


def test_masks_of_0_and_1_in_bytes_are_warned_of() -> None:
    masks = (bytes_images(4, 8, 8) > 100).astype(np.uint8)
    with pytest.warns(
        AlarmnetWarning, match=r"the largest pixel of the uint8 images is 1.*X\.astype\(bool\)"
    ):
        ImageScaler().fit(masks)
    for other in (masks * 255, masks * 2, masks * 0, masks.astype(bool), masks.astype(float)):
        ImageScaler().fit(other)


def test_a_bright_image_and_one_beyond_the_range_pass() -> None:
    shares = bytes_images(4, 8, 8) / 255
    around = ImageScaler().fit(shares * 2 - 1)
    assert around.transform(shares[:1]).min() >= 0
    shares[0, 0, :3] = 200, -3, 1.5
    assert ImageScaler().fit(shares[1:]).transform(shares).max() > 100


@pytest.mark.parametrize("channels", [1, 3])
def test_channels_may_be_last_where_nothing_else_can_be_channels(channels: int) -> None:
    last = bytes_images(4, 9, 10, channels)
    first = last.transpose(0, 3, 1, 2)
    scaler = ImageScaler().fit(last)
    assert scaler.shape_ == (channels, 9, 10)
    assert np.array_equal(scaler.transform(last), scaler.transform(first))
    rows = torch.arange(4)
    stored = [scaler.store(images, torch.device("cpu")).take(rows) for images in (last, first)]
    assert torch.equal(*stored)
    with pytest.raises(InputError, match="shape"):
        ImageScaler().fit(bytes_images(4, 3, 10, channels))  # (C, H, W) = (3, 10, 1 or 3)


def test_a_detector_reads_images_with_their_channels_last() -> None:
    brief = Schedule(steps=5, batch_size=16)
    options: Any = {"target_schedule": brief, "alarm_schedule": brief, "alarm_rate": 0.3, "random_state": 0}
    first = bytes_images(60, 3, 8, 9)
    first[:6, :, 2:5, 2:5] = 255
    last = np.ascontiguousarray(first.transpose(0, 2, 3, 1))
    labels = np.repeat([1, 0], [6, 54])
    found, expected = (A3Detector(**options).fit(images, labels) for images in (last, first))
    assert np.array_equal(found.decision_function(last), expected.decision_function(first))
    assert make_report(found, last, labels).facts["data"]["image_shape"] == [3, 8, 9]


@pytest.mark.parametrize("made", [list, tuple, lambda images: [torch.from_numpy(image) for image in images]])
def test_a_list_of_images_is_refused_in_our_words(small: Any, made: Any) -> None:
    images = bytes_images(12, 8, 9)
    with pytest.raises(
        InputError, match=r"12 arrays, the first of shape \(8, 9\)\. Pass images as one array of"
    ):
        small().fit(made(images))
    with pytest.raises(InputError, match=r"different shapes: \(8, 9\) first, and \(8, 8\) in image 1"):
        ImageScaler().fit(made([images[0], images[1][:, :8]]))
    assert np.array_equal(ImageScaler().fit_transform(made(images)), ImageScaler().fit_transform(images))


@pytest.mark.parametrize("shape", [(40, 4, 4), (40, 2, 8, 8)])
def test_a_detector_names_the_shape_of_all_images(small: Any, shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError) as refused:
        small().fit(bytes_images(*shape))
    assert str(shape) in str(refused.value)  # not only that of the training part
    assert refused.value.code == "image_shape"
