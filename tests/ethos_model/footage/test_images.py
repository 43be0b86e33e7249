"""Images, image sequences and animated images as video."""

import cv2
import numpy as np
import pytest
from PIL import Image

from ethos_model.footage.reader import VideoError, open_video
from ethos_model.footage.sources.images import natural, to_8_bits, white_level
from tests.ethos_model.footage import clips, heif


def save(path, pixels, **options):
    Image.fromarray(pixels).save(path, **options)
    return str(path)


@pytest.mark.parametrize(
    ("name", "tolerance"),
    [
        ("a.png", 0),
        ("a.bmp", 0),
        ("a.tif", 0),
        ("a.jpg", 9),
        ("a.webp", 9),
        ("a.avif", 9),
    ],
)
def test_one_image_is_a_video_of_one_frame(tmp_path, name, tolerance):
    shown = cv2.GaussianBlur(clips.image(3), (9, 9), 3)
    path = save(tmp_path / name, shown, quality=95)
    with open_video(path) as source:
        assert source.info.size == clips.SIZE
        assert source.info.frame_count == 1
        frame = source.read()
        assert source.read() is None
    assert (frame.index, frame.timestamp) == (0, 0.0)
    assert np.abs(frame.image.astype(int) - shown).max() <= tolerance


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp", "a.tif", "a.avif"])
def test_photographs_are_upright(tmp_path, name, orientation):
    shown = np.zeros((48, 64, 3), np.uint8)
    shown[:24, :32], shown[:24, 32:], shown[24:, :32] = 250, 160, 80
    stored = {
        1: shown,
        2: shown[:, ::-1],
        3: shown[::-1, ::-1],
        4: shown[::-1],
        5: shown.transpose(1, 0, 2),
        6: np.rot90(shown),
        7: shown[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(shown, -1),
    }[orientation]
    image = Image.fromarray(np.ascontiguousarray(stored))
    exif = image.getexif()
    exif[0x0112] = orientation
    path = str(tmp_path / name)
    image.save(path, exif=exif)
    result = clips.read_all(path)[0].image
    assert result.shape == shown.shape
    assert np.abs(result.astype(int) - shown).mean() < 4


@pytest.mark.parametrize("bits", [10, 12, 14, 16])
@pytest.mark.parametrize("name", ["a.png", "a.tif"])
@pytest.mark.parametrize("colour", [True, False])
def test_sixteen_bit_images_keep_the_range_of_their_content(
    tmp_path, name, bits, colour
):
    top = 2**bits - 1
    ramp = np.linspace(0, top, 256).round().astype(np.uint16)
    stored = np.tile(ramp, (8, 1))
    if colour:
        stored = np.stack([stored, stored[:, ::-1], stored // 2], -1)
    path = str(tmp_path / name)
    assert cv2.imwrite(path, stored[..., ::-1] if colour else stored)
    image = clips.read_all(path)[0].image
    expected = stored if colour else np.repeat(stored[..., None], 3, -1)
    np.testing.assert_allclose(image, expected * (255 / top), atol=0.51)
    assert len(np.unique(image)) == 256


def test_floating_point_images_are_scaled_to_their_white():
    ramp = np.linspace(0, 1, 30, dtype=np.float32).reshape(1, 10, 3)
    assert white_level([ramp]) == 1
    np.testing.assert_array_equal(to_8_bits(ramp, 1), np.rint(255 * ramp))
    assert white_level([300 * ramp]) == 65535


def test_all_images_of_a_sequence_have_one_brightness(tmp_path):
    for number, level in enumerate((300, 4000, 900)):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.full((8, 9), level, np.uint16))
    levels = [frame.image[0, 0, 0] for frame in clips.read_all(str(tmp_path))]
    assert levels == [round(v * 255 / 4095) for v in (300, 4000, 900)]


def test_images_with_8_and_16_bits_have_one_brightness(tmp_path):
    for number, image in enumerate((np.uint8(100), np.uint16(100 * 257), np.uint8(9))):
        white = np.array([255 * (257 if image.dtype == np.uint16 else 1)], image.dtype)
        pixels = np.full((8, 9), image)
        pixels[0, 0] = white[0]
        cv2.imwrite(str(tmp_path / f"{number}.png"), pixels)
    levels = [frame.image[5, 5, 0] for frame in clips.read_all(str(tmp_path))]
    assert levels == [100, 100, 9]


def test_a_directory_of_images_is_read_in_natural_order(tmp_path):
    for number in (10, 2, 1):
        save(tmp_path / f"frame {number}.png", clips.image(number))
    (tmp_path / "frame 3.png").write_bytes(b"damaged")
    (tmp_path / "notes.txt").write_text("not an image")
    (tmp_path / ".frame 4.png").write_text("hidden")
    with open_video(str(tmp_path)) as source:
        assert source.info.frame_count == 4
        frames = list(iter(source.read, None))
        assert source.damage.errors == 1
        assert source.damage.frames == 3
        assert source.damage.missing_seconds == pytest.approx(1 / 25)
        source.seek(3)
        assert clips.number_in(source.read().image) == 10
    assert [clips.number_in(frame.image) for frame in frames] == [1, 2, 10]
    assert [frame.index for frame in frames] == [0, 1, 3]
    assert frames[-1].timestamp == pytest.approx(3 / 25)


@pytest.mark.parametrize("pattern", ["shot%04d.png", "shot*.png", "shot%d.png"])
def test_a_pattern_selects_images(tmp_path, pattern):
    for number in (7, 12):
        save(tmp_path / f"shot{number:04d}.png", clips.image(number))
    save(tmp_path / "other0001.png", clips.image(1))
    frames = clips.read_all(str(tmp_path / pattern))
    assert [clips.number_in(frame.image) for frame in frames] == [7, 12]


def test_a_damaged_first_image_is_left_out(tmp_path):
    (tmp_path / "1.png").write_bytes(b"not an image")
    for number in (2, 3):
        save(tmp_path / f"{number}.png", np.zeros((8, 12, 3), np.uint8))
    with open_video(str(tmp_path)) as source:
        assert source.info.size == (12, 8)
        assert [frame.index for frame in iter(source.read, None)] == [1, 2]


def test_images_keep_their_own_sizes(tmp_path):
    save(tmp_path / "1.png", clips.image(1))
    save(tmp_path / "2.png", clips.image(2, (192, 128)))
    frames = clips.read_all(str(tmp_path))
    assert [frame.image.shape for frame in frames] == [(64, 96, 3), (128, 192, 3)]
    assert clips.number_in(frames[1].image) == 2


@pytest.mark.parametrize("name", ["a.gif", "a.webp", "a.png", "a.apng", "a.avif"])
def test_animated_images_keep_their_durations(tmp_path, name):
    images = [Image.fromarray(clips.image(number)) for number in range(6)]
    durations = [40, 100, 200, 40, 60, 500]
    path = str(tmp_path / name)
    images[0].save(
        path,
        format="PNG" if "png" in name else None,
        save_all=True,
        append_images=images[1:],
        duration=durations,
        quality=90,
    )
    starts = np.cumsum([0, *durations[:-1]]) / 1000
    with open_video(path) as source:
        assert source.info.frame_count == 6
        frames = list(iter(source.read, None))
        np.testing.assert_allclose([f.timestamp for f in frames], starts, atol=2e-3)
        assert [clips.number_in(frame.image) for frame in frames] == [*range(6)]
        for index in (4, 1, 5, 0):
            source.seek(index)
            assert clips.digest(source.read()) == clips.digest(frames[index])
            assert source.index_at(starts[index] + 0.004) == index
    with open_video(path) as source:
        source.seek(4)
        assert clips.digest(source.read()) == clips.digest(frames[4])


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_every_page_of_a_tiff_file_is_a_frame(tmp_path, dtype):
    scale = 1 if dtype == np.uint8 else 257
    pages = [clips.image(number).astype(dtype) * scale for number in range(4)]
    path = str(tmp_path / "a.tif")
    assert cv2.imwritemulti(path, [page[..., ::-1] for page in pages])
    frames = clips.read_all(path)
    assert [clips.number_in(frame.image) for frame in frames] == [0, 1, 2, 3]
    for frame, number in zip(frames, range(4), strict=True):
        np.testing.assert_allclose(frame.image, clips.image(number), atol=1)


def test_a_truncated_animation_reports_what_was_lost(tmp_path):
    images = [
        Image.fromarray(
            np.random.default_rng(k).integers(0, 255, (40, 60, 3), np.uint8)
        )
        for k in range(8)
    ]
    path = tmp_path / "a.gif"
    images[0].save(path, save_all=True, append_images=images[1:], duration=100)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 6 // 10])
    with open_video(str(path)) as source:
        count = len(list(iter(source.read, None)))
        assert 3 <= count < 8


def test_natural_order_compares_numbers_by_value():
    names = ["b2", "a10", "a2", "a", "2", "10", "1"]
    assert sorted(names, key=natural) == ["1", "2", "10", "a", "a2", "a10", "b2"]


def test_a_damaged_image_is_named(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    with pytest.raises(VideoError, match=r"a\.png: not an image"):
        open_video(str(path))


@pytest.mark.parametrize("mirror", [None, 0, 1])
@pytest.mark.parametrize("rotation", range(4))
def test_heic_images_with_and_without_tiles_are_upright(tmp_path, rotation, mirror):
    stored = cv2.GaussianBlur(clips.image(5, (256, 128)), (9, 9), 3)
    quarters = [stored[y : y + 64, x : x + 128] for y in (0, 64) for x in (0, 128)]
    options = {"size": (256, 128), "rotation": rotation, "mirror": mirror}
    single = heif.write(str(tmp_path / "a.heic"), [stored], columns=1, **options)
    tiled = heif.write(str(tmp_path / "b.heic"), quarters, columns=2, **options)
    shown = np.rot90(stored, rotation)
    if mirror is not None:
        shown = shown[::-1] if mirror == 0 else shown[:, ::-1]
    for path in (single, tiled):
        frames = clips.read_all(path)
        assert len(frames) == 1
        assert frames[0].image.shape == shown.shape
        assert np.abs(frames[0].image.astype(int) - shown).mean() < 3


def test_tiles_reach_beyond_a_heic_image(tmp_path):
    stored = clips.image(5, (256, 128))
    quarters = [stored[y : y + 64, x : x + 128] for y in (0, 64) for x in (0, 128)]
    path = heif.write(str(tmp_path / "a.heic"), quarters, columns=2, size=(250, 120))
    image = clips.read_all(path)[0].image
    assert image.shape == (120, 250, 3)
    assert np.abs(image.astype(int) - stored[:120, :250]).mean() < 3


@pytest.mark.parametrize("name", ["a.png", "a.webp"])
def test_what_is_transparent_is_black(tmp_path, name):
    pixels = np.full((8, 9, 4), (200, 100, 50, 255), np.uint8)
    pixels[:4, :, 3] = 0
    Image.fromarray(pixels).save(tmp_path / name, lossless=True)
    (frame,) = clips.read_all(str(tmp_path / name))
    assert (frame.image[:4] == 0).all()
    np.testing.assert_allclose(frame.image[4:], pixels[4:, :, :3], atol=1)


def test_a_pattern_matches_images_only(tmp_path):
    clips.write(str(tmp_path / "v.mp4"), [clips.image(0)] * 3)
    cv2.imwrite(str(tmp_path / "v.png"), clips.image(1))
    assert len(clips.read_all(str(tmp_path / "*"))) == 1
    with pytest.raises(VideoError, match="no file matches"):
        clips.read_all(str(tmp_path / "*.mp4"))
