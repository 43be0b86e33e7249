"""What stands beside the shards: TFDS's two files and the manifest.

`features.json` and `dataset_info.json` are what `tfds.folder_dataset.write_metadata`
would write for `records.features()`, built here without the six seconds and 500 MB that
importing TensorFlow takes. `manifest.json` says where every record comes from and why
every file that is not in it was rejected. It holds nothing that depends on the clock,
the runner or the machine, but for the versions of its tools, so equal inputs give equal
files.
"""

from __future__ import annotations

import dataclasses
import importlib.metadata
import json
import zlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

from ethos_data import records, topology
from ethos_data.storage import files
from pipelines import plan
from pipelines import shard as shard_lib

MANIFEST: Final = "manifest.json"
DATASET_INFO: Final = "dataset_info.json"
FEATURES: Final = "features.json"
FORMAT_VERSION: Final = 1

_TOOLS: Final = ("apache-beam", "numpy", "opencv-python", "isal")

_CLASS: Final = "tensorflow_datasets.core.features."


def _image(dtype: str, encoding: str, *shape: int) -> dict[str, Any]:
    return {
        "image": {
            "dtype": dtype,
            "encodingFormat": encoding,
            "shape": {"dimensions": [str(n) for n in shape]},
        },
        "pythonClassName": _CLASS + "image_feature.Image",
    }


def _tensor(dtype: str, *shape: int) -> dict[str, Any]:
    kind = "tensor_feature.Tensor" if shape else "scalar.Scalar"
    dimensions = {"dimensions": [str(n) for n in shape]} if shape else {}
    return {
        "pythonClassName": _CLASS + kind,
        "tensor": {"dtype": dtype, "encoding": "none", "shape": dimensions},
    }


def features_json() -> dict[str, Any]:
    """What TFDS writes for `records.features()`; a test compares the two."""
    text = {"pythonClassName": _CLASS + "text_feature.Text", "text": {}}
    size = records.DEPTH_SIZE
    return {
        "pythonClassName": _CLASS + "features_dict.FeaturesDict",
        "featuresDict": {
            "features": {
                "depth": _image("uint16", "png", size, size, 1),
                "face_size": _tensor("float32"),
                "frame": _tensor("int64"),
                "image": _image("uint8", "jpeg", -1, -1, 3),
                "landmarks": _tensor("float32", topology.NUM_LANDMARKS, 3),
                "person_id": text,
                "source_size": _tensor("int64", 2),
                "video_id": text,
                "window": _tensor("float32", 3),
            }
        },
    }


def dataset_info_json(splits: Mapping[str, Sequence[Mapping[str, Any]]]) -> Any:
    """What TFDS writes for these splits.

    Args:
      splits: name to the receipts of its shards, in the order of their names.
    """
    return {
        "description": (
            "Frames of people's faces with 68 3D landmarks and dense depth, cut out of "
            "videos by ETHOS. See manifest.json for where each comes from."
        ),
        "fileFormat": "tfrecord",
        "name": records.NAME,
        "splits": [
            {
                "filepathTemplate": "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}",
                "name": name,
                "numBytes": str(sum(receipt["bytes"] for receipt in receipts)),
                "shardLengths": [str(receipt["records"]) for receipt in receipts],
            }
            for name, receipts in splits.items()
        ],
        "version": records.VERSION,
    }


def manifest_json(
    made: plan.Plan,
    receipts: Sequence[Mapping[str, Any]],
    corpus_dir: str,
) -> dict[str, Any]:
    """Inputs, outputs, rejects.

    Args:
      made: the plan that was carried out.
      receipts: of its shards, in order.
      corpus_dir: where the inputs were.
    """
    inputs = []
    rejected = [
        {"path": path, "reason": f"has the video id of {first}"}
        for path, first in made.duplicates.items()
    ]
    splits: dict[str, Any] = {}
    for name, _ in made.options.splits:
        pairs = zip(receipts, made.shards, strict=True)
        mine = [(r, s.name) for r, s in pairs if s.split == name]
        videos = [v for r, _ in mine for v in r["videos"] if v["written"]]
        splits[name] = {
            "frames": sum(r["records"] for r, _ in mine),
            "bytes": sum(r["bytes"] for r, _ in mine),
            "videos": len(videos),
            "people": len({v["person_id"] for v in videos}),
            "face_sizes": _sum(shard_lib.FACE_SIZE_EDGES, mine, "face_sizes"),
            "yaws": _sum(shard_lib.YAW_EDGES, mine, "yaws"),
            "shards": [
                {
                    "name": n,
                    "frames": r["records"],
                    "bytes": r["bytes"],
                    "crc32c": r["crc32c"],
                }
                for r, n in mine
            ],
        }
        for receipt, shard_name in mine:
            for video in receipt["videos"]:
                if "rejected" in video:
                    rejected.append(
                        {"path": video["path"], "reason": video["rejected"]}
                    )
                else:
                    kept = {k: v for k, v in video.items() if k != "retry"}
                    inputs.append(kept | {"split": name, "shard": shard_name})
    frames: dict[str, int] = {}
    for receipt in receipts:
        for video in receipt["videos"]:
            for reason, count in video["rejected_frames"].items():
                frames[reason] = frames.get(reason, 0) + count
    return {
        "format_version": FORMAT_VERSION,
        "name": records.NAME,
        "version": records.VERSION,
        "corpus_dir": corpus_dir,
        "options": dataclasses.asdict(made.options),
        "tools": _tools(),
        "found": len(inputs) + len(rejected) + len(made.left_out),
        "written": len(inputs),
        "face_size_edges": list(shard_lib.FACE_SIZE_EDGES),
        "yaw_edges": list(shard_lib.YAW_EDGES),
        "splits": splits,
        "rejected_frames": dict(sorted(frames.items())),
        "rejected": sorted(rejected, key=lambda r: r["path"]),
        "left_out": list(made.left_out),
        "inputs": sorted(inputs, key=lambda v: v["path"]),
    }


def _sum(
    edges: Sequence[int], mine: Sequence[tuple[Mapping[str, Any], str]], name: str
) -> list[int]:
    """A bin for each edge, of all receipts; zeros where there are none."""
    histograms = [[0] * len(edges), *(receipt[name] for receipt, _ in mine)]
    return [sum(column) for column in zip(*histograms, strict=True)]


def _tools() -> dict[str, str | None]:
    """Whatever the bytes of a shard depend on, Python's own zlib included."""
    packages = {tool: _version(tool) for tool in _TOOLS}
    return packages | {"zlib": zlib.ZLIB_RUNTIME_VERSION}


def _version(tool: str) -> str | None:
    try:
        return importlib.metadata.version(tool)
    except importlib.metadata.PackageNotFoundError:
        return None


def write_json(path: str, content: Any) -> None:
    """Writes a JSON file as a whole or not at all."""
    text = json.dumps(content, indent=1, sort_keys=True)
    files.write(path, iter([text.encode(), b"\n"]))


def read_json(path: str) -> Any:
    """A JSON file; None if there is none, or if it is not JSON."""
    data = files.read_bytes(path)
    try:
        return None if data is None else json.loads(data)
    except ValueError:
        return None
