"""Reads COCO keypoint files: 68 face landmarks, or the 133 landmarks of a whole body.

A JSON file with `images` and `annotations` (https://cocodataset.org/#format-data). Each
annotation contains one of:

* `face_kpts`: 68 landmarks of a face, as in COCO-WholeBody
  (https://github.com/jin-s13/COCO-WholeBody).
* `keypoints` with 68 landmarks of a face.
* `keypoints` with 133 landmarks: body (0 to 16), feet (17 to 22), face (23 to 90) and
  hands (91 to 132), as in COCO-WholeBody.

A landmark is x, y, v. x and y are in pixels, y points down, and the centre of the first
pixel is (0, 0). v is 0 for a landmark without a label, 1 for a landmark that something
covers and 2 for a visible landmark. There is no z. Annotations whose landmarks all have
v = 0 show no face and are not counted.

`file_name` of an image is relative to the JSON file or to any directory of the corpus.
The person is the value of `person_id` of the annotation or of the image. Without it,
each annotation is its own person. The id of the video is the name of the image with the
id of the annotation. In a file that was merged from others, annotations can repeat an
id. Then the later one has the name `7@1204`: the id and the position in the list. A
copy of an earlier annotation is rejected, and so is an annotation whose `image_id`
belongs to several images.
"""

from __future__ import annotations

import collections
import dataclasses
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np

from ethos_data.corpora import labels
from ethos_data.corpora.source import Listing, Source, full_path, stem_of
from ethos_data.corpora.video import CorpusError, Video
from ethos_data.topology import NUM_LANDMARKS
from ethos_data.visibility import HIDDEN, UNLABELLED, VISIBLE

SUFFIX: Final = ".json"

WHOLE_BODY: Final = 133
"""Number of landmarks of COCO-WholeBody."""

WHOLE_BODY_FACE: Final = slice(23, 91)
"""The 68 face landmarks in the landmarks of COCO-WholeBody."""

_PEEK_BYTES: Final = 1 << 16


def _files(listing: Listing) -> list[str]:
    """Returns the paths of the JSON files that look like COCO files."""
    markers = (b'"images"', b'"annotations"')
    return [
        path
        for path in listing.ending(SUFFIX)
        if any(marker in listing.read(path, _PEEK_BYTES) for marker in markers)
    ]


def detect(listing: Listing) -> bool:
    """Returns whether a corpus contains a COCO file."""
    return bool(_files(listing))


def find(listing: Listing) -> list[Source]:
    """Returns a source for each face in the COCO files.

    A file that cannot be read is a source with a problem.
    """
    sources = []
    for path in _files(listing):
        try:
            with labels.errors_of(path):
                document = json.loads(listing.read(path))
                images = _images(document["images"])
                annotations = list(document["annotations"])
        except CorpusError as error:
            reason = f"is not a COCO file: {error.reason}"
            sources.append(listing.source(path, path, problem=reason))
            continue
        contents: dict[str, set[str]] = collections.defaultdict(set)
        for position, annotation in enumerate(annotations):
            source = _source(listing, path, images, annotation, position)
            if source is not None:
                known = contents[source.path]
                sources.append(_renamed(source, position, known) if known else source)
                known.add(source.labels)
    return sources


def _renamed(source: Source, position: int, known: Collection[str]) -> Source:
    """Returns a source with another name, because an earlier source has its name.

    Args:
      source: The source.
      position: Position of its annotation in the list.
      known: `labels` of the earlier sources with this name.
    """
    video = f"{source.video}@{position}" if source.video else ""
    problem = source.problem
    if not problem and source.labels in known:
        problem = f"is a copy of {source.path}"
    return dataclasses.replace(
        source,
        path=f"{source.path}@{position}",
        video=video,
        person=video if source.person == source.video else source.person,
        problem=problem,
    )


