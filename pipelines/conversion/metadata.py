"""The JSON files by which TFDS finds a data set, and functions for JSON files.

`features.json` and `dataset_info.json` equal the files that
`tfds.folder_dataset.write_metadata` writes for `records.features()`. They are made here
because importing TensorFlow takes 6 s and 500 MB.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from ethos_data import records, topology
from ethos_data.storage import files

MANIFEST: Final = "manifest.json"
DATASET_INFO: Final = "dataset_info.json"
FEATURES: Final = "features.json"

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
      splits: For each split, the manifest's entries of its shards; see `manifest`.
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
                "numBytes": str(sum(shard["bytes"] for shard in shards)),
                "shardLengths": [str(shard["frames"]) for shard in shards],
            }
            for name, shards in splits.items()
        ],
        "version": version,
    }


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
