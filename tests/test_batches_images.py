import io
import os
import struct
import sys
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from alarmnet.data_files import ImageFiles, image_files
from alarmnet.data_files.picture import decoded, shape_of
from alarmnet.errors import InputError, InputTypeError, MissingExtraError

GREY = np.random.default_rng(0).integers(0, 256, size=(7, 9, 12), dtype=np.uint8)
COLOUR = np.random.default_rng(1).integers(0, 256, size=(4, 9, 12, 3), dtype=np.uint8)


def folder(path: Path, images: Any = GREY, *, ending: str = ".png") -> Path:
    path.mkdir(parents=True, exist_ok=True)
    for number, image in enumerate(images):
        Image.fromarray(image).save(path / f"{number}{ending}")
    return path


def refused(*paths: Path, **options: Any) -> str:
    with pytest.raises(InputError) as caught:
        ImageFiles(paths, **options).read()
    return str(caught.value)


# folders


def test_a_folder_is_read_in_the_order_of_its_relative_paths(tmp_path: Path) -> None:
    folder(tmp_path / "b" / "deep", GREY[:1])
    folder(tmp_path / "a", GREY[1:3], ending=".PNG")
    folder(tmp_path / ".hidden")
    Image.fromarray(GREY[3]).save(tmp_path / "c.Jpeg", quality=100)
    (tmp_path / "labels.csv").write_text("file")
    (tmp_path / "._a.png").write_bytes(b"of a file system, not an image")
    files = ImageFiles(tmp_path)
    assert files.ids == ("a/0.PNG", "a/1.PNG", "b/deep/0.png", "c.Jpeg")
    assert (files.n_rows, files.shape, files.columns) == (4, (1, 9, 12), ())
    assert files.dtype == np.uint8
    found = files.read()
    assert np.array_equal(found.images[:3, 0], GREY[[1, 2, 0]])
    assert not found.bad_rows.any()


def test_batches_number_their_rows_and_hold_no_more_than_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = ImageFiles(folder(tmp_path))
    batches = list(files.batches(rows=3))
    assert [(batch.first_row, len(batch.images), len(batch.bad_rows)) for batch in batches] == [
        (0, 3, 3),
        (3, 3, 3),
        (6, 1, 1),
    ]
    assert np.array_equal(np.concatenate([batch.images for batch in batches])[:, 0], GREY)
    monkeypatch.setattr(image_files, "PIXELS_AT_ONCE", 2 * 9 * 12)
    assert [len(batch.images) for batch in files.batches()] == [2, 2, 2, 1]
    with pytest.raises(InputError, match="rows is 0; it must be at least 1"):
        list(files.batches(rows=0))


def test_several_folders_are_one(tmp_path: Path) -> None:
    first, second = folder(tmp_path / "a", GREY[:2]), folder(tmp_path / "b", GREY[2:4], ending=".jpg")
    assert ImageFiles([second, first]).ids == ("0.jpg", "1.jpg", "0.png", "1.png")
    folder(tmp_path / "b", GREY[:1])
    sentence = refused(first, second)
    assert f"{first}/0.png and {second}/0.png would both be called '0.png': rename one, or give" in sentence


