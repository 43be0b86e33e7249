"""Shows what a converted data set contains, and checks that it is not damaged.

    ethos-inspect DATA_DIR
    ethos-inspect DATA_DIR --verify
    ethos-inspect DATA_DIR --contact_sheet sheet.png

Prints the number of frames, videos and people in each split, face sizes, yaws and the
rejected files. `--verify` reads all shards and checks the checksum of each record and
of each shard, the number of records, and that each record can be decoded, belongs to
its split and occurs once. `--contact_sheet` draws random records with their landmarks
and depth.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import cv2
import google_crc32c
import numpy as np

from ethos_data import progress, records
from ethos_data.errors import EthosError, cli
from ethos_data.options import add_flags, from_flags, make_parser, option, required
from ethos_data.storage import files, tfrecord
from pipelines import contact_sheet, paths
from pipelines.beam import logs
from pipelines.conversion import manifest, metadata
from pipelines.conversion.manifest import Manifest

_SHOWN_REJECTS: Final = 20
"""Maximum number of rejected files in the report."""

_BAR_LENGTH: Final = 30
"""Length of the longest bar of a histogram, in characters."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class InspectFlags:
    """The flags of `ethos-inspect`. The help texts document them."""

    data_dir: str = required(
        "Directory that was given to ethos-convert, or the directory of the shards",
        positional=True,
        metavar="DATA_DIR",
    )
    verify: bool = option(False, "Read and check all records")
    contact_sheet: str | None = option(
        None, "Draw random records into this PNG file", metavar="PNG"
    )
    samples: int = option(24, "Number of records on the contact sheet", minimum=1)
    seed: int = option(0, "Random seed for the records on the contact sheet")


