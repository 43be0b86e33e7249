"""The output directory of a conversion: ownership, plan, receipts and restart.

Besides the files that TFDS reads, the directory holds the plan and one receipt for each
finished shard. There is no other state. So any conversion that was interrupted, on any
machine, continues when the same command runs again.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent import futures
from typing import Any, Final

from ethos_data import records
from ethos_data.errors import EthosError, reason_of
from ethos_data.storage import files
from pipelines import paths
from pipelines.conversion import manifest, metadata, parts, shard_writer
from pipelines.conversion.corpus import HEADERS, READERS
from pipelines.conversion.options import ConversionOptions
from pipelines.conversion.plan import Plan, Shard

PLAN: Final = "plan.json"
"""Name of the file with the options and the names of the parts of the plan."""

_PLAN_STEM: Final = "plan"

_OURS: Final = (f"{records.NAME}-", f"{manifest.STEM}-", f"{shard_writer.STATE}/")
"""Beginnings of the names of files that a conversion may delete."""

_RECEIPTS: Final = 256
"""Number of receipts in memory at the same time."""


class OutputDirectory:
    """The directory of one version of a data set.

    Attributes:
      data_dir: Directory of data sets.
      path: Directory of the shards, `<data_dir>/ethos_faces/<version>`.
      state_dir: Directory of the plan and the receipts, `.ethos` in `path`.

    Args:
      data_dir: Directory of data sets.
      version: Version of the data set; see `records`.
    """

    def __init__(self, data_dir: str, version: str = records.VERSION):
        self.data_dir = paths.absolute(data_dir)
        self.path = files.join(self.data_dir, records.NAME, version)
        self._others = [
            files.join(self.data_dir, records.NAME, other)
            for other in (records.VERSION, records.PARTIAL_VERSION)
            if other != version
        ]
        self.state_dir = files.join(self.path, shard_writer.STATE)
        self._plan_path = files.join(self.state_dir, PLAN)

    @contextlib.contextmanager
    def opened(self, overwrite: bool) -> Iterator[None]:
        """Creates the directory and locks it while the block runs.

        Args:
          overwrite: Delete the result of an earlier conversion first.

        Raises:
          EthosError: The directory contains something else, another conversion is
            running in it, or its file system has no locks.
        """
        for other in self._others:
            # Readers use the newest version in a directory, and only that.
            if metadata.read_json(files.join(other, shard_writer.STATE, PLAN)):
                raise EthosError(
                    f"{other}: contains the data set of another corpus; choose another "
                    "--data_dir"
                )
        files.make_directory(self.state_dir)
        with self._locked():
            present = [entry.path for entry in self._list()]
            plan_name = f"{shard_writer.STATE}/{PLAN}"
            # These files exist before the plan is complete.
            early = tuple(f"{shard_writer.STATE}/{n}-" for n in (HEADERS, _PLAN_STEM))
            finished = [
                path
                for path in present
                if files.TEMPORARY not in path and not path.startswith(early)
            ]
            if finished and plan_name not in present:
                raise EthosError(
                    f"{self.path}: contains files but no conversion; choose another "
                    "--data_dir"
                )
            if overwrite:
                # Delete the plan last. Without it, the directory would not be
                # recognised as that of a conversion. Its parts can remain without it.
                def order(path: str) -> int:
                    return (path == plan_name) + 2 * path.startswith(early)

                for path in sorted(present, key=order):
                    files.delete(files.join(self.path, *path.split("/")))
            yield

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        if not files.is_local(self.path):
            yield
            return
        handle = os.open(self.path, os.O_RDONLY)
        try:
            self._lock(handle)
            yield
        finally:
            os.close(handle)

    def _lock(self, handle: int) -> None:
        """Locks the directory. The system releases the lock when the process ends."""
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise EthosError(
                f"{self.path}: another conversion is running here"
            ) from None
        except OSError as error:
            reason = reason_of(error)
            raise EthosError(f"{self.path}: cannot be locked ({reason})") from error

    def _list(self) -> Iterator[files.Entry]:
        """Lists all files. Links are not followed: their targets are not ours."""
        return files.walk(self.path, follow=False)

    def read_plan(self, corpus_dir: str, options: ConversionOptions) -> Plan | None:
        """Reads the plan of an earlier run.

        Args:
          corpus_dir: Absolute path of the corpus of this run.
          options: The options of this run.

        Returns:
          The plan, or None if there is none.

        Raises:
          EthosError: It is the plan of a conversion with another corpus or with other
            options.
        """
        saved = metadata.read_json(self._plan_path)
        if saved is None:
            return None
        try:
            names = saved.get("parts")
            lines = None if names is None else parts.read(self.state_dir, names)
            plan = Plan.from_json(saved["plan"], lines)
            values = [("corpus_dir", saved["corpus_dir"], corpus_dir)]
        except (AttributeError, KeyError, TypeError, ValueError, EthosError) as error:
            raise EthosError(
                f"{self._plan_path}: not a plan of this version of ETHOS; use "
                "--overwrite"
            ) from error
        for field in dataclasses.fields(ConversionOptions):
            name = field.name
            values.append((name, getattr(plan.options, name), getattr(options, name)))
        differences = [
            f"{name} {_text(old)} instead of {_text(new)}"
            for name, old, new in values
            if old != new
        ]
        if differences:
            raise EthosError(
                f"{self.path}: belongs to a conversion with {', '.join(differences)}; "
                "use --overwrite or another --data_dir"
            )
        return plan

    def adopt(self, plan: Plan, previous: Plan | None, corpus_dir: str) -> None:
        """Saves a plan and prepares the directory for it.

        Finished shards get their new names. Files that are not part of the plan are
        deleted.

        Args:
          plan: The plan of this run.
          previous: Plan of the earlier run.
          corpus_dir: Absolute path of the corpus.
        """
        if previous and previous != plan:
            # These files describe the shards of the previous plan.
            self.hide(metadata.DATASET_INFO, metadata.FEATURES, metadata.MANIFEST)
        if previous:
            self._rename_finished(plan, previous)
        saved = {
            "corpus_dir": corpus_dir,
            "plan": plan.to_json(),
            "parts": parts.write(self.state_dir, _PLAN_STEM, plan.lines()),
        }
        metadata.write_json(self._plan_path, saved)
        self.delete_others(plan)

    def hide(self, *names: str) -> None:
        """Deletes files without which readers do not find a data set."""
        present = {entry.path for entry in self._list()}
        for name in present.intersection(names):
            files.delete(files.join(self.path, name))

    def _rename_finished(self, plan: Plan, previous: Plan) -> None:
        names = {shard.key: shard.name for shard in previous.shards}
        present = {entry.path for entry in self._list()}
        for shard in plan.shards:
            name = names.get(shard.key)
            if name and name != shard.name and name in present:
                files.rename(
                    files.join(self.path, name), files.join(self.path, shard.name)
                )

    def delete_others(self, plan: Plan) -> None:
        """Deletes files of earlier runs that are not part of the plan."""
        expected = {shard.name for shard in plan.shards}
        expected |= {f"{shard_writer.STATE}/{shard.key}.json" for shard in plan.shards}
        expected |= {metadata.MANIFEST, metadata.DATASET_INFO, metadata.FEATURES}
        expected.add(f"{shard_writer.STATE}/{PLAN}")
        saved = metadata.read_json(self._plan_path) or {}
        expected |= {f"{shard_writer.STATE}/{name}" for name in saved.get("parts", ())}
        written = manifest.read(self.path)
        expected |= set(written.head.get("parts", ()) if written else ())
        for entry in list(self._list()):
            ours = entry.path.startswith(_OURS) or files.TEMPORARY in entry.path
            if ours and entry.path not in expected:
                files.delete(files.join(self.path, *entry.path.split("/")))

    def unfinished(self, plan: Plan) -> list[Shard]:
        """The shards that this run must write.

        Deletes their receipts. If there are such shards, also deletes the files without
        which readers do not find a data set.
        """
        sizes = {entry.path: entry.size for entry in self._list()}

        def has_receipt(shard: Shard) -> bool:
            return f"{shard_writer.STATE}/{shard.key}.json" in sizes

        candidates = [shard for shard in plan.shards if has_receipt(shard)]

        def is_finished(shard: Shard, receipt: Mapping[str, Any] | None) -> bool:
            return (
                receipt is not None
                and sizes.get(shard.name) == receipt["bytes"]
                # A file could not be opened, perhaps only for a moment.
                and not any(video.get("retry") for video in receipt["videos"])
            )

        pairs = zip(candidates, self.read_receipts(candidates), strict=True)
        finished = {
            shard.key for shard, receipt in pairs if is_finished(shard, receipt)
        }
        shards = [shard for shard in plan.shards if shard.key not in finished]
        if shards:
            self.hide(metadata.DATASET_INFO, metadata.FEATURES, metadata.MANIFEST)
        for shard in filter(has_receipt, shards):
            files.delete(shard_writer.receipt_path(self.path, shard))
        return shards

    def read_receipts(self, shards: Sequence[Shard]) -> Iterator[dict[str, Any] | None]:
        """Yields the receipt of each shard. None for a missing or damaged receipt."""
        with futures.ThreadPoolExecutor(READERS) as pool:
            # Not all at once, because the receipts together can be large.
            for start in range(0, len(shards), _RECEIPTS):
                batch = shards[start : start + _RECEIPTS]
                yield from pool.map(self._read_receipt, batch)

    def _read_receipt(self, shard: Shard) -> dict[str, Any] | None:
        receipt = metadata.read_json(shard_writer.receipt_path(self.path, shard))
        if not isinstance(receipt, dict) or receipt.get("key") != shard.key:
            return None
        return receipt


def _text(value: object) -> str:
    """The value of an option in an error message."""
    return "(not given)" if value is None else str(value)
