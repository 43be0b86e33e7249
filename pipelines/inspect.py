"""Shows what a converted data set holds, and checks that it is whole.

    ethos-inspect DATA_DIR
    ethos-inspect DATA_DIR --verify
    ethos-inspect DATA_DIR --contact_sheet sheet.png

Prints frames, videos and people of each split, face sizes, yaw and what was rejected.
`--verify` reads every shard again: the checksum of every record and of the whole shard,
the number of records, and that each record decodes, belongs to its split and is there
once. `--contact_sheet` draws random samples with their landmarks and depth.
"""

from __future__ import annotations

import argparse
import dataclasses
import random
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import cv2
import google_crc32c
import numpy as np

from ethos_data import records
from ethos_data.drawing import draw_landmarks
from ethos_data.errors import EthosError, cli
from ethos_data.storage import files, tfrecord
from pipelines import logs, metadata

TILE: Final = 192
"""Side of one picture of the contact sheet, pixels."""

_SHOWN_REJECTS: Final = 20
_BAR: Final = 30


@dataclasses.dataclass(frozen=True)
class DataSet:
    """A converted data set.

    Attributes:
      folder: where the shards are.
      manifest: see `metadata.manifest_json`.
      complete: readers find it; it is not half converted or refused.
    """

    folder: str
    manifest: Mapping[str, Any]
    complete: bool

    @property
    def splits(self) -> dict[str, Mapping[str, Any]]:
        """Name and entry of each split, in the order in which they were asked for."""
        names = [name for name, _ in self.manifest["options"]["splits"]]
        return {name: self.manifest["splits"][name] for name in names}

    def shards(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Split and entry of each shard."""
        for split, content in self.splits.items():
            for shard in content["shards"]:
                yield split, shard


def find(data_dir: str) -> DataSet:
    """The data set in the folder given to ethos-convert, or in the version's own.

    Raises:
      EthosError: there is none.
    """
    data_dir = files.resolve(data_dir)
    inner = files.join(data_dir, records.NAME, records.VERSION)
    for folder in (inner, data_dir):
        manifest = metadata.read_json(files.join(folder, metadata.MANIFEST))
        if isinstance(manifest, dict) and manifest.get("name") == records.NAME:
            info = files.read_bytes(files.join(folder, metadata.DATASET_INFO))
            return DataSet(folder, manifest, info is not None)
    raise EthosError(
        f"{data_dir}: holds no finished conversion (no {metadata.MANIFEST}); "
        "ethos-convert makes one"
    )


def report(data: DataSet) -> str:
    """The text that `ethos-inspect` prints."""
    manifest = data.manifest
    lines = [data.folder, f"converted from {manifest['corpus_dir']}"]
    if not data.complete:
        lines.append("NOT COMPLETE: too much was rejected, or a conversion is running")
    lines += ["", f"{'split':<12}{'frames':>9}{'videos':>8}{'people':>8}{'MB':>9}"]
    for name, split in data.splits.items():
        lines.append(
            f"{name:<12}{split['frames']:>9}{split['videos']:>8}{split['people']:>8}"
            f"{split['bytes'] / 1e6:>9.1f}  in {len(split['shards'])} shards"
        )
    for title, key, edges, unit in (
        ("face size", "face_sizes", manifest["face_size_edges"], "px"),
        ("yaw", "yaws", manifest["yaw_edges"], "degrees"),
    ):
        counts = np.sum([s[key] for s in data.splits.values()], axis=0)
        lines += ["", f"{title}, {unit}", *_histogram(edges, counts.tolist())]
    lines += [
        "",
        f"files: {manifest['found']} found, {manifest['written']} written, "
        f"{len(manifest['rejected'])} rejected, {len(manifest['left_out'])} left out",
    ]
    for entry in manifest["rejected"][:_SHOWN_REJECTS]:
        lines.append(f"  {entry['path']}: {entry['reason']}")
    if len(manifest["rejected"]) > _SHOWN_REJECTS:
        lines.append(f"  ... all of them in {metadata.MANIFEST}")
    for reason, count in manifest["rejected_frames"].items():
        lines.append(f"  {count} frames: {reason}")
    return "\n".join(lines)


def _histogram(edges: Sequence[int], counts: Sequence[int]) -> list[str]:
    lines = []
    largest = max([*counts, 1])
    for index, (edge, count) in enumerate(zip(edges, counts, strict=True)):
        end = edges[index + 1] if index + 1 < len(edges) else None
        bin_name = f"{edge} to {end}" if end is not None else f"{edge} and more"
        bar = "#" * round(_BAR * count / largest)
        lines.append(f"  {bin_name:>12} {count:>9} {bar}")
    return lines


def verify(data: DataSet) -> int:
    """Reads every shard again.

    Returns:
      How many records were read.

    Raises:
      EthosError: a shard is damaged, or is not what the manifest says.
    """
    splits = {v["video_id"]: v["split"] for v in data.manifest["inputs"]}
    left = {v["video_id"]: v["written"] for v in data.manifest["inputs"]}
    seen: set[tuple[str, int]] = set()
    for split, shard in data.shards():
        path = files.join(data.folder, shard["name"])
        count = crc = 0
        try:
            with files.opened(path) as file:
                for serialized in tfrecord.read(file):
                    crc = google_crc32c.extend(crc, tfrecord.frame(serialized))
                    record = records.decode(serialized)
                    key = (record.video_id, record.frame)
                    if splits.get(record.video_id) != split or key in seen:
                        raise ValueError(f"{key} does not belong here, or once only")
                    seen.add(key)
                    left[record.video_id] -= 1
                    count += 1
        except (OSError, ValueError) as error:
            raise EthosError(f"{path}: {error}") from error
        if count != shard["frames"]:
            raise EthosError(f"{path}: has {count} records, not {shard['frames']}")
        if f"{crc:08x}" != shard["crc32c"]:
            raise EthosError(f"{path}: its checksum is not the manifest's")
    missing = [video for video, count in left.items() if count]
    if missing:
        raise EthosError(f"{data.folder}: frames of {missing[0]} are missing")
    return len(seen)


def samples(data: DataSet, count: int, seed: int) -> list[tuple[str, records.Record]]:
    """Random records with their splits, from as many shards as there are."""
    rng = random.Random(seed)
    shards = [(split, s) for split, s in data.shards() if s["frames"]]
    if not shards:
        raise EthosError(f"{data.folder}: holds no frame to draw")
    rng.shuffle(shards)
    wanted: dict[int, list[int]] = {}
    for number in range(count):
        index = number % len(shards)
        wanted.setdefault(index, []).append(rng.randrange(shards[index][1]["frames"]))
    chosen = []
    for index, places in wanted.items():
        split, shard = shards[index]
        with files.opened(files.join(data.folder, shard["name"])) as file:
            for place, serialized in enumerate(tfrecord.read(file)):
                if place in places:
                    chosen.append((split, records.decode(serialized)))
                if place >= max(places):
                    break
    rng.shuffle(chosen)
    return chosen


def contact_sheet(
    chosen: Sequence[tuple[str, records.Record]], columns: int = 4
) -> np.ndarray:
    """Each sample's picture with landmarks, beside its depth; uint8 (H, W, 3) RGB."""
    tiles = [_tile(split, record) for split, record in chosen]
    blank = np.zeros_like(tiles[0])
    tiles += [blank] * (-len(tiles) % columns)
    rows = [
        np.concatenate(tiles[start : start + columns], axis=1)
        for start in range(0, len(tiles), columns)
    ]
    return np.concatenate(rows)


def _tile(split: str, record: records.Record) -> np.ndarray:
    picture = cv2.resize(record.image, (TILE, TILE), interpolation=cv2.INTER_AREA)
    depth = depth_picture(record.depth)
    landmarks = record.landmarks * TILE - 0.5
    draw_landmarks(picture, landmarks, edges=(0, 230, 120), points=(255, 235, 60))
    tile = np.concatenate([picture, depth], axis=1)
    tile = np.pad(np.concatenate([picture, depth], axis=1), ((18, 4), (2, 2), (0, 0)))
    size = f"{record.face_size:.0f} px"
    text = f"{record.video_id[:30]}  frame {record.frame}  {split}  {size}"
    font = cv2.FONT_HERSHEY_SIMPLEX
    cv2.putText(tile, text, (4, 13), font, 0.36, (255, 255, 255), 1, cv2.LINE_AA)
    return tile


def depth_picture(depth: np.ndarray) -> np.ndarray:
    """Depth (S, S), NaN = none, in colours: uint8 (TILE, TILE, 3), nearer = lighter."""
    known = np.isfinite(depth)
    scaled = np.zeros(depth.shape, np.uint8)
    if known.any():
        lo, hi = np.percentile(depth[known], [1, 99])
        span = max(float(hi - lo), 1e-6)
        scaled[known] = np.clip((depth[known] - lo) / span * 255, 0, 255)
    colours = cv2.cvtColor(
        cv2.applyColorMap(scaled, cv2.COLORMAP_VIRIDIS), cv2.COLOR_BGR2RGB
    )
    colours[~known] = 24
    return cv2.resize(colours, (TILE, TILE), interpolation=cv2.INTER_NEAREST)


def parser() -> argparse.ArgumentParser:
    """The flags of `ethos-inspect`."""
    made = argparse.ArgumentParser(
        prog="ethos-inspect",
        description=__doc__.split("\n\n")[0],
        epilog="Further flags go to Beam's file systems.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        allow_abbrev=False,
    )
    add = made.add_argument
    add("data_dir", help="as given to ethos-convert")
    add("--verify", action="store_true", help="read and check every record")
    add("--contact_sheet", metavar="PNG", help="draw random samples into this file")
    add("--samples", type=int, default=24, help="on the contact sheet")
    add("--seed", type=int, default=0, help="of the samples")
    return made


@cli
def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of `ethos-inspect`."""
    logs.quieten()
    args, beam_args = parser().parse_known_args(argv)
    args.data_dir = files.resolve(args.data_dir)
    if not files.is_local(args.data_dir):
        files.set_options(beam_args)
    elif beam_args:
        raise EthosError(f"unknown arguments: {' '.join(beam_args)}")
    data = find(args.data_dir)
    print(report(data))
    if args.verify:
        count = verify(data)
        shards = sum(1 for _ in data.shards())
        print(f"\nverified {count} records in {shards} shards: all whole")
    if args.contact_sheet:
        chosen = samples(data, max(1, args.samples), args.seed)
        sheet = cv2.cvtColor(contact_sheet(chosen), cv2.COLOR_RGB2BGR)
        done, png = cv2.imencode(".png", sheet)
        if not done:
            raise EthosError(f"{args.contact_sheet}: cannot be encoded")
        files.write(args.contact_sheet, iter([png.tobytes()]))
        print(f"\nwrote {args.contact_sheet} with {len(chosen)} samples")
    return 0


if __name__ == "__main__":
    sys.exit(main())
