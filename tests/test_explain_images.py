"""Heat maps of images."""

from typing import Any

import numpy as np
import pytest

from alarmnet.errors import InputError
from alarmnet.explain import Explainer, global_importance
from alarmnet.explain.images import grid_of, tinted
from alarmnet.explain.model import Scored
from alarmnet.preprocessing import ImageScaler


def scored(score: Any, normal: np.ndarray) -> Scored:
    return Scored(
        score=score,
        odds=lambda images: score(images)[:, None],
        alarm_names=["alarm"],
        threshold=0.5,
        encoder=ImageScaler().fit(normal),
        normal=ImageScaler().fit_transform(normal),
        known=None,
        known_numbers=None,
    )


@pytest.mark.parametrize("shape", [(1, 12, 14), (3, 16, 9), (1, 40, 70)])
def test_the_heat_is_where_the_score_comes_from_and_adds_up(shape: tuple[int, ...]) -> None:
    generator = np.random.default_rng(0)
    normal = generator.integers(0, 30, size=(20, *shape), dtype=np.uint8)
    image = normal[:1].copy()
    image[..., 2:7, 1:6] = 255

    def score(images: np.ndarray) -> np.ndarray:
        return np.asarray(images[:, :, 2:7, 1:6].mean(axis=(1, 2, 3)) * 4, dtype=float)

    found = Explainer(scored(score, normal))(image)
    heat = found.values[0]
    assert heat.shape == shape[1:]
    np.testing.assert_allclose(heat.sum(), found.logits[0] - found.base_value[0], atol=1e-4)
    inside = np.zeros(heat.shape, dtype=bool)
    inside[2:7, 1:6] = True
    assert heat[inside].mean() > 3 * abs(heat[~inside].mean())
    assert np.unravel_index(heat.argmax(), heat.shape) in [
        (row, column) for row in range(9) for column in range(9)
    ]
    row = found.rows[0]
    assert row.alarm
    assert row.known is None
    assert row.reasons[0].column == "pixels"
    assert "the pixels that raise it most lie in row" in row.sentence
    np.testing.assert_array_equal(Explainer(scored(score, normal))(image).values, found.values)


def test_every_detector_explains_images(make: Any) -> None:
    generator = np.random.default_rng(0)
    images = generator.integers(0, 200, size=(60, 1, 9, 9), dtype=np.uint8)
    images[:6, :, 3:6, 3:6] = 255
    detector = make(target=None).fit(images, np.repeat([1.0, 0.0], [6, 54]))
    found = detector.explain(images, rows=[2, 50])
    assert found.values.shape == (2, 9, 9)
    assert found.data.shape == (2, 1, 9, 9)
    assert found.rows[0].known == ()
    np.testing.assert_allclose(found.values.sum(axis=(1, 2)), found.logits - found.base_value, atol=1e-4)
    with pytest.raises(InputError, match="images have no columns"):
        global_importance(detector, images)


def test_windows_cover_every_pixel_of_any_shape() -> None:
    for height, width in ((8, 8), (28, 28), (33, 100), (9, 224)):
        grid = grid_of(height, width)
        masks = grid.masks()
        assert masks.shape[1:] == (height, width)
        assert masks.any(axis=0).all()
        changes = np.arange(1.0, len(masks) + 1)
        heat = grid.heat(changes)
        assert heat.shape == (height, width)
        assert heat[masks[-1]].sum() == pytest.approx(changes[-1])
        assert (grid.heat(0 * changes) == 0).all()
        apart = np.random.default_rng(0).random((2, height, width))
        outside = np.stack([np.where(mask, 0, apart).sum(axis=(1, 2)) for mask in masks], axis=1)
        np.testing.assert_allclose(grid.outside(apart), outside)


def test_a_picture_of_heat_is_red_where_it_is_hot() -> None:
    heat = np.zeros((9, 9))
    heat[4, 4] = 1
    picture = tinted(np.ones((1, 9, 9), np.float32), heat)
    assert picture.shape == (3, 9, 9)
    assert picture[0, 4, 4] > 3 * picture[1, 4, 4]
    assert np.ptp(picture[:, 0, 0]) == 0


def test_heat_of_an_image_without_an_alarm_is_pale() -> None:
    image, heat = np.full((1, 9, 9), 0.5, np.float32), np.ones((9, 9))
    alarm, near, far = (tinted(image, heat, margin=margin) for margin in (3.0, -0.5, -5.0))
    np.testing.assert_array_equal(alarm, tinted(image, heat))
    assert (np.ptp(alarm, axis=0) > np.ptp(near, axis=0)).all()
    assert np.ptp(far, axis=0).max() < 0.01