@dataclasses.dataclass(frozen=True)
class ConvertedData:
    """A converted data set.

    Attributes:
      directory: Directory of the shards.
      manifest: The manifest.
      complete: Whether readers find the data set. False while it is converted, and if
        too many files were rejected.
    """

    directory: str
    manifest: Manifest
    complete: bool

    @property
    def splits(self) -> dict[str, Mapping[str, Any]]:
        """The manifest's entry of each split, in the order of `--splits`."""
        names = [name for name, _ in self.manifest.head["options"]["splits"]]
        return {name: self.manifest.head["splits"][name] for name in names}

    def shards(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Yields the split and the manifest's entry of each shard."""
        for name, split in self.splits.items():
            for shard in split["shards"]:
                yield name, shard


def find(data_dir: str) -> ConvertedData:
    """Finds a data set.

    Args:
      data_dir: Directory that was given to ethos-convert, or the directory of the
        shards.

    Raises:
      EthosError: There is no data set.
    """
    data_dir = files.resolve(data_dir)
    paths.check_directory(data_dir)
    versions = [
        files.join(data_dir, records.NAME, version)
        for version in (records.PARTIAL_VERSION, records.VERSION)
    ]
    for directory in (*versions, data_dir):
        entries = manifest.read(directory)
        if entries is not None:
            info = files.read_bytes(files.join(directory, metadata.DATASET_INFO))
            return ConvertedData(directory, entries, info is not None)
    raise EthosError(
        f"{data_dir}: contains no finished conversion (no {metadata.MANIFEST}); run "
        "ethos-convert first"
    )


def report(data: ConvertedData) -> str:
    """The text that `ethos-inspect` prints."""
    head = data.manifest.head
    lines = [data.directory, f"converted from {head['corpus_dir']}"]
    if not data.complete:
        lines.append(
            "NOT COMPLETE: too many files were rejected, or a conversion is running"
        )
    lines += ["", f"{'split':<12}{'frames':>9}{'videos':>8}{'people':>8}{'MB':>9}"]
    for name, split in data.splits.items():
        lines.append(
            f"{name:<12}{split['frames']:>9}{split['videos']:>8}{split['people']:>8}"
            f"{split['bytes'] / 1e6:>9.1f}  in {len(split['shards'])} shards"
        )
    for title, key, edges, unit in (
        ("face size", "face_sizes", head["face_size_edges"], "px"),
        ("yaw", "yaws", head["yaw_edges"], "degrees"),
    ):
        counts = np.sum([split[key] for split in data.splits.values()], axis=0)
        lines += ["", f"{title}, {unit}", *_histogram(edges, counts.tolist())]
    rejected = sorted(data.manifest.rejected(), key=lambda entry: entry["path"])
    lines += [
        "",
        f"files: {head['found']} found, {head['written']} written, "
        f"{len(rejected)} rejected, {data.manifest.left_out} left out",
    ]
    for entry in rejected[:_SHOWN_REJECTS]:
        lines.append(f"  {entry['path']}: {entry['reason']}")
    if len(rejected) > _SHOWN_REJECTS:
        lines.append(f"  ... (all rejected files are listed in {manifest.PARTS})")
    for reason, count in head["rejected_frames"].items():
        lines.append(f"  {count} frames: {reason}")
    return "\n".join(lines)


def _histogram(edges: Sequence[int], counts: Sequence[int]) -> list[str]:
    """Draws a histogram with a line for each bin.

    Args:
      edges: Lower edges of the bins. The last bin has no upper edge.
      counts: Number of values in each bin.
    """
    lines = []
    largest = max([*counts, 1])
    for index, (edge, count) in enumerate(zip(edges, counts, strict=True)):
        end = edges[index + 1] if index + 1 < len(edges) else None
        bin_name = f"{edge} to {end}" if end is not None else f"{edge} and more"
        bar = "#" * round(_BAR_LENGTH * count / largest)
        lines.append(f"  {bin_name:>12} {count:>9} {bar}")
    return lines


def verify(
    data: ConvertedData, progress: Callable[[int, int], None] | None = None
) -> int:
    """Reads all shards and checks them.

    Args:
      data: The data set.
      progress: Called after each shard with the number of records read and the total.

    Returns:
      The number of records.

    Raises:
      EthosError: A shard is damaged or does not match the manifest.
    """
    splits: dict[str, str] = {}
    missing: dict[str, int] = {}
    for video in data.manifest.inputs():
        splits[video["video_id"]] = sys.intern(video["split"])
        missing[video["video_id"]] = video["written"]
    total = sum(missing.values())
    seen: set[tuple[str, int]] = set()
    for split, shard in data.shards():
        path = files.join(data.directory, shard["name"])
        count = crc = 0
        try:
            with files.opened(path) as file:
                for serialized in tfrecord.read(file):
                    crc = google_crc32c.extend(crc, tfrecord.frame(serialized))
                    record = records.decode(serialized)
                    key = (record.video_id, record.frame)
                    if splits.get(record.video_id) != split:
                        raise ValueError(f"{key} does not belong to this split")
                    if key in seen:
                        raise ValueError(f"{key} occurs twice")
                    seen.add(key)
                    missing[record.video_id] -= 1
                    count += 1
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise EthosError(f"{path}: {reason}") from error
        if count != shard["frames"]:
            raise EthosError(f"{path}: has {count} records, not {shard['frames']}")
        if f"{crc:08x}" != shard["crc32c"]:
            raise EthosError(f"{path}: its checksum differs from the manifest")
        if progress is not None:
            progress(len(seen), total)
    incomplete = [video_id for video_id, count in missing.items() if count]
    if incomplete:
        raise EthosError(f"{data.directory}: frames of {incomplete[0]} are missing")
    return len(seen)


def write_contact_sheet(data: ConvertedData, path: str, count: int, seed: int) -> int:
    """Draws random records into a PNG file.

    Args:
      data: The data set.
      path: Path of the PNG file.
      count: Number of records to draw.
      seed: Random seed.

    Returns:
      The number of records that were drawn.

    Raises:
      EthosError: The data set has no frames.
    """
    shards = [
        contact_sheet.ShardFile(
            split, files.join(data.directory, shard["name"]), shard["frames"]
        )
        for split, shard in data.shards()
        if shard["frames"]
    ]
    if not shards:
        raise EthosError(f"{data.directory}: contains no frames to draw")
    samples = contact_sheet.sample(shards, count, seed)
    sheet = cv2.cvtColor(contact_sheet.draw(samples), cv2.COLOR_RGB2BGR)
    _, png = cv2.imencode(".png", sheet)
    files.write(files.resolve(path), iter([png.tobytes()]))
    return len(samples)


def parser() -> argparse.ArgumentParser:
    """The parser of the flags of `ethos-inspect`."""
    epilog = "Further flags are passed to the file systems of Apache Beam."
    result = make_parser("ethos-inspect", __doc__, epilog)
    add_flags(result, InspectFlags)
    return result


@cli
def main(argv: Sequence[str] | None = None) -> int:
    """Runs `ethos-inspect`."""
    logs.hide_beam_messages()
    namespace, beam_args = parser().parse_known_args(argv)
    flags = from_flags(InspectFlags, namespace)
    if not files.is_local(files.resolve(flags.data_dir)):
        files.set_options(beam_args)
    elif beam_args:
        raise EthosError(f"unknown arguments: {' '.join(beam_args)}")
    if flags.contact_sheet is not None:
        paths.check_file(files.resolve(flags.contact_sheet))
    data = find(flags.data_dir)
    print(report(data))
    if flags.verify:
        with progress.reporting("records") as report_progress:
            count = verify(data, report_progress)
        shards = sum(1 for _ in data.shards())
        print(f"\nverified {count} records in {shards} shards: no damage found")
    if flags.contact_sheet is not None:
        count = write_contact_sheet(
            data, flags.contact_sheet, flags.samples, flags.seed
        )
        print(f"\nwrote {flags.contact_sheet} with {count} records")
    return 0


if __name__ == "__main__":
    sys.exit(main())
