"""The finished runs of a study, and what is asked of them: the one place that knows how they are kept."""

from collections.abc import Collection, Iterator, Mapping

from preheat.lab.experiment import Arm, Metric, Study, Trial
from preheat.lab.records.record import Record

Key = tuple[str, int]
"""The name of an arm, and a seed."""

LARGEST = 1e150
"""A value beyond this has blown up: it counts as not finite, because its square would not be."""


class Trials(Mapping[Key, Record]):
    """The finished runs of one study: a mapping from (name of the arm, seed) to record, in the order of the trials.

    study: what was run.   records: finished runs by (name of the arm, seed); what is not of this study is left out.
    failed: trials that left no record and are not going to be tried again now.

    Where a metric can be given, the default is the one that decides, `study.metrics[0]`.
    """

    def __init__(self, study: Study, records: Mapping[Key, Record], failed: Collection[Key] = ()) -> None:
        self.study, self.failed = study, frozenset(failed)
        self.finished: list[Trial] = [trial for trial in study.trials() if trial.key in records]
        self._records = {trial.key: records[trial.key] for trial in self.finished}
        self._by_arm: dict[str, dict[int, Record]] = {arm.name: {} for arm in study.arms}
        for (name, seed), record in self._records.items():
            self._by_arm[name][seed] = record

    @classmethod
    def named(cls, study: Study, records: Mapping[str, Record], failed: Collection[str] = ()) -> "Trials":
        """The same from records by the names of the trials, and the names of those that failed."""
        trials = list(study.trials())
        found = {trial.key: records[trial.name] for trial in trials if trial.name in records}
        return cls(study, found, {trial.key for trial in trials if trial.name in failed})

    def __getitem__(self, key: Key) -> Record:
        return self._records[key]

    def __iter__(self) -> Iterator[Key]:
        return iter(self._records)

    def __len__(self) -> int:
        return len(self._records)

    @property
    def example(self) -> Record | None:
        """Any finished run: what all runs share can be read from it."""
        return next(iter(self.values()), None)

    @property
    def logged(self) -> list[str]:
        """The names under which any run has logged numbers, each once."""
        return list(dict.fromkeys(name for record in self.values() for name in record.names))

    def of(self, arm: Arm) -> Mapping[int, Record]:
        """The finished runs of an arm by seed, in the study's order of seeds."""
        return self._by_arm[arm.name]

    def finals(self, arm: Arm, metric: Metric | None = None) -> dict[int, float | None]:
        """The final values of a metric by seed: None where not finite, or beyond `LARGEST`; no seed where a run has no
        such metric.
        """
        name, runs = (metric or self.study.metrics[0]).name, self.of(arm).items()
        found = {seed: metrics[name] for seed, record in runs if name in (metrics := record.finals)}
        return {seed: None if value is None or abs(value) > LARGEST else value for seed, value in found.items()}

    def costs(self, arm: Arm) -> dict[int, float]:
        """What the runs cost by the deciding metric, by seed: lower is better (`Metric.cost`)."""
        return {seed: self.study.metrics[0].cost(value) for seed, value in self.finals(arm).items()}

    def diverged(self, arm: Arm) -> set[int]:
        """The seeds with which an arm counts as diverged: the run says so, or its deciding metric is not finite."""
        finals = self.finals(arm)
        return {seed for seed, record in self.of(arm).items() if record.result.diverged or finals[seed] is None}

    def paired(self, arm: Arm, reference: Arm, metric: Metric | None = None) -> dict[int, float]:
        """By how much a metric of `arm` differs from the reference's with the same seed, where both are finite."""
        first, found = self.finals(reference, metric), {}
        for seed, own in self.finals(arm, metric).items():
            if own is not None and (other := first.get(seed)) is not None:
                found[seed] = own - other
        return found
