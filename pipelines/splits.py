"""Who goes into which split: by a hash of the name, so that growing moves nobody."""

from __future__ import annotations

import collections
import hashlib
from collections.abc import Iterable, Mapping


def hashed(*parts: object) -> int:
    """A 64-bit number that depends on the parts alone, the same everywhere."""
    text = "\0".join(map(str, parts)).encode("utf-8", "surrogateescape")
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big")


def assign(
    people: Iterable[str],
    splits: Iterable[tuple[str, float]],
    seed: int,
    known: Mapping[str, str],
) -> dict[str, str]:
    """The split of every person.

    A person's hash decides, so that most people keep their split whoever else is in the
    corpus, and those already `known` keep it always. Chance must not leave a split of a
    small corpus empty: one with less than half of its share (at least one person, if
    there are as many people as splits) is given new people from the split that has the
    largest surplus.

    Args:
      people: those of the corpus.
      splits: name and share of each split; the shares need not add up to 1.
      seed: of the hash.
      known: split of people who already have one.

    Returns:
      Split of each of `people` and `known`, sorted by name.
    """
    wanted = dict(splits)
    shares = {name: share / sum(wanted.values()) for name, share in wanted.items()}
    assigned = dict(known)
    new = sorted(
        (p for p in set(people) if p not in assigned),
        key=lambda p: (hashed(seed, "person", p), p),
    )
    for person in new:
        place = hashed(seed, "person", person) / 2**64
        for name, share in shares.items():
            assigned[person] = name
            place -= share
            if place < 0:
                break
    # Of those who are there: people who have left fill no split.
    there = set(people)
    count = collections.Counter(assigned[person] for person in there)
    movable = {name: [p for p in new if assigned[p] == name] for name in shares}
    enough = len(there) >= len(shares)
    floor = {
        name: max(int(enough), int(len(there) * share / 2))
        for name, share in shares.items()
    }
    for name in shares:
        while count[name] < floor[name]:
            surplus = {
                other: count[other] - len(there) * shares[other]
                for other in shares
                if movable[other] and count[other] > floor[other]
            }
            if not surplus:
                break
            giver = max(surplus, key=lambda other: surplus[other])
            assigned[movable[giver].pop()] = name
            count[giver] -= 1
            count[name] += 1
    return dict(sorted(assigned.items()))
