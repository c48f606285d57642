"""Images are decoded as a viewer shows them, in whatever form they are stored; a broken file is named."""

import re
import struct
import warnings

import numpy as np
import pytest
from PIL import Image, ImageOps

import sweeper.datasets.decode as module
from sweeper.datasets.decode import decode, read_image
from sweeper.datasets.image_files import ImageFile
from sweeper.system.errors import BadInput
from sweeper.system.machine import Memory

RANDOM = np.random.default_rng(0)
# Of large squares, which survive JPEG: red, green, blue and yellow, clockwise from the upper left.
PHOTO = np.array([[[200, 0, 0], [0, 200, 0]], [[200, 200, 0], [0, 0, 200]]], np.uint8).repeat(24, 0).repeat(16, 1)


def exif(orientation):
    """A block with the one tag, as a camera writes it."""
    entry = struct.pack("<HHIHH", 0x0112, 3, 1, orientation, 0)
    return b"Exif\0\0II*\0" + struct.pack("<IH", 8, 1) + entry + bytes(4)


def read(path, side=None):
    return read_image(path, side)[0]


@pytest.fixture
def save(tmp_path):
    """`save(image or pixels, name, **options)`: the file's path."""

    def save_image(image, name="0.png", **options):
        image = image if isinstance(image, Image.Image) else Image.fromarray(image)
        image.save(tmp_path / name, **options)
        return tmp_path / name

    return save_image


@pytest.mark.parametrize("ending", ["jpg", "png", "webp", "tif"])
@pytest.mark.parametrize("orientation", range(9))
def test_an_image_is_turned_as_viewers_turn_it(save, ending, orientation):
    """Stored so that the camera's tag brings it upright: by torchvision's and Pillow's own turn it is the photo."""
    back = {6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}
    method = back.get(orientation, module.UPRIGHT.get(orientation))
    stored = Image.fromarray(PHOTO) if method is None else Image.fromarray(PHOTO).transpose(method)
    options = {"tiffinfo": {module.ORIENTATION: orientation}} if ending == "tif" else {"exif": exif(orientation)}
    path = save(stored, f"photo.{ending}", **options)
    pixels = read(path)
    assert pixels.shape == PHOTO.shape
    assert np.abs(pixels.astype(int) - PHOTO)[4::8, 4::8].max() < 30
    with Image.open(path) as image:
        assert (pixels == np.asarray(ImageOps.exif_transpose(image).convert("RGB"))).all()


