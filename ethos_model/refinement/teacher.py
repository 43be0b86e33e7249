"""Labels that the present model gives to faces, so that a refinement keeps them.

A refined model that is trained to repeat the landmarks of the present model on other
faces forgets less (Li and Hoiem, "Learning without forgetting", ECCV 2016). With exact
landmarks of rendered heads as labels, it would move towards their conventions instead.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

import numpy as np

from ethos_data import topology
from ethos_data.records import Record
from ethos_model.predict import Predictor


def relabelled(records: Iterable[Record], predictor: Predictor) -> list[Record]:
    """Replaces the landmarks of records by predictions.

    Args:
      records: The records. Their image and depth stay.
      predictor: The present model.
    """
    result = []
    for record in records:
        side = len(record.image)
        xy = record.landmarks[:, :2] * side - 0.5  # pixels of the stored image
        (face,) = predictor.predict(record.image, [topology.face_box(xy)])
        landmarks = face.landmarks.astype(np.float64)
        landmarks[:, :2] += 0.5
        predicted = (landmarks / side).astype(np.float32)
        result.append(dataclasses.replace(record, landmarks=predicted))
    return result
