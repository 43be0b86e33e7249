"""The built-in head as the arrays of a `HeadModel`."""

from __future__ import annotations

from typing import Any

import numpy as np

from ethos_data.heads.sculpture.expression import expression_shapes
from ethos_data.heads.sculpture.identity import identity_shapes
from ethos_data.heads.sculpture.mesh import build_mesh


def build_head() -> dict[str, Any]:
    """Builds the head. This takes about a second.

    Returns:
      The attributes of `HeadModel` by name.
    """
    vertices, triangles, parts, landmarks = build_mesh()
    expressions = expression_shapes(vertices, parts)
    return {
        "neutral": vertices.astype(np.float32),
        "identity": identity_shapes(vertices, parts, landmarks).astype(np.float32),
        "expression": np.stack(list(expressions.values())).astype(np.float32),
        "expression_names": tuple(expressions),
        "triangles": triangles.astype(np.int32),
        "parts": parts.astype(np.uint8),
        "landmarks68": landmarks.astype(np.int32),
    }
