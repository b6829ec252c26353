# SPDX-License-Identifier: MIT
"""What ./bench has measured: medians with spread, ratios within a round, goals, and how all that is written down."""

import collections
import dataclasses
import pathlib
import statistics
import subprocess

BASE = "direct"  # what ratios are to


def quartiles(values):
    """(lower, median, upper)"""
    values = sorted(values)
    if len(values) < 2:
        return values[0], values[0], values[0]
    lower, middle, upper = statistics.quantiles(values, n=4, method="inclusive")
    return lower, middle, upper


def percentile(values, part):
    values = sorted(values)
    return values[min(len(values) - 1, int(part * len(values)))]


@dataclasses.dataclass
class Goal:
    measure: str
    figure: float
    sign: str  # ">=", "<=" or ">"
    limit: float
    unit: str = ""
    note: str = ""

    def met(self):
        return {">=": self.figure >= self.limit, "<=": self.figure <= self.limit, ">": self.figure > self.limit}[self.sign]

    def line(self):
        def number(value):
            return f"{value:.4g}" if abs(value) >= 100 or value == int(value) else f"{value:.3f}".rstrip("0")

        return (f"{self.measure:66} {number(self.figure):>7}{self.unit:3} goal {self.sign:2} {number(self.limit):>5}{self.unit:3} "
                f"{'met' if self.met() else 'NOT MET'}{'  ' + self.note if self.note else ''}")


class Figures:
    """Slices by (measure, contender), in the order of their rounds."""

    def __init__(self):
        self.slices = collections.defaultdict(list)

    def add(self, measure, contender, result):
        self.slices[measure, contender].append(result)

    def has(self, measure, contender):
        return (measure, contender) in self.slices

    def contenders(self, measure):
        return [contender for kind, contender in self.slices if kind == measure]

    def measures(self):
        return list(dict.fromkeys(measure for measure, _ in self.slices))

    def values(self, measure, contender, key):
        return [one[key] for one in self.slices[measure, contender]]

    def ratio(self, measure, contender, other, key):
        """(lower, median, upper) of the ratios of rounds: what the machine does meanwhile hits both."""
        pairs = zip(self.values(measure, contender, key), self.values(measure, other, key))
        return quartiles([one / two if two else float("inf") for one, two in pairs])

    def rows(self, keys):
        """For the table: one dict for each measure and contender."""
        for measure in self.measures():
            key = keys[measure]
            for contender in self.contenders(measure):
                lower, middle, upper = quartiles(self.values(measure, contender, key))
                row = {"measure": measure, "contender": contender, "unit": key, "median": middle, "lower": lower,
                       "upper": upper, "rounds": len(self.values(measure, contender, key))}
                for name, other in (("to_direct", BASE), ("to_apache", "apache")):
                    if self.has(measure, other):
                        row[name] = self.ratio(measure, contender, other, key)[1]
                first = self.slices[measure, contender][0]
                for extra in ("busy", "front_usec", "behind_usec", "cpu_usec", "front_sec_gib", "p99_usec"):
                    if extra in first:
                        row[extra] = statistics.median(self.values(measure, contender, extra))
                row["failed"] = sum(self.values(measure, contender, "failed")) if "failed" in first else 0
                yield row


COLUMNS = ["measure", "contender", "unit", "median", "lower", "upper", "rounds", "to_direct", "to_apache", "busy",
           "front_usec", "behind_usec", "cpu_usec", "front_sec_gib", "p99_usec", "failed"]


def shown(column, value):
    if value == "" or isinstance(value, str):
        return value
    if column == "busy":
        return f"{100 * value:.0f} %"
    if column in ("rounds", "failed"):
        return f"{value:.0f}"
    if column.startswith("to_"):
        return f"{value:.3f}"
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def markdown(rows):
    rows = list(rows)
    columns = [column for column in COLUMNS if any(column in row for row in rows)]
    lines = ["| " + " | ".join(columns) + " |", "|" + " --- |" * len(columns)]
    lines += ["| " + " | ".join(shown(column, row.get(column, "")) for column in columns) + " |" for row in rows]
    return "\n".join(lines)


def tsv(rows):
    lines = ["\t".join(COLUMNS)]
    lines += ["\t".join(f"{row[column]:.6g}" if isinstance(row.get(column), float) else str(row.get(column, ""))
                        for column in COLUMNS) for row in rows]
    return "\n".join(lines) + "\n"


PLOT = """
set terminal svg size 1200,520 dynamic background rgb "white" font "sans,13"
set output "{output}"
set title "Against per-uid Apaches without a front (1.0), {pinning}; medians, lines are quartiles"
set style data histogram
set style histogram errorbars gap 2 lw 1
set style fill solid 0.85 border -1
set yrange [0:*]
set grid ytics
set key outside right
set ytics 0.1
plot {plots}
"""


def picture(figures, measures, contenders, keys, pinning, output):
    """One group of bars for each measure, one bar for each contender."""
    data = pathlib.Path(output).with_suffix(".dat")
    lines = []
    for title, measure in measures.items():
        cells = [figures.ratio(measure, name, BASE, keys[measure]) if figures.has(measure, name) else (0, 0, 0)
                 for name in contenders]
        lines.append("\t".join([f'"{title}"', *(f"{middle:.4f}\t{lower:.4f}\t{upper:.4f}" for lower, middle, upper in cells)]))
    data.write_text("\n".join(lines) + "\n")
    plots = ", ".join(f'"{data}" using {2 + 3 * i}:{3 + 3 * i}:{4 + 3 * i}:xtic(1) title "{name}"'
                      for i, name in enumerate(contenders))
    subprocess.run(["gnuplot"], input=PLOT.format(output=output, plots=plots, pinning=pinning), text=True, check=True)
    data.unlink()
