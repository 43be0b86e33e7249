"""Writes the pictures of the scripts in this directory."""

from __future__ import annotations

import cv2
import numpy as np

from ethos_data.errors import EthosError
from ethos_data.storage import files


def write_png(path: str, image: np.ndarray) -> None:
    """Writes an image as a small PNG file and prints its size.

    Args:
      path: File to write.
      image: uint8 (H, W, 3), RGB.

    Raises:
      EthosError: The name of the file does not end in .png.
    """
    if not path.lower().endswith(".png"):
        raise EthosError(f"{path}: the name must end in .png")
    level = [cv2.IMWRITE_PNG_COMPRESSION, 9]
    data = cv2.imencode(".png", image[..., ::-1], level)[1].tobytes()
    files.write(path, iter([data]))
    print(f"wrote {path}: {image.shape[1]} x {image.shape[0]} pixels")
