"""Labels the faces in a folder of images: 68 landmarks by hand.

    ethos-label photos
    ethos-label photos --model runs/first/model

The window is that of ethos-view in its correction mode. The landmarks of the model are
the first guess: drag those that are wrong, or press Enter if all are right. The keys
"." and "," go to the next and the previous image, N to the face that most needs a
correction, and F1 lists all keys.

Every change is saved at once in FOLDER/corrections.csv, which ethos-convert reads.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
from collections.abc import Sequence

from ethos_data import options
from ethos_data.errors import EthosError, cli
from ethos_data.options import option
from gui import app


@dataclasses.dataclass(frozen=True, kw_only=True)
class LabelOptions:
    """What to label. Each field is a flag; its help text documents it."""

    folder: str = options.required(
        "Directory with the images", positional=True, metavar="FOLDER"
    )
    model: str | None = option(
        None,
        "Directory of the exported model of the first guess (default: the model of the "
        "last start, or else the shipped model)",
        metavar="DIR",
        local=True,
    )
    detector: str = option("yunet", 'Face detector: "yunet", or a YuNet .onnx file')


def parser() -> argparse.ArgumentParser:
    """The flags of ethos-label."""
    result = options.make_parser("ethos-label", __doc__)
    options.add_flags(result, LabelOptions)
    return result


def check(chosen: LabelOptions) -> None:
    """Checks the folder before the window opens.

    Raises:
      EthosError: It is missing or contains no images, its corrections are damaged, or
        the model or the detector cannot be used.
    """
    from ethos_model.footage.reader import images_in
    from gui.correction import storage

    folder = chosen.folder
    if not os.path.isdir(folder):
        reason = "not a folder" if os.path.exists(folder) else "no such folder"
        advice = "; ethos-view opens videos" if os.path.isfile(folder) else ""
        raise EthosError(f"{folder}: {reason}{advice}")
    if not images_in(folder):
        raise EthosError(f"{folder}: contains no images")
    storage.read(folder)
    app.check(app.ViewOptions(folder, chosen.model, detector=chosen.detector))


@cli
def main(argv: Sequence[str] | None = None) -> int:
    chosen = options.from_flags(LabelOptions, parser().parse_args(argv))
    check(chosen)
    app.run(
        video=chosen.folder,
        model_dir=chosen.model,
        detector=chosen.detector,
        labelling=True,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
