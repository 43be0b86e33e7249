"""Colour, brightness, orientation and pixel shape of the frames that are read."""

import fractions
import pathlib

import av
import numpy as np
import pytest

from ethos_model.footage.reader import open_video
from tests.ethos_model.footage import clips

WEIGHTS = {"bt601": (0.299, 0.114), "bt709": (0.2126, 0.0722)} | {
    "bt2020": (0.2627, 0.0593)
}
"""Kr and Kb of ITU-R BT.601, BT.709 and BT.2020."""

MATRIX_NUMBERS = {"bt601": 6, "bt709": 1, "bt2020": 9}
"""ITU-T H.273, table 4."""


def patches(seed=0, size=(96, 64), side=16):
    """float (H, W, 3) RGB in [0, 1]: uniform squares in random colours."""
    width, height = size
    colors = np.random.default_rng(seed).random((height // side, width // side, 3))
    return np.kron(colors, np.ones((side, side, 1)))


def centers(image, side=16):
    """The pixels in the middle of each patch, (rows, columns, 3)."""
    return image[side // 2 :: side, side // 2 :: side]


def ycbcr_frame(rgb, matrix, *, full, bits):
    """A 4:2:0 video frame with the given colours, by the definition of YCbCr."""
    red, blue = WEIGHTS[matrix]
    luma = rgb @ [red, 1 - red - blue, blue]
    differences = [
        (rgb[..., 2] - luma) / (2 * (1 - blue)),
        (rgb[..., 0] - luma) / (2 * (1 - red)),
    ]
    top, scale = 2**bits - 1, 2 ** (bits - 8)
    if full:
        planes = [luma * top, *(d * top + 2 ** (bits - 1) for d in differences)]
    else:
        planes = [
            (16 + 219 * luma) * scale,
            *((128 + 224 * d) * scale for d in differences),
        ]
    frame = av.VideoFrame(
        rgb.shape[1], rgb.shape[0], "yuv420p" if bits == 8 else f"yuv420p{bits}le"
    )
    for plane, values, step in zip(frame.planes, planes, (1, 2, 2), strict=True):
        values = np.clip(np.round(values[::step, ::step]), 0, top)
        buffer = np.frombuffer(plane, np.uint8 if bits == 8 else np.uint16)
        buffer.reshape(plane.height, -1)[:, : values.shape[1]] = values
    return frame


def write_colors(path, rgb, *, matrix, full, bits=8, transfer=1, primaries=1):
    """A lossless video of two equal frames with stated colour properties."""

    def prepare(stream):
        context = stream.codec_context
        context.colorspace = MATRIX_NUMBERS[matrix]
        context.color_range = 2 if full else 1
        context.color_trc, context.color_primaries = transfer, primaries

    return clips.write(
        path,
        [rgb] * 2,
        codec="ffv1",
        pixel_format="yuv420p" if bits == 8 else f"yuv420p{bits}le",
        prepare=prepare,
        convert=lambda pixels: ycbcr_frame(pixels, matrix, full=full, bits=bits),
    )


@pytest.mark.parametrize("bits", [8, 10, 12])
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("matrix", WEIGHTS)
def test_colours_follow_the_stated_matrix_and_range(tmp_path, matrix, full, bits):
    rgb = patches()
    path = write_colors(
        str(tmp_path / "v.mkv"), rgb, matrix=matrix, full=full, bits=bits
    )
    frame = clips.read_all(path)[0]
    error = centers(frame.image.astype(float)) - 255 * centers(rgb)
    assert np.abs(error).max() < (4.2 if bits == 8 else 1)


@pytest.mark.parametrize(("height", "matrix"), [(64, "bt601"), (640, "bt709")])
def test_small_videos_without_a_stated_matrix_use_bt601(tmp_path, height, matrix):
    rgb = patches(size=(96, height))
    path = clips.write(
        str(tmp_path / "v.mkv"),
        [rgb],
        codec="ffv1",
        convert=lambda pixels: ycbcr_frame(pixels, matrix, full=False, bits=8),
    )
    frame = clips.read_all(path)[0]
    error = centers(frame.image.astype(float)) - 255 * centers(rgb)
    assert np.abs(error).max() < 4.2


@pytest.mark.parametrize(("codec", "full"), [("ffv1", True), ("libx264", False)])
def test_gray_video_has_the_range_of_its_codec(tmp_path, codec, full):
    levels = np.repeat(np.arange(16, 236, 20, dtype=np.uint8), 8)[:88]

    def convert(pixels):
        frame = av.VideoFrame(88, 16, "gray")
        for plane in frame.planes:
            np.frombuffer(plane, np.uint8).reshape(16, -1)[:, :88] = levels
        return frame

    path = clips.write(
        str(tmp_path / "v.mkv"),
        [np.zeros((16, 88, 3))],
        codec=codec,
        pixel_format="gray",
        options={"crf": "1"} if codec == "libx264" else {},
        convert=convert,
    )
    row = clips.read_all(path)[0].image[8, 4::8, 0].astype(float)
    expected = levels[4::8] if full else (levels[4::8] - 16.0) * 255 / 219
    np.testing.assert_allclose(row, expected, atol=2)


def pq(luminance):
    """PQ signal of a luminance in cd/m2 (SMPTE ST 2084, equation 5.2)."""
    y = np.asarray(luminance, float) / 10000
    power = y**0.1593017578125
    return ((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375


def pq_inverse(signal):
    power = np.asarray(signal, float) ** (1 / 78.84375)
    ratio = np.maximum(power - 0.8359375, 0) / (18.8515625 - 18.6875 * power)
    return 10000 * ratio ** (1 / 0.1593017578125)


def hlg(light):
    """HLG signal of scene light in [0, 1] (ARIB STD-B67)."""
    light = np.asarray(light, float)
    high = 0.17883277 * np.log(np.maximum(12 * light - 0.28466892, 1e-9)) + 0.55991073
    return np.where(light <= 1 / 12, np.sqrt(3 * light), high)


def sdr(luminance):
    """Output level of BT.709 luminance: BT.2390 from 1000 to 203 cd/m2, gamma 2.4."""
    top, white = pq(1000), pq(203) / pq(1000)
    signal, knee = np.minimum(pq(luminance) / top, 1), 1.5 * white - 0.5
    t = (signal - knee) / (1 - knee)
    spline = (
        (2 * t**3 - 3 * t**2 + 1) * knee
        + (t**3 - 2 * t**2 + t) * (1 - knee)
        + (3 * t**2 - 2 * t**3) * white
    )
    mapped = pq_inverse(np.where(signal < knee, signal, spline) * top)
    return 255 * (mapped / 203) ** (1 / 2.4)


LUMINANCES = [0.01, 0.05, 0.2, 1, 5, 20, 60, 100, 203, 500, 900, 1000]
"""cd/m2, from deep shadow to highlight."""

TO_BT2020 = np.array(
    [[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]]
)
"""Linear BT.709 to linear BT.2020 (ITU-R BT.2087)."""


def hdr_file(path, luminance, transfer):
    """Writes BT.709 luminances (cd/m2, (H, W, 3)) as 10-bit HDR video."""
    wide = luminance @ TO_BT2020.T
    if transfer == 16:
        signal = pq(wide)
    else:
        # Inverse of the OOTF for 1000 cd/m2: BT.2100, table 5, with gamma 1.2.
        scene = wide / 1000
        total = scene @ [0.2627, 0.6780, 0.0593]
        scene = scene * np.maximum(total, 1e-12)[..., None] ** (1 / 1.2 - 1)
        signal = hlg(np.clip(scene, 0, 1))
    return write_colors(
        path,
        signal,
        matrix="bt2020",
        full=False,
        bits=10,
        transfer=transfer,
        primaries=9,
    )


@pytest.mark.parametrize("transfer", [16, 18], ids=["PQ", "HLG"])
def test_hdr_is_converted_by_the_documented_curve(tmp_path, transfer):
    gray = np.kron(
        np.array(LUMINANCES).reshape(2, 6, 1) * np.ones(3), np.ones((16, 16, 1))
    )
    path = hdr_file(str(tmp_path / "v.mkv"), gray, transfer)
    levels = centers(clips.read_all(path)[0].image).reshape(-1, 3)
    # One step of the 10-bit signal is up to two output levels in the shadows of HLG.
    np.testing.assert_allclose(
        levels,
        sdr(gray[8::16, 8::16].reshape(-1, 3)),
        atol=1.5 if transfer == 16 else 3,
    )
    assert (np.diff(levels[:-1, 1].astype(int)) > 0).all()
    assert levels[0, 1] >= 2  # 0.01 cd/m2 is not crushed to black


def test_hdr_colours_become_bt709(tmp_path):
    luminance = 80 * patches(3) + 1
    path = hdr_file(str(tmp_path / "v.mkv"), luminance, 16)
    shown = centers(clips.read_all(path)[0].image.astype(float))
    np.testing.assert_allclose(shown, sdr(centers(luminance)), atol=3)


@pytest.mark.parametrize("name", ["v.mp4", "v.mkv"])
@pytest.mark.parametrize("degrees", [90, 180, 270])
@pytest.mark.parametrize("mirrored", [False, True])
def test_turned_videos_are_upright(tmp_path, name, degrees, mirrored):
    stored = clips.image(0)
    stored[-20:, -30:] = 255
    path = clips.write(
        str(tmp_path / name),
        [stored] * 3,
        options={"crf": "1"},
        prepare=lambda stream: stream.set_display_rotation(degrees, hflip=mirrored),
    )
    shown = np.rot90(stored, degrees // 90)  # counterclockwise, as FFmpeg's angle
    shown = shown[:, ::-1] if mirrored else shown
    with open_video(path) as source:
        assert source.info.size == (shown.shape[1], shown.shape[0])
        for frame in iter(source.read, None):
            assert np.abs(frame.image.astype(float) - shown).mean() < 4


@pytest.mark.parametrize(
    ("aspect", "size"),
    [((2, 1), (192, 64)), ((1, 2), (96, 128)), ((16, 15), (102, 64))],
)
def test_pixels_become_square(tmp_path, aspect, size):
    def prepare(stream):
        stream.codec_context.sample_aspect_ratio = fractions.Fraction(*aspect)

    path = clips.write(
        str(tmp_path / "v.mp4"), [clips.image(k) for k in range(5)], prepare=prepare
    )
    with open_video(path) as source:
        assert source.info.size == size
        for number, frame in enumerate(iter(source.read, None)):
            assert frame.image.shape == (size[1], size[0], 3)
            assert clips.number_in(frame.image) == number


def woven(number, size):
    """An interlaced frame: the odd lines show 2 * number, the even lines the next."""
    frame = clips.image(2 * number, size)
    frame[::2] = clips.image(2 * number + 1, size)[::2]
    return frame


INTERLACED = {
    "mpeg2.mpg": {
        "codec": "mpeg2video",
        "options": {"q:v": "2", "g": "6", "bf": "2"},
        "prepare": clips.interlace_mpeg2,
    },
    "h264.mp4": {"options": {"x264-params": "interlaced=1:bff=1", "g": "6"}},
    "dv.avi": {"codec": "dvvideo", "size": (720, 576)},
}


@pytest.mark.parametrize("fields", [False, True])
@pytest.mark.parametrize("name", INTERLACED)
def test_interlaced_video_is_deinterlaced(tmp_path, name, fields):
    options = dict(INTERLACED[name])
    size = options.pop("size", (96, 64))
    path = clips.write(
        str(tmp_path / name), [woven(number, size) for number in range(14)], **options
    )
    frames = clips.read_all(path, fields=fields)
    step = 1 if fields else 2
    expected = list(range(0, 28, step))
    assert [clips.number_in(frame.image) for frame in frames] == expected
    times = [number / 50 for number in expected]
    np.testing.assert_allclose([f.timestamp for f in frames], times, atol=1e-3)
    for number, frame in zip(expected, frames, strict=True):
        shown = clips.image(number, size)
        if name.startswith("dv"):  # its pixels are wider than high
            shown = av.VideoFrame.from_ndarray(shown).reformat(768, 576).to_ndarray()
        difference = np.abs(frame.image[20:].astype(float) - shown[20:])
        assert difference.mean() < 5
    with open_video(path, fields=fields) as source:
        for index in (9, 3, 12, 0, 6):
            source.seek(index)
            assert clips.digest(source.read()) == clips.digest(frames[index])


def test_interlacing_may_begin_within_a_video(tmp_path):
    """Progressive frames stay as they are beside interlaced ones."""
    size = (96, 64)
    parts = [
        clips.write(
            str(tmp_path / "a.ts"),
            [clips.image(k, size) for k in range(5)],
            codec="mpeg2video",
            options={"q:v": "2"},
        ),
        clips.write(
            str(tmp_path / "b.ts"),
            [woven(k, size) for k in range(5)],
            codec="mpeg2video",
            options={"q:v": "2"},
            prepare=clips.interlace_mpeg2,
        ),
    ]
    joined = tmp_path / "joined.ts"
    joined.write_bytes(b"".join(pathlib.Path(part).read_bytes() for part in parts))
    numbers = [clips.number_in(frame.image) for frame in clips.read_all(str(joined))]
    assert numbers == [0, 1, 2, 3, 4, 0, 2, 4, 6, 8]