def _images(images: Sequence[Any]) -> dict[Any, Mapping[str, Any] | None]:
    """Returns the images by id. None for an id that several images have."""
    result: dict[Any, Mapping[str, Any] | None] = {}
    for image in images:
        other = result.setdefault(image["id"], image)
        if other is None or other.get("file_name") != image.get("file_name"):
            result[image["id"]] = None
    return result


def _source(
    listing: Listing,
    path: str,
    images: Mapping[Any, Mapping[str, Any] | None],
    annotation: Any,
    position: int,
) -> Source | None:
    """Returns the source of an annotation. None if it shows no face."""
    name = f"{path}#{position}"
    try:
        number = annotation.get("id", position)
        name = f"{path}#{number}"
        if _keypoints(annotation) is None:
            return None
        image_id = annotation["image_id"]
        image = images[image_id]
        if image is None:
            problem = f"several images have the id {image_id}"
            return listing.source(name, None, problem=problem)
        file_name = str(image["file_name"])
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        return listing.source(name, None, problem=f"is not a COCO annotation: {error}")
    pixels = listing.find(file_name, path)
    problem = "" if pixels else f"the image {file_name} does not exist"
    video = f"{stem_of(pixels or file_name)}-{number}"
    person = annotation.get("person_id", image.get("person_id", video))
    text = json.dumps([annotation, person], sort_keys=True).encode()
    return listing.source(
        name,
        pixels,
        frames=1,
        height=_side(image.get("height")),
        width=_side(image.get("width")),
        label_file=path,
        entry=str(position),
        labels=labels.digest(text),
        video=video,
        person=str(person),
        problem=problem,
    )


def _side(value: Any) -> int:
    """Returns a side of an image, in pixels. 0, unknown, for an impossible value."""
    try:
        return max(int(value), 0)
    except (TypeError, ValueError, OverflowError):
        return 0


def _keypoints(annotation: Mapping[str, Any]) -> np.ndarray | None:
    """Returns the face landmarks of an annotation, float64 (N, 3): x, y, v.

    Returns:
      None if the annotation shows no face.

    Raises:
      ValueError: The values are not numbers, or their number is not a multiple of 3.
    """
    values = annotation.get("face_kpts", annotation.get("keypoints"))
    if values is None or annotation.get("face_valid", True) in (False, 0):
        return None
    keypoints = np.array(values, np.float64).reshape(-1, 3)
    if len(keypoints) == WHOLE_BODY:
        keypoints = keypoints[WHOLE_BODY_FACE]
    return keypoints if (keypoints[:, 2] > 0).any() else None


def parse(annotation: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Returns the 68 landmarks of an annotation.

    Returns:
      float64 (68, 2), in source pixels; and uint8 (68,), see `visibility`.

    Raises:
      ValueError: The annotation does not contain 68 landmarks.
    """
    keypoints = _keypoints(annotation)
    if keypoints is None or len(keypoints) != NUM_LANDMARKS:
        count = 0 if keypoints is None else len(keypoints)
        raise ValueError(
            f"has {count} landmarks, not {NUM_LANDMARKS} or {WHOLE_BODY} (whole body)"
        )
    v = keypoints[:, 2]
    visible = np.where(v > 1, VISIBLE, np.where(v > 0, HIDDEN, UNLABELLED))
    return keypoints[:, :2], visible.astype(np.uint8)


@labels.cached
def _read_annotations(path: str) -> list[Any]:
    return json.loads(labels.read(path))["annotations"]


def read(
    corpus_dir: str, source: Source, stride: int, max_frames: int | None
) -> Iterator[Video]:
    """Yields the face of an annotation.

    Raises:
      CorpusError: The image or its labels cannot be used.
    """
    del stride, max_frames
    with labels.errors_of(full_path(corpus_dir, source.path)):
        annotations = _read_annotations(full_path(corpus_dir, source.label_file))
        points, visible = parse(annotations[int(source.entry)])
        yield labels.read_image(corpus_dir, source, points, visible)
