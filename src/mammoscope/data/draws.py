"""Which samples an epoch shows, in which order and how often: a function of (seed, epoch) alone."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from mammoscope.records import Sample
from mammoscope.vocabulary import Sampling


class Pick(NamedTuple):
    """One showing of a sample. The epoch travels along, so that worker processes may persist."""

    epoch: int
    sample: int  # its index in the partition
    repeat: int = 0  # how often this epoch has shown the sample before: each showing is augmented in its own way


class Draws:
    """Epochs as long as the partition, in which the groups of samples take equal parts. Final.

    Samples are dealt like cards, for ever: the groups take turns, and each goes through all of its samples, shuffled
    anew every time, before one comes again. So in any epoch two groups differ by one showing at most, and over all
    epochs so do two samples of one group. One group only: each epoch shows every sample once.
    """

    def __init__(self, groups: Sequence[int | str], seed: int):
        """groups: of each sample; sampling goes by it."""
        members = defaultdict(list)
        for index, group in enumerate(groups):
            members[group].append(index)
        self._members = [np.array(members[group]) for group in sorted(members)]
        self._seed = seed
        self._samples = len(groups)

    def __len__(self) -> int:
        return self._samples

    def epoch(self, number: int) -> np.ndarray:
        """Indices of samples, int64 (samples,), in the order in which the epoch shows them."""
        start = number * len(self)
        dealt = [self._dealt(place, start, start + len(self)) for place in range(len(self._members))]
        shown = np.sort(np.concatenate(dealt))
        np.random.default_rng([self._seed, number]).shuffle(shown)
        return shown

    def share(self) -> np.ndarray:
        """How often an epoch shows each sample in the long run, float64 (samples,); 1 on average."""
        often = np.empty(len(self))
        for members in self._members:
            often[members] = len(self) / (len(self._members) * len(members))
        return often

    def _dealt(self, place: int, start: int, stop: int) -> np.ndarray:
        """What the group at `place` shows in turns start to stop of the whole deal; turn t is of group t mod n."""
        groups, members = len(self._members), self._members[place]
        first, last = ((turn - place + groups - 1) // groups for turn in (start, stop))
        rounds = range(first // len(members), -(-last // len(members)))
        cards = [self._shuffled(place, number) for number in rounds]
        skipped = first % len(members)
        return np.concatenate([members[:0], *cards])[skipped : skipped + last - first]

    def _shuffled(self, place: int, number: int) -> np.ndarray:
        # the closing 1 keeps these seeds apart from those of the epochs: numpy pads with zeros
        return np.random.default_rng([self._seed, place, number, 1]).permutation(self._members[place])


def build_draws(samples: Sequence[Sample], sampling: Sampling, seed: int) -> Draws:
    groups: dict[Sampling, list[int | str]] = {
        Sampling.uniform: [0 for _ in samples],
        Sampling.by_target: [sample.target for sample in samples],
        Sampling.by_patient: [sample.patient for sample in samples],
    }
    return Draws(groups[sampling], seed)


class Share(NamedTuple):
    """The part of a batch that one of several processes computes."""

    rank: int  # from 0
    processes: int


ALONE = Share(0, 1)


class EpochBatches:
    """Batches of picks; without `draws` in the samples' own order, for evaluation. Final.

    The last, smaller batch is kept, unless in training it holds one sample only, which would stop batch norm, or fewer
    than there are processes.
    """

    def __init__(self, samples: int, batch_size: int, draws: Draws | None, share: Share = ALONE):
        """share: which of each batch's picks are this process's."""
        self._samples, self._draws, self.share = samples, draws, share
        self.batch_size = max(1, min(batch_size, samples))

    def epoch(self, number: int, start: int = 0) -> Iterator[list[Pick]]:
        """start: how many batches are left out at the beginning, of an epoch that is gone on with."""
        picks = _numbered(number, np.arange(self._samples) if self._draws is None else self._draws.epoch(number))
        for batch in range(start, len(self)):
            yield picks[batch * self.batch_size : (batch + 1) * self.batch_size][
                self.share.rank :: self.share.processes
            ]

    def size(self, batch: int) -> int:
        """Picks of the whole batch, over all processes."""
        return min(self.batch_size, self._samples - batch * self.batch_size)

    def __len__(self) -> int:
        full, rest = divmod(self._samples, self.batch_size)
        return full + (rest >= max(2, self.share.processes) if self._draws is not None and full else rest > 0)


def _numbered(epoch: int, indices: np.ndarray) -> list[Pick]:
    seen: dict[int, int] = defaultdict(int)
    picks = []
    for index in indices.tolist():
        picks.append(Pick(epoch, index, seen[index]))
        seen[index] += 1
    return picks
