"""Finishes a conversion: writes the metadata and sums up the result."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from ethos_data.errors import EthosError
from ethos_data.storage import files
from pipelines.conversion import empty_splits, metadata
from pipelines.conversion.directory import OutputDirectory
from pipelines.conversion.empty_splits import EmptySplits
from pipelines.conversion.plan import Plan


@dataclasses.dataclass(frozen=True)
class ConversionResult:
    """The result of a conversion.

    Attributes:
      data_dir: Directory of data sets.
      version_dir: Directory of this data set, which TFDS reads.
      corpus_format: Name of the format of the corpus.
      every_source_is_a_person: Whether nothing states which files show the same person.
      found: Number of files or entries of lists in the corpus: written, rejected and
        left out.
      written: Number of files with at least one frame in the data set.
      rejected: Path and reason of each rejected file.
      left_out: Number of files that were not needed because of
        `--max_examples_per_split`.
      frames: Number of frames in the data set.
      frames_by_split: Number of frames in each split.
      rejected_frames: Number of rejected frames by reason.
      shards: Number of shards.
      shards_reused: Number of shards that an earlier run had finished.
      seconds: Duration of the conversion, in seconds.
      empty_splits: The splits without frames, the reasons and a remedy. None if each
        split has frames.
    """

    data_dir: str
    version_dir: str
    corpus_format: str
    every_source_is_a_person: bool
    found: int
    written: int
    rejected: tuple[tuple[str, str], ...]
    left_out: int
    frames: int
    frames_by_split: dict[str, int]
    rejected_frames: dict[str, int]
    shards: int
    shards_reused: int
    seconds: float
    empty_splits: EmptySplits | None


def write_metadata(
    directory: OutputDirectory, plan: Plan, corpus_dir: str, max_bad_fraction: float
) -> dict[str, Any]:
    """Writes the metadata of a data set from the receipts of its shards.

    Args:
      directory: The output directory.
      plan: The plan, whose shards are all written.
      corpus_dir: Absolute path of the corpus.
      max_bad_fraction: Maximum share of rejected files.

    Returns:
      The content of the manifest.

    Raises:
      EthosError: Too many files were rejected, or the data set has no frames. The
        manifest is written in this case, but not the files without which readers do not
        find a data set.
    """
    receipts: list[dict[str, Any]] = []
    for shard, receipt in zip(
        plan.shards, directory.read_receipts(plan.shards), strict=True
    ):
        if receipt is None:
            raise EthosError(f"{directory.path}: {shard.name} was not written")
        receipts.append(receipt)
    manifest = metadata.manifest_json(plan, receipts, corpus_dir)
    manifest_path = files.join(directory.path, metadata.MANIFEST)
    metadata.write_json(manifest_path, manifest)
    directory.delete_others(plan)
    rejected = manifest["rejected"]
    has_frames = any(split["frames"] for split in manifest["splits"].values())
    if len(rejected) > max_bad_fraction * manifest["found"] or not has_frames:
        directory.hide(metadata.DATASET_INFO, metadata.FEATURES)
        first = rejected[0]
        raise EthosError(
            f"{corpus_dir}: {len(rejected)} of {manifest['found']} files were "
            f"rejected, for example {first['path']}: {first['reason']} (all are listed "
            f"in {manifest_path})"
        )
    _write_dataset_info(directory.path, plan, receipts)
    return manifest


def _write_dataset_info(
    version_dir: str, plan: Plan, receipts: Sequence[Mapping[str, Any]]
) -> None:
    """Writes the files by which readers find a data set.

    `dataset_info.json` is written last, because readers look for it.
    """
    by_split: dict[str, list[Mapping[str, Any]]] = {}
    for name, _ in plan.options.splits:
        pairs = zip(receipts, plan.shards, strict=True)
        split_receipts = [receipt for receipt, shard in pairs if shard.split == name]
        if any(receipt["records"] for receipt in split_receipts):
            by_split[name] = split_receipts
    for name, content in (
        (metadata.FEATURES, metadata.features_json(plan.version)),
        (metadata.DATASET_INFO, metadata.dataset_info_json(by_split, plan.version)),
    ):
        metadata.write_json(files.join(version_dir, name), content)


def sum_up(
    directory: OutputDirectory,
    plan: Plan,
    manifest: Mapping[str, Any],
    newly_written: int,
    seconds: float,
    every_source_is_a_person: bool,
) -> ConversionResult:
    """Sums up a finished conversion.

    Args:
      directory: The output directory.
      plan: The plan.
      manifest: Content of the manifest.
      newly_written: Number of shards that this run wrote.
      seconds: Duration of the conversion, in seconds.
      every_source_is_a_person: See `ConversionResult`.
    """
    frames = {name: split["frames"] for name, split in manifest["splits"].items()}
    rejected = [(file["path"], file["reason"]) for file in manifest["rejected"]]
    return ConversionResult(
        data_dir=directory.data_dir,
        version_dir=directory.path,
        corpus_format=plan.options.corpus_format,
        every_source_is_a_person=every_source_is_a_person,
        found=manifest["found"],
        written=manifest["written"],
        rejected=tuple(rejected),
        left_out=len(manifest["left_out"]),
        frames=sum(frames.values()),
        frames_by_split=frames,
        rejected_frames=manifest["rejected_frames"],
        shards=len(plan.shards),
        shards_reused=len(plan.shards) - newly_written,
        seconds=seconds,
        empty_splits=empty_splits.find(plan, manifest),
    )
