"""Trains the network that reconstructs a face from many frames.

    ethos-annotate videos/ --csv videos/            # landmarks of clean videos
    ethos-train-fusion --corpus_dir videos heads --workdir runs/fusion

Each corpus has one of the formats of ethos-convert: videos with a table of landmarks,
npz videos, or still images, which are moved. The clips are filmed by random bad cameras
and merged as ethos-view does it; the network learns to return the clean frames.

The same command again resumes the run. The directory of the run contains

    run.json       the configuration
    history.csv    one line for each validation
    last.npz       the checkpoint from which the run is resumed
    model/         the trained model: SavedModel, LiteRT file, weights and card
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import json
import os
import sys
import time
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from ethos_data import options
from ethos_data.errors import EthosError, cli
from ethos_data.progress import bar
from ethos_data.quiet import import_tensorflow
from ethos_data.storage import files
from ethos_model.training import checkpoint

VALIDATION_CLIPS: Final = 24
"""Number of clips that are filmed for the validation."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """Settings of ethos-train-fusion. Each field is a flag."""

    corpus_dir: tuple[str, ...] = options.required(
        "Directories of corpora with clean, sharp faces. All give the same share of "
        "the clips",
        metavar="DIR",
    )
    workdir: str = options.required("Directory of the run", metavar="DIR", local=True)
    validation_people: tuple[str, ...] = options.option(
        (), "People who are used for validation only", metavar="NAME"
    )
    clips_per_video: int = options.option(
        12, "Maximum number of clips of 24 frames from one video", minimum=1
    )
    rounds: int = options.option(
        1600,
        "Number of rounds. A round films 8 clips and takes 16 steps",
        minimum=1,
    )
    batch_size: int = options.option(16, "Number of crops in a step", minimum=1)
    learning_rate: float = options.option(
        1e-3, "Highest learning rate of AdamW, which decays along a cosine", above=0
    )
    size: int = options.option(
        224, "Width and height of the reconstructed face, in pixels", minimum=128
    )
    validate_every: int = options.option(
        50, "Number of rounds between two validations and checkpoints", minimum=1
    )
    processes: int = options.option(
        2, "Number of processes that compute training images", minimum=1
    )
    seed: int = options.option(0, "Random seed", minimum=0)


def parser() -> argparse.ArgumentParser:
    """Returns the parser of the command line."""
    result = options.make_parser("ethos-train-fusion", __doc__)
    options.add_flags(result, Options)
    return result


@cli
def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command."""
    chosen = options.from_flags(Options, parser().parse_args(argv))
    directory = fit(chosen)
    print(f"wrote {directory}; use it with ethos-annotate --fusion_model")
    return 0


def fit(chosen: Options) -> str:
    """Trains a run, or resumes it. Returns the directory of the model.

    Raises:
      EthosError: There are no clips, or a file cannot be read or written.
    """
    from ethos_model.fusion_training import clips, rounds

    os.makedirs(chosen.workdir, exist_ok=True)
    groups = clips.read(chosen.corpus_dir, clips_per_video=chosen.clips_per_video)
    held_back = set(chosen.validation_people)
    validation = [
        clip for group in groups for clip in group if clip.person in held_back
    ]
    missing = held_back - {clip.person for clip in validation}
    if missing:
        raise EthosError(
            f"--validation_people: no clips of {', '.join(sorted(missing))}"
        )
    groups = [
        [clip for clip in group if clip.person not in held_back] for group in groups
    ]
    training = [group for group in groups if group]
    if not training:
        raise EthosError(
            f"{' '.join(chosen.corpus_dir)}: no faces of at least "
            f"{clips.SMALLEST_FACE:g} pixels"
        )
    everything = [clip for group in training for clip in group]
    moving = sum(len(clip.frames) > 1 for clip in everything)
    print(
        f"{moving} clips and {len(everything) - moving} still images of "
        f"{len({clip.person for clip in everything})} people; "
        f"{len(validation)} clips for validation",
        file=sys.stderr,
    )
    films = rounds.Films(
        training, chosen.seed, chosen.size, chosen.processes, chosen.workdir
    )
    try:
        import_tensorflow()
        return _Run(chosen, training, validation, films).train()
    finally:
        films.close()


