"""Faces as data: landmarks, crops, corpora, depth, records, batches, degradations.

The functions below are imported when they are used, so that `import ethos_data` takes
no time and needs no library. `load_dataset` needs the extra `[train]`.

Example:
  import ethos_data

  video = ethos_data.read_video("faces/Jane_Doe_3.npz")
  depth = ethos_data.depth_map(normalized_landmarks, size=96)
  batches = ethos_data.load_dataset("data", "train", training=True)
"""

from __future__ import annotations

import importlib
import importlib.metadata
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ethos_data.corpora.npz_video import read_video
    from ethos_data.dataset import load as load_dataset
    from ethos_data.depth import depth_map

    __version__: str

__all__ = ["__version__", "depth_map", "load_dataset", "read_video"]

_EXPORTS = {
    "depth_map": ("ethos_data.depth", "depth_map"),
    "load_dataset": ("ethos_data.dataset", "load"),
    "read_video": ("ethos_data.corpora.npz_video", "read_video"),
}
"""For each name, the module and the name in it."""


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return _version()
    if name in _EXPORTS:
        module, attribute = _EXPORTS[name]
        return getattr(importlib.import_module(module), attribute)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _version() -> str:
    """Returns the version of the installed distribution."""
    try:
        return importlib.metadata.version("ethos-faces")
    except importlib.metadata.PackageNotFoundError:
        return "0+unknown"  # the source directory is used without an installation
