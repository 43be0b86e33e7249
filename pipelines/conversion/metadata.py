"""The JSON files next to the shards: two files for TFDS, and the manifest.

`features.json` and `dataset_info.json` equal the files that
`tfds.folder_dataset.write_metadata` writes for `records.features()`. They are made here
because importing TensorFlow takes 6 s and 500 MB. `manifest.json` lists the source of
each record and the reason for each rejected file. Except for the versions of the tools,
it does not depend on the time, the runner or the machine.
"""

from __future__ import annotations

import collections
import importlib.metadata
import json
import zlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

from ethos_data import records, topology
from ethos_data.storage import files
from pipelines.conversion import shard_writer
from pipelines.conversion.plan import Plan

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


def features_json(version: str = records.VERSION) -> dict[str, Any]:
    """Content of `features.json`. A test compares it with the file of TFDS.

    Args:
      version: Version of the data set; see `records`.
    """
    partial = {}
    if version == records.PARTIAL_VERSION:
        partial = {
            "visible": _tensor("uint8", topology.NUM_LANDMARKS),
            "has_z": _tensor("bool"),
        }
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
            | partial
        },
    }


def dataset_info_json(
    splits: Mapping[str, Sequence[Mapping[str, Any]]], version: str = records.VERSION
) -> Any:
    """Content of `dataset_info.json`.

    Args:
      splits: Receipts of the shards of each split, in the order of the shards.
      version: Version of the data set; see `records`.
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
        "version": version,
    }


def manifest_json(
    plan: Plan,
    receipts: Sequence[Mapping[str, Any]],
    corpus_dir: str,
) -> dict[str, Any]:
    """Content of `manifest.json`: the files of the corpus, the shards, statistics.

    Args:
      plan: The plan, whose shards are all written.
      receipts: Receipts of the shards, in the order of the plan.
      corpus_dir: Directory of the corpus.
    """
    inputs = []
    rejected = [
        {"path": path, "reason": f"has the video id of {other}"}
        for path, other in plan.duplicates.items()
    ]
    splits: dict[str, Any] = {}
    for name, _ in plan.options.splits:
        pairs = [
            (receipt, shard.name)
            for receipt, shard in zip(receipts, plan.shards, strict=True)
            if shard.split == name
        ]
        splits[name] = _split_json(pairs)
        for receipt, shard_name in pairs:
            for video in receipt["videos"]:
                if "rejected" in video:
                    rejected.append(
                        {"path": video["path"], "reason": video["rejected"]}
                    )
                else:
                    entry = {k: v for k, v in video.items() if k != "retry"}
                    inputs.append(entry | {"split": name, "shard": shard_name})
    rejected_frames: collections.Counter[str] = collections.Counter()
    for receipt in receipts:
        for video in receipt["videos"]:
            rejected_frames.update(video["rejected_frames"])
    return {
        "format_version": FORMAT_VERSION,
        "name": records.NAME,
        "version": plan.version,
        "corpus_dir": corpus_dir,
        "options": plan.options.to_json(),
        "tools": _tools(),
        "found": len(inputs) + len(rejected) + len(plan.left_out),
        "written": len(inputs),
        "face_size_edges": list(shard_writer.FACE_SIZE_EDGES),
        "yaw_edges": list(shard_writer.YAW_EDGES),
        "splits": splits,
        "rejected_frames": dict(sorted(rejected_frames.items())),
        "rejected": sorted(rejected, key=lambda r: r["path"]),
        "left_out": list(plan.left_out),
        "inputs": sorted(inputs, key=lambda v: v["path"]),
    }


def _split_json(pairs: Sequence[tuple[Mapping[str, Any], str]]) -> dict[str, Any]:
    """The manifest's entry of a split.

    Args:
      pairs: Receipt and file name of each shard.
    """
    receipts = [receipt for receipt, _ in pairs]
    videos = [v for receipt in receipts for v in receipt["videos"] if v["written"]]
    return {
        "frames": sum(receipt["records"] for receipt in receipts),
        "bytes": sum(receipt["bytes"] for receipt in receipts),
        "videos": len(videos),
        "people": len({video["person_id"] for video in videos}),
        "face_sizes": _add_histograms(
            [receipt["face_sizes"] for receipt in receipts],
            len(shard_writer.FACE_SIZE_EDGES),
        ),
        "yaws": _add_histograms(
            [receipt["yaws"] for receipt in receipts], len(shard_writer.YAW_EDGES)
        ),
        "shards": [
            {
                "name": name,
                "frames": receipt["records"],
                "bytes": receipt["bytes"],
                "crc32c": receipt["crc32c"],
            }
            for receipt, name in pairs
        ],
    }


def _add_histograms(histograms: Sequence[Sequence[int]], bins: int) -> list[int]:
    """Adds the counts of each bin. Zeros if there are no histograms."""
    columns = zip([0] * bins, *histograms, strict=True)
    return [sum(column) for column in columns]


def _tools() -> dict[str, str | None]:
    """Versions of everything that determines the bytes of a shard."""
    packages = {tool: _version(tool) for tool in _TOOLS}
    return packages | {"zlib": zlib.ZLIB_RUNTIME_VERSION}


def _version(tool: str) -> str | None:
    try:
        return importlib.metadata.version(tool)
    except importlib.metadata.PackageNotFoundError:
        return None


def write_json(path: str, content: Any) -> None:
    """Writes a JSON file. Readers never see a part of it."""
    text = json.dumps(content, indent=1, sort_keys=True)
    files.write(path, iter([text.encode(), b"\n"]))


def read_json(path: str) -> Any:
    """The content of a JSON file. None if it does not exist or is not JSON."""
    data = files.read_bytes(path)
    try:
        return None if data is None else json.loads(data)
    except ValueError:
        return None
