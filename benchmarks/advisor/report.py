"""The report: what the advice scored beside the baselines, by family, and every failure with its curve."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.advisor import baselines
from benchmarks.advisor.advice import Advice, Answer, answers
from benchmarks.advisor.families import Configuration
from benchmarks.advisor.scores import LIMIT, Advised, advised, calibration, cost, lengths, mean_within, scored
from benchmarks.advisor.truth import Trained, quantile
from preheat.plots.panel import Curves, Mark, Series
from preheat.plots.svg import svg

ACCURACY, MEDIAN, HIGH = 0.85, 1.0, 3.0
"""What was asked for before anything was scored: accuracy at least, regret's median and 90th percentile at most."""

ADVISOR = "advisor"
_SIZE = {"width": 460, "height": 300}
_TITLES = {"constants": "Families that set constants", "once": "Families that were looked at once"}


@dataclass(frozen=True)
class Compared:
    """Answers and advice of the advisor and of each baseline, about the trainings of one split."""

    split: str
    trained: Sequence[Trained]
    answers: Mapping[str, Sequence[Answer]]
    advised: Mapping[str, Sequence[Advised]]
    lengths: Mapping[str, Sequence[float]]


def compared(
    split: str,
    trained: Sequence[Trained],
    advice: Sequence[Advice],
    suggested: Callable[[Configuration], float | None] | None = None,
) -> Compared:
    """Everything about `split`; what is fitted is fitted on the split "constants". `suggested`: the range test's rate."""
    constants = [one for one in trained if one.split == "constants"]
    those = [one for one in trained if one.split == split]
    names = {one.name for one in those}
    advice = [one for one in advice if one.config in names]
    said = {ADVISOR: answers(advice, those), "never": baselines.never(those)}
    if constants:
        said["absolute rate"] = baselines.absolute_rate(constants)[1](those)
        said["predictor"] = baselines.predictor(constants)(those)
    peaks = {ADVISOR: advice, "1 % linear": baselines.one_percent(those), "untuned": baselines.untuned(those)}
    if suggested is not None:
        peaks["valley"] = baselines.valley(those, suggested)
    asked = {(one.config, one.peak) for one in advice}
    rules = {
        name: [one for one in said if (one.config, one.peak) in asked]
        for name, said in baselines.warmups_at(those).items()
    }
    warmups = {ADVISOR: advice, **rules}
    return Compared(
        split,
        those,
        said,
        {name: advised(one, those) for name, one in peaks.items()},
        {name: lengths(one, those) for name, one in warmups.items()},
    )


def written(folder: Path, splits: Sequence[Compared], hidden: int, source: str) -> Path:
    """Write `advisor.md` and its figures into `folder`; `hidden`: answers about families that are not shown."""
    folder.mkdir(parents=True, exist_ok=True)
    text = ["# The advisor, scored against a grid", "", source, ""]
    if hidden:
        text += [f"{hidden} answers are about families that are looked at once; `--once` shows them.", ""]
    for one in splits:
        text += [f"## {_TITLES[one.split]}", "", *_truth(one), *_answers(one), *_calibrated(one, folder)]
        text += [*_lengths(one), *_regrets(one), *_failures(one, folder)]
    path = folder / "advisor.md"
    path.write_text("\n".join(text).rstrip() + "\n", encoding="utf-8")
    return path


def _truth(one: Compared) -> list[str]:
    verdicts = [verdict.needed for trained in one.trained for verdict in trained.verdicts]
    return [
        f"{len(one.trained)} trainings, {len(verdicts)} peaks: {verdicts.count(True)} need warmup, {verdicts.count(False)} do "
        f"not, {verdicts.count(None)} are undecided and left out.",
        "",
    ]


def _families(those: Sequence[Trained]) -> list[str]:
    return list(dict.fromkeys(one.family for one in those))