def test_an_orientation_that_is_none_or_torn_leaves_the_image_as_it_is_stored(save):
    plain, turned = read(save(PHOTO, "plain.jpg")), read(save(PHOTO, "turned.jpg", exif=exif(6)))
    whole = exif(6)
    blocks = [whole[:n] for n in range(6, len(whole))]
    blocks += [exif(0), exif(9), exif(65535), b"Exif\0\0" + b"\xff" * 40, whole.replace(b"\x08\0\0\0", b"\xff" * 4)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for block in blocks:
            pixels = read(save(PHOTO, "torn.jpg", exif=block))
            assert (pixels == (plain if pixels.shape == plain.shape else turned)).all(), block
        assert (read(save(PHOTO, "torn.jpg", exif=blocks[0])) == plain).all()
        assert (read(save(PHOTO, "torn.jpg", exif=exif(9))) == plain).all()


def test_a_torn_block_prints_nothing(save, recwarn):
    path = save(PHOTO, "torn.jpg", exif=exif(6)[:-9])
    with pytest.warns(UserWarning, match="EXIF"):
        Image.open(path).close()
    decode(path.parent, [ImageFile(path.name, 100, 0, 0)], None, None)
    assert not recwarn.list


def test_a_turned_image_is_cut_and_resized_upright(save):
    """The square is cut from the image's middle after it is turned."""
    wide = np.zeros((8, 40, 3), np.uint8)
    wide[:, 20:] = 255  # the right half is white; upright, the lower half is
    pixels = read(save(wide, "photo.png", exif=exif(6)), side=8)
    assert (pixels[:3] == 0).all() and (pixels[-3:] == 255).all()


def test_transparency_shows_white(save):
    """Whatever color is stored beneath; half of it is mixed."""
    pixels = RANDOM.integers(0, 256, (4, 3, 4), np.uint8)
    pixels[..., 3] = [[0], [255], [128], [1]]
    alpha = pixels[..., 3:] / 255
    expected = pixels[..., :3] * alpha + 255 * (1 - alpha)
    for ending in ("png", "tif"):
        shown = read(save(pixels, f"0.{ending}"))
        assert np.abs(shown - expected).max() <= 1
        assert (shown[0] == 255).all() and (shown[1] == pixels[1, :, :3]).all()


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB"])
def test_a_color_that_stands_for_transparency_shows_white(save, mode):
    image = Image.new(mode, (4, 2), 0)
    image.putpixel((1, 0), 1 if mode in "1P" else 255 if mode == "L" else (9, 8, 7))
    if mode == "P":
        image.putpalette([0, 0, 0, 9, 8, 7])
    pixels = read(save(image, transparency=(0, 0, 0) if mode == "RGB" else 0))
    assert (pixels[1] == 255).all() and (pixels[0, 0] == 255).all()
    assert pixels[0, 1].tolist() == ([255, 255, 255] if mode in "1L" else [9, 8, 7])


def test_a_palette_with_a_transparency_for_each_color(save):
    image = Image.new("P", (2, 1), 0)
    image.putpalette([10, 20, 30, 200, 100, 0])
    image.putpixel((1, 0), 1)
    path = save(image, transparency=bytes([0, 255]))
    assert read(path).tolist() == [[[255, 255, 255], [200, 100, 0]]]


def test_a_palette_without_transparency_has_its_colors(save):
    image = Image.fromarray(PHOTO).quantize(4)
    assert (read(save(image)) == np.asarray(image.convert("RGB"))).all()
    assert (read(save(image, "0.gif")) == np.asarray(image.convert("RGB"))).all()


@pytest.mark.parametrize("name", ["0.png", "0.tif", "0.pgm"])
def test_of_sixteen_bits_the_upper_eight_are_read(save, name):
    values = np.array([[0, 255, 256, 257, 1000, 32768, 65280, 65535]], np.uint16)
    pixels, gray = read_image(save(values, name), None)
    assert gray and pixels[..., 0].tolist() == [[0, 0, 1, 1, 3, 128, 255, 255]]
    assert (pixels[..., :1] == pixels).all()


def test_colors_of_sixteen_bits_are_read_as_gray_ones(tmp_path):
    values = np.array([[[0, 1000, 65535], [255, 256, 65280]]], ">u2")
    (tmp_path / "0.ppm").write_bytes(b"P6 2 1 65535\n" + values.tobytes())
    assert np.abs(read(tmp_path / "0.ppm").astype(int) - (values >> 8)).max() <= 1  # Pillow rounds


@pytest.mark.parametrize(
    ("most", "value", "expected"), [(15, 15, 255), (15, 5, 85), (1023, 1023, 255), (1023, 512, 128)]
)
def test_a_pgm_is_scaled_by_its_largest_value(tmp_path, most, value, expected):
    (tmp_path / "0.pgm").write_text(f"P2 2 1 {most}\n0 {value}\n")
    pixels, gray = read_image(tmp_path / "0.pgm", None)
    assert gray and pixels[0, :, 0].tolist() == [0, expected]


@pytest.mark.parametrize("kind", [np.int32, np.float32])
def test_values_without_a_fixed_range_are_refused(save, kind):
    path = save(np.zeros((6, 5), kind), "0.tif")
    with pytest.raises(BadInput, match=r"0\.tif: more than 16 bits a pixel \(mode [IF]\); convert it to 8 or 16 bits"):
        read(path)


def test_print_colors_become_those_of_a_screen(save):
    image = Image.fromarray(PHOTO).convert("CMYK")
    pixels = read(save(image, "0.jpg", quality=100))
    assert np.abs(pixels.astype(int) - PHOTO)[4::8, 4::8].max() < 30


@pytest.mark.parametrize("ending", ["gif", "webp", "png", "tif"])
def test_of_several_frames_or_pages_the_first_is_read(save, ending):
    frames = [Image.new("RGB", (8, 8), color) for color in ("red", "blue", "lime")]
    options = {"lossless": True} if ending == "webp" else {}
    path = save(frames[0], f"0.{ending}", save_all=True, append_images=frames[1:], **options)
    with Image.open(path) as image:
        assert image.n_frames == 3
    assert (read(path) == [255, 0, 0]).all()


@pytest.mark.parametrize(
    ("mode", "expected"), [("1", True), ("L", True), ("LA", True), ("I;16", True), ("P", False), ("RGB", False)]
)
def test_gray_is_told_from_the_form(save, mode, expected):
    image = Image.fromarray(np.zeros((3, 3), np.uint16)) if mode == "I;16" else Image.new(mode, (3, 3))
    assert read_image(save(image), None)[1] is expected


@pytest.mark.parametrize("content", [b"", b"no image at all", "cut off"])
def test_an_unreadable_image_is_named(save, content):
    path = save(RANDOM.integers(0, 256, (6, 5, 3), np.uint8))
    path.write_bytes(path.read_bytes()[:60] if content == "cut off" else content)
    with pytest.raises(BadInput, match=r"0\.png: unreadable image") as caught:
        read(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("workers", [1, 2])
def test_all_broken_images_are_named_at_once(save, workers, monkeypatch):
    monkeypatch.setattr("sweeper.datasets.decode.FILES_AT_A_TIME", 2)
    root = save(PHOTO, "0.png").parent
    files = [ImageFile(save(PHOTO, f"{k}.png").name, 100, 0, 0) for k in range(8)]
    for k in (0, 3, 6):
        (root / f"{k}.png").write_bytes(b"no image")
    with pytest.raises(BadInput) as caught:
        decode(root, files, None, workers)
    words = rf"{root}/0\.png: unreadable image .*; 2 more images can't be read, too: {root}/3\.png, {root}/6\.png"
    assert re.fullmatch(words, str(caught.value))

    for k in range(8):
        (root / f"{k}.png").write_bytes(b"")
    monkeypatch.setattr("sweeper.datasets.decode.MOST_BROKEN", 4)
    with pytest.raises(BadInput, match="; 3 more images can't be read, too: "):
        decode(root, files, None, workers)


def test_a_photo_cut_off_is_unreadable_even_if_its_exif_is_whole(save):
    path = save(PHOTO, "0.jpg", exif=exif(6))
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(BadInput, match=r"0\.jpg: unreadable image"):
        read(path)


def test_sizes_are_compared_upright(save):
    for k in (1, 2):
        save(PHOTO, f"{k}.png", exif=exif(6 if k == 2 else 1))
    files = [ImageFile(f"{k}.png", 100, 0, 0) for k in (1, 2)]
    root = save(PHOTO).parent
    with pytest.raises(BadInput, match=r"2\.png: 48x32 pixels, but 1\.png has 32x48; make them one size, or set data"):
        decode(root, files, None, 2)


def test_images_that_the_memory_does_not_hold_are_refused_before_any_is_read(save, monkeypatch):
    root = save(RANDOM.integers(0, 256, (6, 5, 3), np.uint8)).parent
    files = [ImageFile("0.png", 100, 0, 0)] * 8
    words = "dataset.image_size=1000000: 8 images of 1000000x1000000 pixels take 22,351.7 GiB of memory, and "
    with pytest.raises(BadInput, match=words):
        decode(root / "nowhere", files, 1_000_000, 1)
    monkeypatch.setattr(module, "memory", lambda: Memory(2**40, 8 * 3 * 5**2))
    assert decode(root, files, 5, 1).shape == (8, 5, 5, 3)
    with pytest.raises(BadInput, match=r"dataset.root=.*: 8 images of 5x6 pixels .* choose dataset.image_size=2 or"):
        decode(root, files, None, 1)


@pytest.mark.parametrize("where", ["open", "Image.getexif"])
def test_a_lack_of_memory_is_no_broken_image(save, monkeypatch, where):
    def fail(*given):
        raise MemoryError

    path = save(PHOTO)
    monkeypatch.setattr(f"sweeper.datasets.decode.Image.{where}", fail)
    with pytest.raises(MemoryError):
        read(path)


def test_an_image_that_can_not_be_read_at_the_moment_is_not_to_be_removed(save):
    path = save(PHOTO)
    path.unlink()
    with pytest.raises(BadInput, match=r"0\.png: can't be read: No such file or directory$"):
        read(path)
