"""Thousands of damaged files: each is read correctly or rejected with a reason."""

import io
import zipfile

import numpy as np
import pytest

from ethos_data import depth, records
from ethos_data.corpora import npz_video
from ethos_data.corpora.video import CorpusError
from pipelines.conversion.frame_records import make_records
from pipelines.conversion.options import ConversionOptions
from tests.ethos_data import videos

MUTATIONS = 3000
OPTIONS = ConversionOptions(depth_method="delaunay")


def make_good_files() -> list[bytes]:
    """Small videos in different layouts: compressed or stored, time last or first."""
    contents = []
    for seed, save in enumerate([np.savez_compressed, np.savez] * 2):
        arrays = videos.make_arrays(seed, frames=2, height=20, width=24)
        if seed >= 2:
            arrays = {
                name: np.ascontiguousarray(np.moveaxis(array, -1, 0))
                for name, array in arrays.items()
            }
            arrays["depth"] = np.zeros((2, 20, 24), np.float32)
        file = io.BytesIO()
        save(file, **arrays)
        contents.append(file.getvalue())
    return contents


def mutate_bytes(data: bytes, rng: np.random.Generator) -> bytes:
    """Changes, cuts, repeats or overwrites parts of a file, one to four times."""
    out = bytearray(data)
    for _ in range(rng.integers(1, 5)):
        if not out:
            break
        start = int(rng.integers(len(out)))
        # Half of the mutations are in the archive's directory at the end of the file.
        if rng.random() < 0.5:
            start = max(0, len(out) - 1 - int(rng.integers(400)))
        length = int(rng.integers(1, 40))
        kind = rng.integers(6)
        if kind == 0:
            out[start] ^= 1 << int(rng.integers(8))
        elif kind == 1:
            del out[start:]
        elif kind == 2:
            del out[start : start + length]
        elif kind == 3:
            out[start:start] = out[start : start + length]
        elif kind == 4:
            out[start : start + length] = rng.bytes(length)
        else:
            filler = bytes([rng.choice([0, 0xFF])])
            out[start : start + 4] = filler * len(out[start : start + 4])
    return bytes(out)


def mutate_array(data: bytes, rng: np.random.Generator) -> bytes:
    """Damages an array inside an intact archive with correct checksums."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(file, "w") as out:
        damaged = rng.choice(source.namelist())
        for name in source.namelist():
            content = bytearray(source.read(name))
            if name == damaged:
                # Mostly in the text of the header: shape, type, order.
                for _ in range(rng.integers(1, 4)):
                    end = 128 if rng.random() < 0.8 else len(content)
                    content[int(rng.integers(end))] = int(rng.integers(256))
            out.writestr(name, bytes(content))
    return file.getvalue()


@pytest.mark.parametrize("mutate", [mutate_bytes, mutate_array])
def test_damaged_files_cause_no_crash_and_no_wrong_record(mutate):
    contents = make_good_files()
    originals = [
        npz_video.read_video("Some_One_1.npz", io.BytesIO(c)) for c in contents
    ]
    rng = np.random.default_rng(7)
    num_read = 0
    reasons = []
    for number in range(MUTATIONS if mutate is mutate_bytes else MUTATIONS // 3):
        original = originals[number % len(contents)]
        file = io.BytesIO(mutate(contents[number % len(contents)], rng))
        try:
            video = npz_video.read_video("Some_One_1.npz", file)
        except CorpusError as error:
            reasons.append(str(error))
            continue
        num_read += 1
        frames, height, width = npz_video.count_frames("Some_One_1.npz", file)
        assert video.frames.shape == (frames, height, width, 3)
        assert video.landmarks.shape == (frames, 68, 3)
        for record in make_records(video, OPTIONS):
            if isinstance(record, str):
                continue
            assert np.isfinite(record.landmarks).all()
            assert record.image.shape[0] == record.image.shape[1] <= 256
            assert 0 < record.face_size < 1e3
        if mutate is mutate_bytes:
            # The archive's checksums detect each change of the data.
            np.testing.assert_array_equal(video.frames, original.frames)
            np.testing.assert_array_equal(video.landmarks, original.landmarks)
    assert all(reason.isprintable() for reason in reasons)
    assert len(reasons) > 100
    assert num_read > 20


@pytest.mark.parametrize("method", sorted(depth.METHODS))
def test_any_landmarks_give_a_record_or_a_reason(method, tmp_path):
    """Landmarks that collapse, fold, mirror or scatter: depth is finite or unknown."""
    videos.write_video(tmp_path / "Some_One_1.npz", frames=1)
    video = npz_video.read_video(str(tmp_path / "Some_One_1.npz"))
    options = ConversionOptions(depth_method=method)
    rng = np.random.default_rng(3)
    face = video.landmarks[0].copy()
    center = face.mean(axis=0)
    num_records = 0
    for _ in range(60):
        scale = 10.0 ** rng.uniform(-4, 0.3, 3) * rng.choice([-1, 1], 3)
        noise = rng.normal(0, 10.0 ** rng.uniform(-3, 1.3), face.shape)
        video.landmarks[0] = (face - center) * scale + center + noise
        if rng.random() < 0.2:
            video.landmarks[0] = np.rint(video.landmarks[0])
        record = next(make_records(video, options))
        if not isinstance(record, str):
            num_records += 1
            known = record.depth[~np.isnan(record.depth)]
            assert np.isfinite(known).all()
            records.decode(records.encode(record))
    assert num_records > 20
