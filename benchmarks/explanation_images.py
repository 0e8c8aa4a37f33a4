"""Patches planted into images, for `benchmarks.explanations`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from alarmnet import A3Detector, ConvA3Detector
from alarmnet.datasets import load_cifar10, load_fashion_mnist, load_mnist

Result = dict[str, Any]
IMAGES = {"MNIST": load_mnist, "Fashion-MNIST": load_fashion_mnist, "CIFAR-10": load_cifar10}
SEED = 0
DRAWN_IMAGES, KNOWN_IMAGES, HELD_OUT_IMAGES, MOST_IMAGES, SIDE = 2950, 250, 300, 20, 6


def images_part(data: Sequence[str], half: str) -> Iterator[Result]:
    """Heat maps of patches; the development half are the training images, the test half the test images.

    Images are explained that raise an alarm with the patch and none without.
    """
    for name, load in ((name, load) for name, load in IMAGES.items() if name in data):
        for make in (A3Detector, ConvA3Detector):
            for patch in ("bright", "checkered"):
                yield patched(name, load, patch, make, SEED, half)


def patched(
    name: str,
    load: Callable[[], Any],
    patch: str,
    make: type[A3Detector | ConvA3Detector],
    seed: int,
    half: str,
) -> Result:
    generator = np.random.default_rng(seed)
    loaded = load()
    images = loaded.train_images if half == "development" else loaded.test_images
    images = images[generator.choice(len(images), DRAWN_IMAGES, replace=False)]
    images = images[:, None] if images.ndim == 3 else images.transpose(0, 3, 1, 2)
    images = np.ascontiguousarray(images)
    planted = KNOWN_IMAGES + HELD_OUT_IMAGES
    original = images[:planted].copy()
    corners = generator.integers(0, np.array(images.shape[2:]) - SIDE + 1, size=(planted, 2))
    pixels = 255 if patch == "bright" else 255 * (np.indices((SIDE, SIDE)).sum(axis=0) % 2)
    for image, (top, left) in zip(images, corners, strict=False):
        image[:, top : top + SIDE, left : left + SIDE] = pixels
    trained = np.r_[:KNOWN_IMAGES, planted : len(images)]
    detector = make(random_state=seed).fit(images[trained], (trained < KNOWN_IMAGES).astype(float))
    held_out = np.arange(KNOWN_IMAGES, planted)
    alarms = held_out[detector.predict(images[held_out]) == 1]
    caused = alarms[detector.predict(original[alarms]) == 0][:MOST_IMAGES] if len(alarms) else alarms
    about = {
        "data": name,
        "patch": patch,
        "detector": make.__name__,
        "seed": seed,
        "known": KNOWN_IMAGES,
        "alarm_share": len(alarms) / HELD_OUT_IMAGES,
        "explained": len(caused),
    }
    if not len(caused):
        return about
    began = time.process_time()
    found = detector.explain(images[caused])
    heat = found.values
    seconds = time.process_time() - began
    inside = []
    for warm, (top, left) in zip(heat, corners[caused], strict=True):
        patched = np.zeros(warm.shape, dtype=bool)
        patched[top : top + SIDE, left : left + SIDE] = True
        order = np.argsort(-warm, axis=None, kind="stable")
        counts = (round(0.05 * warm.size), SIDE**2)
        inside.append([patched.ravel()[order[:count]].mean() for count in counts])
    top_5, as_many = np.mean(inside, axis=0)
    possible = min(1.0, SIDE**2 / round(0.05 * heat[0].size))
    return about | {
        "patch_adds": float((found.logits - detector.logits(original[caused])).mean()),
        "inside_of_top_5_percent": float(top_5),
        "possible": possible,
        "share_of_possible": float(top_5) / possible,
        "inside_of_36_hottest": float(as_many),
        "ms_an_image": 1e3 * seconds / len(heat),
    }
