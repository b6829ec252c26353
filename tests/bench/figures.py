# SPDX-License-Identifier: MIT
"""The figures that ./bench has measured: medians, ratios within a round, goals, noise, and their tables."""

import collections
import dataclasses
import math
import statistics


def spread_of_median(values):
    """The possible error of the median, as a part of the median: the interquartile range of the values, divided by their
    median and by the square root of their number."""
    lower, middle, upper = statistics.quantiles(values, n=4, method="inclusive")
    return (upper - lower) / middle / len(values) ** 0.5


@dataclasses.dataclass
class Goal:
    measure: str
    figure: float
    sign: str  # ">=" or "<="
    limit: float
    noise: float = 0  # a part of the limit
    unit: str = ""
    note: str = ""

    def verdict(self):
        short = (self.limit - self.figure if self.sign == ">=" else self.figure - self.limit) / self.limit
        return "met" if short <= 0 else "met within noise" if short <= self.noise else "NOT MET"

    def line(self):
        return (f"{self.measure:62} {self.figure:6.3g}{self.unit:4} goal {self.sign} {self.limit:<5.4g}{self.unit:4} "
                f"noise {100 * self.noise:4.1f} %  {self.verdict()}{'; ' + self.note if self.note else ''}")


class Figures:
    """The results of slices by (measure, contender), in the order of their rounds."""

    def __init__(self):
        self.slices = collections.defaultdict(list)

    def add(self, measure, contender, result):
        self.slices[measure, contender].append(result)

    def median(self, measure, contender, key):
        return statistics.median(one[key] for one in self.slices[measure, contender])

    def ratios(self, measure, contender, other, key):
        """The ratio of two contenders in each round, so that other work of the machine affects both alike. If the other
        contender serves nothing in a slice, the ratio is infinite."""
        return [one[key] / two[key] if two[key] else math.inf
                for one, two in zip(self.slices[measure, contender], self.slices[measure, other])]

    def ratio(self, *args):
        return statistics.median(self.ratios(*args))

    def noise(self, measure, key):
        """The noise of a measure, from the floor, which does the same work each time."""
        return spread_of_median(self.ratios(measure, "floor", "direct", key))

    def failed(self):
        return int(sum(one["failed"] for slices in self.slices.values() for one in slices))

    def table(self, measures):
        """A table in Markdown, with a row for each contender. measures: {title: (measure, key)}"""
        names = list(dict.fromkeys(name for _, name in self.slices))
        lines = ["| | " + " | ".join(measures) + " |", "|" + " --- |" * (len(measures) + 1)]
        for name in names:
            cells = [self._cell(measure, name, key) for measure, key in measures.values()]
            lines.append(f"| {name} | " + " | ".join(cells) + " |")
        return "\n".join(lines)

    def _cell(self, measure, name, key):
        if (measure, name) not in self.slices:
            return ""
        if key == "cpu":
            front, behind = (self.median(measure, name, f"{part}_usec") for part in ("front", "behind"))
            return f"{front:.0f} + {behind:.0f}"
        return f"{self.median(measure, name, key):.0f} ({self.ratio(measure, name, 'direct', key):.2f})"
