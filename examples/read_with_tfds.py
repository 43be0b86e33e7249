"""Reads a converted data set with TensorFlow Datasets alone, without ETHOS.

    python examples/read_with_tfds.py DATA/ethos_faces/1.0.0

Prints the size of each split and the mean face. Landmarks are in the normalised frame:
x and y run from 0 to 1 over the stored image, z has the same unit, and larger z is
nearer. Needs `pip install tensorflow tensorflow-datasets`.
"""

import sys

import numpy as np
import tensorflow_datasets as tfds


def main(directory: str) -> None:
    builder = tfds.builder_from_directory(directory)
    for name, split in builder.info.splits.items():
        print(f"{name}: {split.num_examples} frames in {split.num_shards} shards")
    examples = tfds.as_numpy(builder.as_dataset(split="train").take(100))
    landmarks = []
    for example in examples:
        image, depth = example["image"], example["depth"]  # (S, S, 3), (D, D, 1)
        assert image.dtype == np.uint8, image.dtype
        assert depth.dtype == np.uint16, depth.dtype
        landmarks.append(example["landmarks"])  # float32 (68, 3)
    mean = np.mean(landmarks, axis=0)
    print("tip of the nose of the mean face:", mean[30].round(3))


if __name__ == "__main__":
    main(*sys.argv[1:])