class _Run:
    def __init__(
        self, chosen: Options, training: Any, validation: Any, films: Any
    ) -> None:
        import keras
        import tensorflow as tf

        from ethos_model.fusion_training import loss, network, rounds

        keras.utils.set_random_seed(chosen.seed)
        self._chosen, self._clips, self._films = chosen, training, films
        self._model = network.build()
        steps = rounds.CLIPS * rounds.MOMENTS * rounds.CROPS // chosen.batch_size
        self._optimizer = keras.optimizers.AdamW(
            keras.optimizers.schedules.CosineDecay(
                0.0,
                chosen.rounds * steps,
                alpha=0.001,
                warmup_target=chosen.learning_rate,
                warmup_steps=min(200, chosen.rounds * steps // 4),
            ),
            weight_decay=1e-4,
            global_clipnorm=1.0,
            name="adamw",
        )
        self._optimizer.build(self._model.trainable_variables)
        self._validation = self._filmed(validation)
        self._history: list[dict[str, float]] = []

        @tf.function(reduce_retracing=True)
        def step(batch: Any) -> Any:
            with tf.GradientTape() as tape:
                value = loss.total(self._model(batch["inputs"], training=True), batch)
            weights = self._model.trainable_variables
            self._optimizer.apply(tape.gradient(value, weights), weights)
            return value

        self._step = step

    @property
    def _last(self) -> str:
        return os.path.join(self._chosen.workdir, checkpoint.LAST)

    def _filmed(self, clips: Sequence[Any]) -> list[Any]:
        from ethos_model.fusion_training import samples

        films = []
        for number in range(VALIDATION_CLIPS if clips else 0):
            rng = np.random.default_rng((self._chosen.seed, 3, number))
            clip = clips[number % len(clips)]
            films += [*samples.samples_of(clip, rng, size=self._chosen.size, moments=3)]
        return films

    def train(self) -> str:
        chosen = self._chosen
        first = self._resume()
        self._write_config()
        data = self._films.rounds(first, chosen.rounds, chosen.batch_size)
        with bar(chosen.rounds, "rounds", initial=first) as progress:
            losses: list[float] = []
            for number, batches in enumerate(data, first + 1):
                losses += [float(self._step(batch)) for batch in batches]
                progress.update()
                if number % chosen.validate_every and number < chosen.rounds:
                    continue
                if not np.isfinite(losses).all():
                    raise EthosError(f"{chosen.workdir}: the loss is not finite")
                self._validate(number, float(np.mean(losses)))
                self._save(number)
                losses = []
        return self._export()

    def _validate(self, number: int, train_loss: float) -> None:
        from ethos_model.fusion_training import loss, rounds

        row = {"round": float(number), "loss": train_loss}
        gains, shares = [], []
        for sample in self._validation:
            batch = rounds.stacked([sample])
            outputs = self._model(batch["inputs"], training=False)
            gains.append(float(loss.gain(outputs, batch)[0]))
            shares.append(float(loss.coverage(outputs, batch)[0]))
        if gains:
            row["gain_db"] = float(np.mean(gains))
            row["worst_gain_db"] = float(np.min(gains))
            row["within_sigma"] = float(np.mean(shares))
        self._history.append(row)
        text = ", ".join(f"{name} {value:.3f}" for name, value in row.items())
        print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)
        path = os.path.join(self._chosen.workdir, "history.csv")
        with (
            files.replacing(path) as temporary,
            open(temporary, "w", newline="", encoding="utf-8") as file,
        ):
            writer = csv.DictWriter(file, list(row))
            writer.writeheader()
            writer.writerows(self._history)

    def _save(self, number: int) -> None:
        groups = {
            "weights": checkpoint.values(self._model.variables),
            "optimizer": checkpoint.values(self._optimizer.variables),
        }
        meta = {"round": number, "history": self._history}
        checkpoint.write(self._last, groups, meta | {"config": self._config()})

    def _resume(self) -> int:
        if not os.path.exists(self._last):
            return 0
        groups, meta = checkpoint.read(self._last)
        changed = [
            f"--{name} is {value}, was {meta['config'].get(name)}"
            for name, value in self._config().items()
            if name != "processes" and meta["config"].get(name) != value
        ]
        if changed:
            raise EthosError(
                f"{self._chosen.workdir}: contains a run with other settings: "
                f"{'; '.join(changed)}"
            )
        checkpoint.assign(self._model.variables, groups["weights"], self._last)
        checkpoint.assign(self._optimizer.variables, groups["optimizer"], self._last)
        self._history = meta["history"]
        return int(meta["round"])

    def _config(self) -> dict[str, Any]:
        return json.loads(json.dumps(dataclasses.asdict(self._chosen)))

    def _write_config(self) -> None:
        path = os.path.join(self._chosen.workdir, "run.json")
        with (
            files.replacing(path) as temporary,
            open(temporary, "w", encoding="utf-8") as file,
        ):
            json.dump(self._config(), file, indent=2)

    def _export(self) -> str:
        from ethos_model.fusion_training import network

        directory = os.path.join(self._chosen.workdir, "model")
        clips = [clip for group in self._clips for clip in group]
        card = {
            "training": {
                **{k: v for k, v in self._config().items() if k != "workdir"},
                "clips": len(clips),
                "people": len({clip.person for clip in clips}),
            },
            "validation": self._history[-1] if self._history else {},
        }
        with files.replacing(directory) as temporary:
            os.makedirs(temporary)
            network.export(self._model, temporary, self._chosen.size, card)
        return directory


if __name__ == "__main__":
    raise SystemExit(main())
