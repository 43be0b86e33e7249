"""Assigns people to splits by a hash of their names.

A person keeps their split when other people are added to the corpus.
"""

from __future__ import annotations

import collections
import hashlib
from collections.abc import Iterable, Mapping


def hashed(*parts: object) -> int:
    """A 64-bit hash of the text of `parts`, the same on every machine."""
    text = "\0".join(map(str, parts)).encode("utf-8", "surrogateescape")
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big")


def assign(
    people: Iterable[str],
    splits: Iterable[tuple[str, float]],
    seed: int,
    known: Mapping[str, str],
) -> dict[str, str]:
    """Assigns each person to a split.

    A hash of the name decides, so most people get the same split in any corpus. People
    in `known` keep their split. In a small corpus, chance could leave a split empty.
    Therefore a split with less than half of its share (and at least one person, if
    there are as many people as splits) receives new people from the split with the
    largest surplus.

    Args:
      people: Names of the people in the corpus.
      splits: Name and share of each split. The shares need not add up to 1.
      seed: Seed of the hash.
      known: Split of each person who already has one.

    Returns:
      The split of each person in `people` and `known`, sorted by name.
    """
    weights = dict(splits)
    shares = {name: weight / sum(weights.values()) for name, weight in weights.items()}
    assigned = dict(known)
    new = sorted(
        (person for person in set(people) if person not in assigned),
        key=lambda person: (hashed(seed, "person", person), person),
    )
    for person in new:
        position = hashed(seed, "person", person) / 2**64
        for name, share in shares.items():
            assigned[person] = name
            position -= share
            if position < 0:
                break
    # People who are no longer in the corpus are not counted.
    present = set(people)
    count = collections.Counter(assigned[person] for person in present)
    movable = {name: [p for p in new if assigned[p] == name] for name in shares}
    one_for_each = len(present) >= len(shares)
    minimum = {
        name: max(int(one_for_each), int(len(present) * share / 2))
        for name, share in shares.items()
    }
    for name in shares:
        while count[name] < minimum[name]:
            surplus = {
                other: count[other] - len(present) * shares[other]
                for other in shares
                if movable[other] and count[other] > minimum[other]
            }
            if not surplus:
                break
            giver = max(surplus, key=lambda other: surplus[other])
            assigned[movable[giver].pop()] = name
            count[giver] -= 1
            count[name] += 1
    return dict(sorted(assigned.items()))
