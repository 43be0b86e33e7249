"""Depth levels follow the documented formula, and PNG files keep every level."""

from __future__ import annotations

import zlib

import cv2
import numpy as np
import pytest

from ethos_data import depth_codec
from ethos_data.storage import npz

SIZE = 96


def levels(seed: int = 0) -> np.ndarray:
    """uint16 (96, 96), random levels below a part without depth."""
    rng = np.random.default_rng(seed)
    levels = rng.integers(1, 65536, (SIZE, SIZE), dtype=np.uint16)
    levels[:20] = 0
    return levels


def by_opencv(levels: np.ndarray, png_filter: int) -> bytes:
    options = [cv2.IMWRITE_PNG_FILTER, png_filter]
    return cv2.imencode(".png", levels, options)[1].tobytes()


@pytest.mark.parametrize(
    ("depth", "level"), [(-1.0, 1), (1.0, 65535), (0.0, 32768), (-9.0, 1), (np.nan, 0)]
)
def test_levels_follow_the_documented_formula(depth, level):
    assert depth_codec.encode(np.array([depth]), -1.0, 1.0)[0] == level


@pytest.mark.parametrize(("low", "high"), [(-1.0, 1.0), (-212.5, 96.25), (3.0, 3.5)])
def test_decoding_inverts_encoding(low, high):
    depth = np.random.default_rng(0).uniform(low, high, (40, 30))
    depth[:10] = np.nan
    decoded = depth_codec.decode(depth_codec.encode(depth, low, high), low, high)
    assert decoded.dtype == np.float32
    np.testing.assert_array_equal(np.isnan(decoded), np.isnan(depth))
    half_step = 0.51 * (high - low) / depth_codec.STEPS
    rounding = np.spacing(np.float32(max(-low, high)))
    np.testing.assert_allclose(decoded, depth, rtol=0, atol=half_step + rounding)


@pytest.mark.parametrize(
    "png",
    [
        depth_codec.to_png(levels()),
        by_opencv(levels(), cv2.IMWRITE_PNG_FILTER_UP),
        by_opencv(levels(), cv2.IMWRITE_PNG_FILTER_SUB),
    ],
    ids=["ours", "OpenCV, up", "OpenCV, sub"],
)
def test_reads_pngs_of_any_encoder(png):
    np.testing.assert_array_equal(depth_codec.from_png(png, SIZE), levels())


def test_opencv_reads_our_png_of_any_size():
    written = levels()[10:50, :31]
    png = np.frombuffer(depth_codec.to_png(written), np.uint8)
    np.testing.assert_array_equal(cv2.imdecode(png, cv2.IMREAD_UNCHANGED), written)


def test_isal_does_not_change_the_bytes_and_the_levels(monkeypatch):
    png = depth_codec.to_png(levels())
    monkeypatch.setattr(npz, "zlib", zlib)  # as if isal were not installed
    assert depth_codec.to_png(levels()) == png
    np.testing.assert_array_equal(depth_codec.from_png(png, SIZE), levels())


def test_rejects_damaged_files_and_other_sizes():
    png = depth_codec.to_png(np.zeros((SIZE, SIZE), np.uint16))
    small = depth_codec.to_png(np.zeros((SIZE, SIZE - 1), np.uint16))
    for broken in (b"", b"text", png[:60], png[:60] + b"\0" + png[61:], small):
        with pytest.raises(ValueError, match="96 x 96"):
            depth_codec.from_png(broken, SIZE)
