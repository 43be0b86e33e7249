"""Finishes a conversion: writes the metadata and sums up the result."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from ethos_data.errors import EthosError
from ethos_data.storage import files
from pipelines.conversion import empty_splits, manifest, metadata
from pipelines.conversion.directory import OutputDirectory
from pipelines.conversion.empty_splits import EmptySplits
from pipelines.conversion.manifest import Summary
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
) -> Summary:
    """Writes the metadata of a data set from the receipts of its shards.

    Args:
      directory: The output directory.
      plan: The plan, whose shards are all written.
      corpus_dir: Absolute path of the corpus.
      max_bad_fraction: Maximum share of rejected files.

    Raises:
      EthosError: Too many files were rejected, or the data set has no frames. The
        manifest is written in this case, but not the files without which readers do not
        find a data set.
    """

    def receipts() -> Iterator[dict[str, Any]]:
        read = directory.read_receipts(plan.shards)
        for shard, receipt in zip(plan.shards, read, strict=True):
            if receipt is None:
                raise EthosError(f"{directory.path}: {shard.name} was not written")
            yield receipt

    summary = manifest.write(directory.path, plan, receipts(), corpus_dir)
    directory.delete_others(plan)
    rejected, num_files = summary.rejected, summary.head["found"]
    splits = summary.head["splits"]
    has_frames = any(split["frames"] for split in splits.values())
    if len(rejected) > max_bad_fraction * num_files or not has_frames:
        directory.hide(metadata.DATASET_INFO, metadata.FEATURES)
        path, reason = rejected[0]
        raise EthosError(
            f"{corpus_dir}: {len(rejected)} of {num_files} files were rejected, for "
            f"example {path}: {reason} (all are listed in "
            f"{files.join(directory.path, manifest.PARTS)})"
        )
    _write_dataset_info(directory.path, plan, splits)
    return summary


def _write_dataset_info(
    version_dir: str, plan: Plan, splits: Mapping[str, Mapping[str, Any]]
) -> None:
    """Writes the files by which readers find a data set.

    `dataset_info.json` is written last, because readers look for it.
    """
    shards = {
        name: splits[name]["shards"]
        for name, _ in plan.options.splits
        if splits[name]["frames"]
    }
    for name, content in (
        (metadata.FEATURES, metadata.features_json(plan.version)),
        (metadata.DATASET_INFO, metadata.dataset_info_json(shards, plan.version)),
    ):
        metadata.write_json(files.join(version_dir, name), content)


def sum_up(
    directory: OutputDirectory,
    plan: Plan,
    summary: Summary,
    newly_written: int,
    seconds: float,
    every_source_is_a_person: bool,
) -> ConversionResult:
    """Sums up a finished conversion.

    Args:
      directory: The output directory.
      plan: The plan.
      summary: Summary of the manifest.
      newly_written: Number of shards that this run wrote.
      seconds: Duration of the conversion, in seconds.
      every_source_is_a_person: See `ConversionResult`.
    """
    head = summary.head
    frames = {name: split["frames"] for name, split in head["splits"].items()}
    return ConversionResult(
        data_dir=directory.data_dir,
        version_dir=directory.path,
        corpus_format=plan.options.corpus_format,
        every_source_is_a_person=every_source_is_a_person,
        found=head["found"],
        written=head["written"],
        rejected=summary.rejected,
        left_out=head["left_out"],
        frames=sum(frames.values()),
        frames_by_split=frames,
        rejected_frames=head["rejected_frames"],
        shards=len(plan.shards),
        shards_reused=len(plan.shards) - newly_written,
        seconds=seconds,
        empty_splits=empty_splits.find(plan, frames, summary.people),
    )