def _answers(one: Compared) -> list[str]:
    """The table of accuracies, and whether the threshold is met."""
    out = ["### Does this peak need warmup?", ""]
    out += ["| | family | peaks | not known | accuracy of those known | area under the curve | Brier |"]
    out += ["|---|---|---|---|---|---|---|"]
    for name, said in one.answers.items():
        for family in ("all", *_families(one.trained)):
            those = [answer for answer in said if family in ("all", answer.trained.family)]
            if those:
                row = scored(those)
                figures = " | ".join(_figure(value) for value in (row.accuracy, row.auc, row.brier))
                out.append(f"| {name} | {family} | {row.asked} | {row.unknown} | {figures} |")
    ours = scored(one.answers[ADVISOR])
    if ours.asked == ours.unknown:
        return [*out, "", "The advisor answered about no peak that is decided.", ""]
    same = {(answer.trained.name, answer.peak) for answer in one.answers[ADVISOR] if answer.probability is not None}
    rule = scored([each for each in one.answers.get("absolute rate", []) if (each.trained.name, each.peak) in same])
    met = ours.accuracy >= ACCURACY and not ours.accuracy <= rule.accuracy
    fitted = "; absolute rate and predictor were fitted on these very trainings" if one.split == "constants" else ""
    return [
        *out,
        "",
        f"Threshold, accuracy at least {ACCURACY} and above the absolute rate's: {_met(met)} ({_figure(ours.accuracy)} against "
        f"{_figure(rule.accuracy)} on the same peaks; {ours.unknown} of {ours.asked} not known{fitted}).",
        "",
    ]


def _calibrated(one: Compared, folder: Path) -> list[str]:
    """The reliability of the advisor's probabilities, as a table and a figure."""
    bins = calibration(one.answers[ADVISOR])
    if not bins:
        return []
    panel = Curves(
        title="What was said, and what happened",
        x_label="probability that was said",
        y_label="share that needs warmup",
        y_range=(0.0, 1.0),
        series=(
            Series("perfect", (0, 1), (0, 1), 5),
            Series(
                ADVISOR,
                [each.said for each in bins],
                [each.happened for each in bins],
                0,
                low=[each.low for each in bins],
                high=[each.high for each in bins],
                dots=True,
            ),
        ),
    )
    (folder / f"calibration-{one.split}.svg").write_text(svg(panel, **_SIZE), encoding="utf-8")
    rows = [f"| {b.said:.2f} | {b.happened:.2f} ({b.low:.2f} to {b.high:.2f}) | {b.count} |" for b in bins]
    head = ["| said, mean | needed, with 95 % interval | peaks |", "|---|---|---|"]
    return [*head, *rows, "", f"![Calibration](calibration-{one.split}.svg)", ""]


def _lengths(one: Compared) -> list[str]:
    """The table of what warmups cost at peaks that are given."""
    out = ["### How long a warmup, at a peak that is given?", ""]
    out += ["Regret in seed standard deviations against the best warmup at that peak, of the peaks that are decided."]
    out += [
        f"Below 0: better than what the other seeds choose. In the mean a peak counts at most {LIMIT:g}, loss or gain."
    ]
    out += ["", f"| | peaks | median | 90th percentile | mean, each within ±{LIMIT:g} |", "|---|---|---|---|---|"]
    for name, those in one.lengths.items():
        if those:
            values = (quantile(those, 0.5), quantile(those, 0.9), mean_within(those))
            figures = " | ".join(map(_figure, values))
            out.append(f"| {name} | {len(those)} | {figures} |")
    return [*out, ""]


def _regrets(one: Compared) -> list[str]:
    """The table of regrets, and whether the thresholds are met."""
    out = ["### Which peak, which warmup?", ""]
    out += [
        "Regret in seed standard deviations, against the best cell and against one that is chosen by the other seeds."
    ]
    out += [
        "On a grid without differences the first is 1.4 for any advice, the second 0. The nearest cell stands for advice."
    ]
    out += ["", "| | family | advice | median | 90 % | median, by others | 90 %, by others | outside | updates |"]
    out += ["|---|---|---|---|---|---|---|---|---|"]
    for name, those in one.advised.items():
        for family in ("all", *_families(one.trained)):
            rows = [each for each in those if family in ("all", each.trained.family)]
            if rows:
                row = cost(rows)
                values = (row.median, row.high, row.median_by_others, row.high_by_others)
                figures = " | ".join(_figure(value) for value in values)
                out.append(f"| {name} | {family} | {row.count} | {figures} | {row.outside} | {row.updates:g} |")
    if not one.advised[ADVISOR]:
        return [*out, "", "The advisor advised no peak.", ""]
    return [*out, "", *_thresholds(one), ""]