@pytest.mark.parametrize("ending", [".bmp", ".tif", ".TIFF", ".webp"])
@pytest.mark.parametrize("image", [GREY[0], COLOUR[0]], ids=["grey", "colour"])
def test_every_format_gives_the_same_pixels(tmp_path: Path, ending: str, image: Any) -> None:
    Image.fromarray(image).save(tmp_path / f"a{ending}", lossless=True)
    (pixels,) = ImageFiles(tmp_path).read().images
    expected = np.stack([image] * len(pixels)) if image.ndim == 2 else image.transpose(2, 0, 1)
    assert len(pixels) == (3 if image.ndim == 3 or ending == ".webp" else 1)  # WebP has no grey
    assert np.array_equal(pixels, expected)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_tiff_is_upright(tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(GREY[0]).save(tmp_path / "a.png", exif=exif)
    Image.fromarray(GREY[0]).save(tmp_path / "a.tif", exif=exif)
    shape = shape_of(tmp_path / "a.png")
    assert shape_of(tmp_path / "a.tif") == shape
    turned, expected = (decoded(tmp_path / name, shape, reference="") for name in ("a.tif", "a.png"))
    assert np.array_equal(turned, expected)


def test_images_of_other_sizes_are_resized(tmp_path: Path) -> None:
    plain = folder(tmp_path, [np.full((9, 12), 50, np.uint8), np.full((30, 31), 200, np.uint8)])
    halves = np.repeat(np.array([[0, 100]], np.uint8), [16, 16], axis=1).repeat(20, axis=0)
    Image.fromarray(halves).save(tmp_path / "2.png")
    files = ImageFiles(plain, resize=(10, 8))
    found = files.read()
    assert files.shape == (1, 8, 10)
    assert not found.bad_rows.any()
    assert (found.images[0] == 50).all()
    assert (found.images[1] == 200).all()
    assert (found.images[2, 0, :, :4] == 0).all()
    assert (found.images[2, 0, :, -4:] == 100).all()
    for image in (COLOUR[0], GREY[0]):  # channels are never dropped
        Image.fromarray(image).save(tmp_path / "3.png")
        bad = ImageFiles(plain, shape=(1, 8, 10), resize=(10, 8)).read(on_bad_image="mark").bad_rows
        assert bad.tolist() == [False, False, False, image.ndim == 3]


def test_arrays_are_not_resized(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", GREY)
    assert "a.npy is an array, and only image files of folders are resized" in refused(
        tmp_path / "a.npy", resize=(10, 8)
    )


def test_folders_may_be_classes(tmp_path: Path) -> None:
    folder(tmp_path / "all" / "good" / "deep", GREY[:1])
    folder(tmp_path / "all" / "scratch", GREY[:1])
    folder(tmp_path / "all", GREY[:1])
    assert ImageFiles(tmp_path / "all").classes == (None, "good", "scratch")
    folder(tmp_path / "dent", GREY[1:2], ending=".bmp")
    both = ImageFiles([tmp_path / "all" / "scratch", tmp_path / "dent"])
    assert both.classes == ("scratch", "dent")


@pytest.mark.parametrize("mode", ["RGBA", "P", "CMYK"])
def test_colour_of_every_kind_becomes_three_channels(tmp_path: Path, mode: str) -> None:
    picture = Image.new("RGB", (12, 9), (200, 10, 60)).convert(mode)
    if mode == "P":
        picture.info["transparency"] = bytes([0, 128] * 8)
    picture.save(tmp_path / ("a.jpg" if mode == "CMYK" else "a.png"))
    (pixels,) = ImageFiles(tmp_path).read().images
    assert pixels.shape == (3, 9, 12)
    assert np.abs(pixels[:, 4, 4].astype(int) - [200, 10, 60]).max() < 30


@pytest.mark.parametrize("mode", ["1", "LA", "L"])
def test_grey_of_every_kind_keeps_one_channel(tmp_path: Path, mode: str) -> None:
    Image.fromarray(np.full((9, 12), 255, np.uint8)).convert(mode).save(tmp_path / "a.png")
    images = ImageFiles(tmp_path).read().images
    assert images.shape == (1, 1, 9, 12)
    assert (images == 255).all()


def test_grey_beside_colour_gets_three_equal_channels(tmp_path: Path) -> None:
    folder(tmp_path, GREY[:2])
    folder(tmp_path / "later", COLOUR[:1])
    files = ImageFiles(tmp_path)
    images = files.read().images
    assert files.shape == (3, 9, 12)
    assert np.array_equal(images[0], np.stack([GREY[0]] * 3))
    assert np.array_equal(images[2], COLOUR[0].transpose(2, 0, 1))


def test_a_model_of_colour_takes_grey_and_one_of_grey_refuses_colour(tmp_path: Path) -> None:
    grey, colour = folder(tmp_path / "grey"), folder(tmp_path / "colour", COLOUR)
    assert ImageFiles(grey, shape=(3, 9, 12)).read().images.shape == (7, 3, 9, 12)
    assert refused(colour, shape=(1, 9, 12)) == (
        f"{colour}/0.png has 12 x 9 pixels (width x height) in colour, but the training images have 12 x 9 pixels "
        "(width x height) in grey: convert those that differ, since all images must have one shape "
        "(for folders, `alarmnet fit --resize WIDTHxHEIGHT` makes it one)"
    )


def test_the_first_image_of_another_size_is_named_before_any_is_decoded(tmp_path: Path) -> None:
    folder(tmp_path)
    for name in ("5", "6"):
        Image.fromarray(GREY[0, :8]).save(tmp_path / f"{name}.png")
    with pytest.raises(InputError) as caught:
        ImageFiles(tmp_path)
    assert (
        f"{tmp_path}/5.png has 12 x 8 pixels (width x height) in grey, but {tmp_path}/0.png, the first, has 12 x 9"
        in (str(caught.value))
    )


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def bomb(side: int) -> bytes:
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    pixels = zlib.compress(bytes(1000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def deep() -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.full((9, 12), 4000, np.uint16)).save(stream, "PNG")
    return stream.getvalue()


def encoded(kind: str, image: Any = GREY[0], **options: Any) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, kind, **options)
    return stream.getvalue()


def deep_colours() -> bytes:
    """A PNG of 2 x 2 colours with 16 bits a channel, which Pillow cannot write."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )

    rows = 2 * (b"\0" + 2 * 3 * b"\x01\x17")
    header = struct.pack(">IIBBBBB", 2, 2, 16, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


SECOND = [Image.fromarray(GREY[1])]


FAULTS = {
    "text": (b"not an image", "is not a PNG, JPEG, BMP, TIFF or WebP image; convert or remove it"),
    "nothing": (b"", "is not a PNG, JPEG, BMP, TIFF or WebP image"),
    "other format": (encoded("GIF"), "is not a PNG, JPEG, BMP, TIFF or WebP image"),
    "truncated PNG": (encoded("PNG")[:-60], "is a damaged or truncated image"),
    "truncated JPEG": (encoded("JPEG")[:-60], "is a damaged or truncated image"),
    "bomb": (bomb(60_000), "declares more than 89,478,485 pixels, which may be an attack on memory"),
    "small bomb": (bomb(10_000), "declares more than 89,478,485 pixels, which may be an attack on memory"),
    "deep": (deep(), "has more than 8 bits a channel"),
    "deep TIFF": (encoded("TIFF", GREY[0].astype(np.uint16)), "has more than 8 bits a channel"),
    "deep colours": (deep_colours(), "has more than 8 bits a channel"),
    "animated PNG": (encoded("PNG", save_all=True, append_images=SECOND), "holds 2 pages or frames, and one"),
    "pages": (encoded("TIFF", save_all=True, append_images=SECOND), "holds 2 pages or frames, and one"),
    "film": (encoded("WEBP", save_all=True, append_images=SECOND), "holds 2 pages or frames, and one"),
    "truncated TIFF": (encoded("TIFF")[:-60], "is a damaged or truncated image"),
    "truncated BMP": (encoded("BMP")[:-60], "is a damaged or truncated image"),
    "truncated WebP": (encoded("WEBP", lossless=True)[:-60], "is a damaged or truncated image"),
}


def test_a_bmp_of_16_bits_a_pixel_has_fewer_than_8_a_channel(tmp_path: Path) -> None:
    pixels = struct.pack("<4H", 0x7FFF, 0, 0, 0x7FFF)
    head = struct.pack("<2sIHHI", b"BM", 66 + len(pixels), 0, 0, 66)
    info = struct.pack("<IiiHHIIiiII", 40, 2, 2, 1, 16, 3, len(pixels), 0, 0, 0, 0)
    masks = struct.pack("<3I", 0xF800, 0x7E0, 0x1F)
    (tmp_path / "1.bmp").write_bytes(head + info + masks + pixels)
    assert shape_of(tmp_path / "1.bmp") == (3, 2, 2)


@pytest.mark.parametrize("fault", FAULTS)
def test_an_unreadable_image_is_named_or_marked(tmp_path: Path, fault: str) -> None:
    content, sentence = FAULTS[fault]
    folder(tmp_path, GREY[:3])
    (tmp_path / "1.png").write_bytes(content)
    assert refused(tmp_path).startswith(f"{tmp_path}/1.png {sentence}")
    for shape in (None, (1, 9, 12)):
        found = ImageFiles(tmp_path, shape=shape).read(on_bad_image="mark")
        assert found.bad_rows.tolist() == [False, True, False]
        assert np.array_equal(found.images[:, 0], [GREY[0], np.zeros((9, 12)), GREY[2]])


def test_an_image_of_another_shape_than_the_models_is_marked(tmp_path: Path) -> None:
    folder(tmp_path, GREY[:3])
    Image.fromarray(GREY[0].T).save(tmp_path / "0.png")
    found = ImageFiles(tmp_path, shape=(1, 9, 12)).read(on_bad_image="mark")
    assert found.bad_rows.tolist() == [True, False, False]


def test_folders_without_a_usable_image_are_refused(tmp_path: Path) -> None:
    (tmp_path / "x.gif").touch()
    assert refused(tmp_path) == (
        f"the folder {tmp_path} holds no image and no table: no file in it ends in .png, .jpg, .jpeg, .bmp, .tif, "
        ".tiff, .webp, or as tables do"
    )
    (tmp_path / "x.png").write_bytes(b"text")
    with pytest.raises(InputError, match=r"x\.png is not a PNG"):
        ImageFiles(tmp_path)


def test_names_that_are_no_text_and_pipes_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    assert f"{tmp_path}/pipe.png is a pipe; give the path of a regular file" in refused(tmp_path)
    Path(os.fsdecode(bytes(tmp_path) + b"/\xff.png")).touch()
    assert "the file name '\\udcff.png' is not UTF-8; rename the file" in refused(tmp_path)


def test_without_pillow_a_folder_says_which_extra_it_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder(tmp_path)
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    with pytest.raises(MissingExtraError, match=r"needs Pillow.*pip install 'alarmnet\[images\]'"):
        ImageFiles(tmp_path)


# arrays


@pytest.mark.parametrize("ending", [".npy", ".npz", ".NPZ"])
@pytest.mark.parametrize(
    ("images", "expected"),
    [
        (GREY, GREY[:, np.newaxis]),
        (COLOUR, COLOUR.transpose(0, 3, 1, 2)),
        (COLOUR.transpose(0, 3, 1, 2).copy(), COLOUR.transpose(0, 3, 1, 2)),
        (GREY.astype(">f4"), GREY[:, np.newaxis].astype(np.float32)),
    ],
)
def test_arrays_become_images_with_channels_first(
    tmp_path: Path, ending: str, images: Any, expected: Any
) -> None:
    path = tmp_path / f"images{ending}"
    with path.open("wb") as stream:
        np.save(stream, images) if ending == ".npy" else np.savez(stream, x=images, y=np.arange(len(images)))
    files = ImageFiles([path, path])
    assert (files.n_rows, files.shape, files.ids) == (2 * len(images), expected.shape[1:], None)
    assert np.array_equal(files.read().images, np.concatenate([expected, expected]))
    parts = [batch.images for batch in ImageFiles(path).batches(rows=3)]
    assert max(map(len, parts)) == 3
    assert np.array_equal(np.concatenate(parts), expected)


def test_an_array_is_mapped_and_not_loaded(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.asfortranarray(GREY))
    (batch,) = ImageFiles(tmp_path / "a.npy").batches()
    mapped = batch.images
    while mapped.base is not None and not isinstance(mapped, np.memmap):
        mapped = mapped.base
    assert isinstance(mapped, np.memmap)
    assert not batch.images.flags.writeable


def test_an_archive_has_other_arrays_beside_its_images(tmp_path: Path) -> None:
    other = np.zeros((7, 8, 8))
    np.savez(tmp_path / "a.npz", images=GREY, other=other, labels=np.arange(7), few=np.arange(3))
    files = ImageFiles([tmp_path / "a.npz", tmp_path / "a.npz"])
    assert files.columns == ("other", "labels", "few")
    assert files.column("labels").tolist() == [*range(7), *range(7)]
    with pytest.raises(InputError, match=r"'few' has the shape \(3,\); one value for each of the 7 images"):
        files.column("few")
    with pytest.raises(InputError, match="there is no array 'y' next to the images; there are other, labels"):
        files.column("y")
    np.savez(tmp_path / "b.npz", x_train=GREY, x_test=other)
    assert "holds the arrays x_train, x_test: name the one with the images 'images'" in refused(
        tmp_path / "b.npz"
    )


def test_numbers_that_no_image_has_are_marked_or_left_for_the_encoder(tmp_path: Path) -> None:
    images = GREY.astype(np.float64)
    images[1, 0, 0], images[2, 0, 0], images[3, 0, 0] = np.nan, -np.inf, 1e39
    np.save(tmp_path / "a.npy", images)
    files = ImageFiles(tmp_path / "a.npy")
    assert np.flatnonzero(files.read(on_bad_image="mark").bad_rows).tolist() == [1, 2, 3]
    assert not files.read().bad_rows.any()


def test_no_images_give_one_empty_batch(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", GREY[:0])
    (batch,) = ImageFiles(tmp_path / "a.npy").batches()
    assert batch.images.shape == (0, 1, 9, 12)


def damaged_archive(path: Path) -> None:
    np.savez(path, images=GREY)
    content = bytearray(path.read_bytes())
    content[300] ^= 1
    path.write_bytes(content)


def lying_archive(path: Path) -> None:
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        stream, {"shape": (10**12, 28, 28), "fortran_order": False, "descr": "|u1"}
    )
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("images.npy", stream.getvalue())


@pytest.mark.parametrize(
    ("name", "write", "sentence"),
    [
        ("a.npy", lambda path: np.save(path, np.array([{}], object)), "or holds pickled objects"),
        ("a.npz", lambda path: np.savez(path, images=np.array([{}], object)), "the array holds object"),
        ("a.npy", lambda path: path.write_bytes(b"\x93NUMPY\x01\x00\x10\x00{'shape': ((("), "is damaged"),
        ("a.npy", lambda path: path.write_text("text"), "is damaged"),
        ("a.npz", lambda path: path.write_text("text"), "is damaged"),
        ("a.npz", damaged_archive, "is damaged"),
        ("a.npz", lambda path: np.savez(path, images=np.asfortranarray(GREY)), "stored in Fortran order"),
        ("a.npy", lambda path: np.save(path, np.zeros((2, 64))), r"has the shape (2, 64); images have"),
        ("a.npy", lambda path: np.save(path, np.zeros((2, 2, 8, 8))), "with 1 or 3 channels C"),
        ("a.npy", lambda path: np.save(path, np.zeros((2, 0, 8))), "has the shape (2, 0, 8)"),
        ("a.npy", lambda path: np.save(path, np.full((2, 8, 8), "a")), "the array holds <U1"),
        ("a.npy", lambda path: path.mkdir(), "holds no image"),
    ],
)
def test_arrays_that_cannot_be_used_are_refused(tmp_path: Path, name: str, write: Any, sentence: str) -> None:
    write(tmp_path / name)
    found = refused(tmp_path / name)
    assert str(tmp_path / name) in found
    assert sentence in found


def test_an_archive_that_promises_more_than_it_holds_allocates_nothing(tmp_path: Path) -> None:
    lying_archive(tmp_path / "a.npz")
    with pytest.raises(InputError, match="is damaged"):
        list(ImageFiles(tmp_path / "a.npz").batches())


def test_a_truncated_array_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", GREY)
    (tmp_path / "a.npy").write_bytes((tmp_path / "a.npy").read_bytes()[:-1])
    assert "a.npy is damaged" in refused(tmp_path / "a.npy")


def test_arrays_that_differ_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", GREY)
    np.save(tmp_path / "b.npy", GREY[:, :8])
    np.save(tmp_path / "c.npy", GREY / 255)
    a, b, c = (tmp_path / f"{name}.npy" for name in "abc")
    assert f"{b} has 12 x 8 pixels (width x height) in grey, but {a} has 12 x 9" in refused(a, b)
    assert f"{b} has 12 x 8 pixels (width x height) in grey, but the training images have" in refused(
        b, shape=(1, 9, 12)
    )
    with pytest.raises(InputTypeError, match=r"c\.npy holds float64 and .*a\.npy uint8: give both one type"):
        ImageFiles([a, c])


def test_files_of_another_kind_are_refused(tmp_path: Path) -> None:
    pictures = folder(tmp_path / "folder")
    np.save(tmp_path / "a.npy", GREY)
    assert "is a folder and" in refused(pictures, tmp_path / "a.npy")
    assert "0.png is a single image; give the folder that holds it" in refused(pictures / "0.png")
    assert "a format that is not read as images" in refused(tmp_path / "a.csv")
    assert "no.npy: there is no such file" in refused(tmp_path / "no.npy")
    assert "no files were given" in refused()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("ending", ["jpg", "png"])
def test_pictures_are_read_upright_as_viewers_show_them(
    orientation: int, ending: str, tmp_path: Path
) -> None:
    upright = np.arange(8 * 12, dtype=np.uint8).reshape(8, 12) * 2
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.T,
        6: np.rot90(upright),
        7: upright[::-1, ::-1].T,
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"turned.{ending}"
    Image.fromarray(np.ascontiguousarray(stored)).save(path, exif=exif, quality=100)
    shown = np.asarray(ImageOps.exif_transpose(Image.open(path)))
    assert np.abs(shown.astype(int) - upright).max() <= 4
    assert shape_of(path) == (1, 8, 12)
    np.testing.assert_array_equal(decoded(path, (1, 8, 12), reference="")[0], shown)


def test_a_picture_with_damaged_exif_is_read_as_it_is_stored(tmp_path: Path) -> None:
    pixels = np.arange(96, dtype=np.uint8).reshape(8, 12)
    for number, exif in enumerate((b"Exif\0\0II*\0\xff\xff\xff\xff", b"no exif", b"Exif\0\0" + b"\xff" * 40)):
        path = tmp_path / f"{number}.jpg"
        Image.fromarray(pixels).save(path, exif=exif, quality=100)
        assert decoded(path, (1, 8, 12), reference="").shape == (1, 8, 12)


@pytest.mark.parametrize("orientation", [3, 6])
def test_exif_behind_the_pixels_of_a_png_turns_the_picture_or_refuses_it(
    tmp_path: Path, orientation: int
) -> None:
    pixels = np.arange(96, dtype=np.uint8).reshape(8, 12)
    exif = Image.Exif()
    exif[0x0112] = orientation
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG", exif=exif)
    png = stream.getvalue()
    start = png.index(b"eXIf") - 4
    stop = start + 12 + struct.unpack(">I", png[start : start + 4])[0]
    path = tmp_path / "late.png"
    path.write_bytes(png[:start] + png[stop:-12] + png[start:stop] + png[-12:])
    if orientation == 3:
        np.testing.assert_array_equal(decoded(path, (1, 8, 12), reference="")[0], pixels[::-1, ::-1])
    else:
        with pytest.raises(InputError, match=r"late\.png has 8 x 12 pixels .*but the model reads 12 x 8"):
            decoded(path, (1, 8, 12), reference="the model reads")
