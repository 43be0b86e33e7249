"""One conversion and its folder: whose it is, what is finished, what is left to do.

The folder holds, beside what TFDS reads, the plan and one receipt for each finished
shard. Nothing else is remembered, so a job that was killed anywhere, on any machine, is
taken up by running it again.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import os
import time
from collections.abc import Iterator, Sequence
from concurrent import futures
from typing import Any, Final

from ethos_data import records
from ethos_data.corpora import npz_video
from ethos_data.corpora.video import CorpusError
from ethos_data.errors import EthosError
from ethos_data.storage import files
from pipelines import metadata, plan
from pipelines import shard as shard_lib

PLAN: Final = "plan.json"

_READERS: Final = 16
"""Files that are read at the same time: headers of videos, and receipts."""


@dataclasses.dataclass(frozen=True)
class Result:
    """What a conversion did.

    Attributes:
      data_dir: where data sets lie.
      version_dir: the folder of this one, which TFDS reads.
      found: npz files of the corpus; written + rejected + left out.
      written: files with at least one frame in the data set.
      rejected: path and reason of each file that is not.
      left_out: files that `--max_examples_per_split` left no room for.
      frames: in the data set.
      frames_by_split: the same, of each split.
      rejected_frames: reason to number of such frames.
      shards: number of them.
      shards_reused: of these, found finished.
      seconds: that it took.
    """

    data_dir: str
    version_dir: str
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


class Job:
    """A conversion of one corpus into one folder.

    Args:
      corpus_dir: where the npz files are.
      data_dir: where data sets lie.
      options: what decides their content.
    """

    def __init__(self, corpus_dir: str, data_dir: str, options: plan.Options):
        def absolute(path: str) -> str:
            path = files.resolve(path)
            return os.path.abspath(path) if files.is_local(path) else path

        self.corpus_dir = absolute(corpus_dir)
        self.data_dir = absolute(data_dir)
        self.version_dir = files.join(self.data_dir, records.NAME, records.VERSION)
        self._state_dir = files.join(self.version_dir, shard_lib.STATE)
        self._plan_path = files.join(self._state_dir, PLAN)
        self.options = options
        self._previous: plan.Plan | None = None

    def find_videos(self) -> list[files.Entry]:
        """Lists the corpus. Nothing is changed yet.

        Raises:
          EthosError: there is no npz file.
        """
        if files.is_local(self.corpus_dir) and not os.path.isdir(self.corpus_dir):
            raise EthosError(f"{self.corpus_dir}: is not a folder")
        found = npz_video.find_videos(self.corpus_dir)
        if not found:
            raise EthosError(f"{self.corpus_dir}: holds no {npz_video.SUFFIX} file")
        return found

    @contextlib.contextmanager
    def folder(self, overwrite: bool) -> Iterator[None]:
        """Makes the folder, makes sure that it is ours, and keeps others out.

        Args:
          overwrite: empty it first, if it is a conversion's at all.

        Raises:
          EthosError: it belongs to another conversion or to something else, or a job
            is running in it.
        """
        files.make_directory(self._state_dir)
        with self._locked():
            present = [entry.path for entry in self._written()]
            state = f"{shard_lib.STATE}/{PLAN}"
            foreign = [path for path in present if files.TEMPORARY not in path]
            if foreign and state not in present:
                raise EthosError(
                    f"{self.version_dir}: is not empty and holds no conversion; "
                    "choose another --data_dir"
                )
            if overwrite:
                # The plan goes last: without it, the folder would not be known as ours.
                for path in sorted(present, key=lambda path: path == state):
                    files.delete(files.join(self.version_dir, *path.split("/")))
            else:
                self._previous = self._read_plan()
            yield

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        if not files.is_local(self.version_dir):
            yield
            return
        handle = os.open(self.version_dir, os.O_RDONLY)
        try:
            # The system drops the lock with the process, however it ends.
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
        except BlockingIOError:
            raise EthosError(
                f"{self.version_dir}: another conversion is running here"
            ) from None
        finally:
            os.close(handle)

    def _read_plan(self) -> plan.Plan | None:
        saved = metadata.read_json(self._plan_path)
        if saved is None:
            return None
        try:
            previous = plan.Plan.from_json(saved["plan"])
            corpus_dir = saved["corpus_dir"]
        except (KeyError, TypeError, ValueError, EthosError) as error:
            raise EthosError(
                f"{self._plan_path}: is not a plan of this version; use --overwrite"
            ) from error
        differences = [
            f"{name} {old} instead of {new}"
            for name, old, new in [
                ("corpus_dir", corpus_dir, self.corpus_dir),
                *(
                    (
                        field.name,
                        getattr(previous.options, field.name),
                        getattr(self.options, field.name),
                    )
                    for field in dataclasses.fields(plan.Options)
                ),
            ]
            if old != new
        ]
        if differences:
            raise EthosError(
                f"{self.version_dir}: belongs to a conversion with "
                f"{', '.join(differences)}; use --overwrite or another --data_dir"
            )
        return previous

    def make_plan(self, found: list[files.Entry]) -> plan.Plan:
        """Plans the shards of what `find_videos` found, and saves the plan."""
        made = plan.make(self._sources(found), self.options, self._previous)
        if self._previous and self._previous.to_json() != made.to_json():
            # They are not those of the shards that are there from now on.
            self._hide(metadata.DATASET_INFO, metadata.FEATURES, metadata.MANIFEST)
        self._adopt(made)
        saved = {"corpus_dir": self.corpus_dir, "plan": made.to_json()}
        metadata.write_json(self._plan_path, saved)
        self._tidy(made)
        return made

    def _written(self) -> Iterator[files.Entry]:
        """What lies in the folder; links lead to what is not ours."""
        return files.walk(self.version_dir, follow=False)

    def _hide(self, *names: str) -> None:
        """Deletes files by which readers know a data set."""
        present = {entry.path for entry in self._written()}
        for name in present.intersection(names):
            files.delete(files.join(self.version_dir, name))

    def _sources(self, found: list[files.Entry]) -> list[plan.Source]:
        """Asks every new file for its number of frames."""
        known: dict[tuple[str, int, float], plan.Source] = {}
        for made in self._previous.shards if self._previous else ():
            for member in made.members:
                s = member.source
                known[s.path, s.size, s.modified] = s

        def probed(entry: files.Entry) -> plan.Source:
            same = known.get((entry.path, entry.size, entry.modified))
            if same and same.frames:
                return same
            path = files.join(self.corpus_dir, *entry.path.split("/"))
            frames = height = width = 0
            # What is wrong with it is for the worker to say.
            broken = contextlib.suppress(CorpusError, OSError)
            with broken, files.opened(path) as file:
                frames, height, width = npz_video.count_frames(path, file)
            return plan.Source(
                entry.path, entry.size, entry.modified, frames, height, width
            )

        with futures.ThreadPoolExecutor(_READERS) as pool:
            return list(pool.map(probed, found))

    def _adopt(self, made: plan.Plan) -> None:
        """Gives finished shards of the previous plan their new names."""
        if self._previous is None:
            return
        before = {s.key: s.name for s in self._previous.shards}
        present = {entry.path for entry in self._written()}
        for shard in made.shards:
            old = before.get(shard.key)
            if old and old != shard.name and old in present:
                files.rename(
                    files.join(self.version_dir, old),
                    files.join(self.version_dir, shard.name),
                )

    def _tidy(self, made: plan.Plan) -> None:
        """Deletes what an earlier run left and this plan does not want."""
        wanted = {s.name for s in made.shards}
        wanted |= {f"{shard_lib.STATE}/{s.key}.json" for s in made.shards}
        wanted |= {metadata.MANIFEST, metadata.DATASET_INFO, metadata.FEATURES}
        wanted.add(f"{shard_lib.STATE}/{PLAN}")
        for entry in list(self._written()):
            ours = (
                entry.path.startswith((f"{records.NAME}-", f"{shard_lib.STATE}/"))
                or files.TEMPORARY in entry.path
            )
            if ours and entry.path not in wanted:
                files.delete(files.join(self.version_dir, *entry.path.split("/")))

    def unfinished(self, made: plan.Plan) -> set[str]:
        """Keys of the shards that are still to be made.

        As long as there are any, the files by which readers know a data set are gone.
        """
        sizes = {entry.path: entry.size for entry in self._written()}
        todo = set()
        present = [s for s in made.shards if f"{shard_lib.STATE}/{s.key}.json" in sizes]
        receipts = {
            s.key: receipt
            for s, receipt in zip(present, self._receipts(present), strict=True)
        }
        for shard in made.shards:
            receipt = receipts.get(shard.key)
            if (
                receipt is None
                or sizes.get(shard.name) != receipt["bytes"]
                or any(video.get("retry") for video in receipt["videos"])
            ):
                todo.add(shard.key)
        if todo:
            self._hide(metadata.DATASET_INFO, metadata.FEATURES, metadata.MANIFEST)
            for shard in made.shards:
                name = f"{shard_lib.STATE}/{shard.key}.json"
                if shard.key in todo and name in sizes:
                    files.delete(shard_lib.receipt_path(self.version_dir, shard))
        return todo

    def _receipts(self, shards: Sequence[plan.Shard]) -> list[dict[str, Any] | None]:
        with futures.ThreadPoolExecutor(_READERS) as pool:
            return list(pool.map(self._receipt, shards))

    def _receipt(self, shard: plan.Shard) -> dict[str, Any] | None:
        receipt = metadata.read_json(shard_lib.receipt_path(self.version_dir, shard))
        if not isinstance(receipt, dict) or receipt.get("key") != shard.key:
            return None
        return receipt

    def finish(
        self, made: plan.Plan, newly: int, max_bad_fraction: float, begun: float
    ) -> Result:
        """Writes the metadata from the receipts.

        Args:
          made: the plan, carried out.
          newly: shards that this run made.
          max_bad_fraction: of the files may be rejected.
          begun: `time.monotonic()` at the start.

        Raises:
          EthosError: too much was rejected, or nothing is left. The manifest is there
            all the same, the files by which readers know a data set are not.
        """
        receipts: list[dict[str, Any]] = []
        for shard, receipt in zip(
            made.shards, self._receipts(made.shards), strict=True
        ):
            if receipt is None:
                raise EthosError(f"{self.version_dir}: {shard.name} was not written")
            receipts.append(receipt)
        manifest = metadata.manifest_json(made, receipts, self.corpus_dir)
        manifest_path = files.join(self.version_dir, metadata.MANIFEST)
        metadata.write_json(manifest_path, manifest)
        self._tidy(made)
        rejected = manifest["rejected"]
        frames = {name: split["frames"] for name, split in manifest["splits"].items()}
        if len(rejected) > max_bad_fraction * manifest["found"] or not any(
            frames.values()
        ):
            self._hide(metadata.DATASET_INFO, metadata.FEATURES)
            first = rejected[0]
            raise EthosError(
                f"{self.corpus_dir}: {len(rejected)} of {manifest['found']} files were "
                f"rejected, such as {first['path']}: {first['reason']} "
                f"(all of them in {manifest_path})"
            )
        by_split = {
            name: [
                receipt
                for receipt, shard in zip(receipts, made.shards, strict=True)
                if shard.split == name
            ]
            for name, _ in made.options.splits
            if frames[name]
        }
        info = metadata.dataset_info_json(by_split)
        for name, content in (
            (metadata.FEATURES, metadata.features_json()),
            (metadata.DATASET_INFO, info),
        ):
            metadata.write_json(files.join(self.version_dir, name), content)
        return Result(
            data_dir=self.data_dir,
            version_dir=self.version_dir,
            found=manifest["found"],
            written=manifest["written"],
            rejected=tuple((r["path"], r["reason"]) for r in rejected),
            left_out=len(manifest["left_out"]),
            frames=sum(frames.values()),
            frames_by_split=frames,
            rejected_frames=manifest["rejected_frames"],
            shards=len(made.shards),
            shards_reused=len(made.shards) - newly,
            seconds=time.monotonic() - begun,
        )