def _thresholds(one: Compared) -> list[str]:
    """Whether regrets are below the thresholds, and below the baselines' on the same trainings."""
    ours = cost(one.advised[ADVISOR])
    names = {each.trained.name for each in one.advised[ADVISOR]}
    same = {name: [each for each in those if each.trained.name in names] for name, those in one.advised.items()}
    other = {name: cost(those) for name, those in same.items() if name != ADVISOR and those}
    below = all(ours.median < each.median for each in other.values())
    below_by_others = all(ours.median_by_others < each.median_by_others for each in other.values())
    return [
        f"Thresholds, median at most {MEDIAN:g}, 90th percentile at most {HIGH:g}, median below every baseline's on the same "
        f"trainings: {_met(ours.median <= MEDIAN)}, {_met(ours.high <= HIGH)}, {_met(below)} against the best cell; "
        f"{_met(ours.median_by_others <= MEDIAN)}, {_met(ours.high_by_others <= HIGH)}, {_met(below_by_others)} against one "
        "chosen by the other seeds."
    ]


def _failures(one: Compared, folder: Path) -> list[str]:
    """Every answer that was wrong, and every regret above the threshold, with the curves of its training."""
    rows: list[tuple[Trained, str]] = []
    for answer in one.answers[ADVISOR]:
        if answer.probability is not None and (answer.probability >= 0.5) != answer.needed:
            verdict = answer.trained.verdicts[answer.peak]
            truth = "needed" if answer.needed else "not needed"
            said = f"peak {answer.trained.peaks[answer.peak]:g}: warmup {truth}, said {answer.probability:.2f}"
            rows.append((answer.trained, f"{said}; gain {verdict.gain:.3f} ± {verdict.error:.3f} nats"))
    for each in one.advised[ADVISOR]:
        if each.regret.value > HIGH:
            advice, best = each.advice, each.trained.oracle
            said = f"advised {advice.advised_peak:.3g} with W = {advice.warmup:g}, best {best[0]:g} with W = {best[1]}"
            rows.append((each.trained, f"{said}; regret {_figure(each.regret.value)}"))
    out = [f"### Failures: {len(rows)}", ""]
    if not rows:
        return [*out, "None.", ""]
    out += ["| training | what | curve |", "|---|---|---|"]
    for trained in {trained.name: trained for trained, _ in rows}.values():
        (folder / f"{trained.name}.svg").write_text(svg(curves(trained), **_SIZE), encoding="utf-8")
    return [*out, *(f"| {trained.name} | {what} | [curve]({trained.name}.svg) |" for trained, what in rows), ""]


def curves(trained: Trained) -> Curves:
    """Mean loss over the peaks, a curve for each warmup; where it is chance, a circle."""
    means = trained.loss.mean(axis=2)
    marks = [
        Mark(peak, float(value), "at chance", column, f"W = {trained.warmups[column]}: at chance")
        for column in range(len(trained.warmups))
        for peak, value in zip(trained.peaks, means[:, column], strict=True)
        if value > 0.99 * trained.chance
    ]
    return Curves(
        title=trained.name,
        x_label="peak rate",
        y_label="validation loss, nats",
        log_x=True,
        x_ticks=trained.peaks[::2],
        series=[
            Series(f"W = {warmup}", trained.peaks, [float(v) for v in means[:, column]], column)
            for column, warmup in enumerate(trained.warmups)
        ],
        marks=marks,
        level=("chance", trained.chance),
    )


def _figure(value: float) -> str:
    return "–" if value != value else f"{value:.2f}"


def _met(met: bool) -> str:
    return "**met**" if met else "**missed**"
