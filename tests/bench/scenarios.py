"""What is measured, one row each.

A scenario is measured for every version, rate and profiler there is; a row of its table is one of
these, with the columns that the scenario asks for (see METRICS of report.py).
"""

from dataclasses import dataclass

FLAT_OUT = 1_000_000  # Hz: more than anyone reaches
VERSIONS = (9, 11, 13, 15)
# module, main and the root of the tree are frames too
TREE_OF_10 = ("--depth", "7")


@dataclass(frozen=True)
class Scenario:
    name: str  # what --only looks at
    title: str
    form: str  # of tests/truth/calltree.py; "shares" for shares.py
    options: tuple = ()
    rates: tuple = (FLAT_OUT,)
    columns: tuple = ("rate", "lost")
    ratios: tuple = ()  # columns to compare the first profiler with the others in
    versions: tuple = VERSIONS
    stops: bool = False  # is the stopped reference needed?
    ticks: int = 0  # looks of a run that is as long as it takes, for memory; the first profiler alone


def rate_scenarios():
    columns, ratios = ("rate", "lost", "impossible", "unverified"), ("rate",)
    yield Scenario("rate", "Sustained rate: a tree of plain calls, 10 frames deep", "plain", TREE_OF_10,
                   columns=columns, ratios=ratios)
    for count in (1, 16, 64, 256):
        yield Scenario(
            f"threads-{count}", f"One busy thread and {count} that wait", "plain",
            (*TREE_OF_10, "--threads", str(count)), columns=columns, ratios=ratios)
    for frames in (10, 100, 1000, 10_000):
        yield Scenario(
            f"frames-{frames}", f"Stacks {frames:,} frames deep", "plain",
            (*TREE_OF_10, "--standing", str(frames - 10)), columns=columns, ratios=ratios)


def truth_scenarios():
    for form in ("plain", "deep", "wide", "mixed", "callback", "generator", "coroutine", "asyncio"):
        yield Scenario(
            f"truth-{form}", f"Impossible stacks: form `{form}`", form, rates=(10_000, FLAT_OUT),
            columns=("rate", "lost", "function", "line", "unverified"))


def share_scenarios():
    yield Scenario(
        "shares", "Half of the time in calls, half in loops", "shares", rates=(1000, 10_000),
        columns=("rate", "lost", "points", "points_by_time", "waited"))
    yield Scenario(
        "distance", "Distance to the stopped reference: a tree of 31 functions", "plain", ("--depth", "4"),
        rates=(10_000,), columns=("levels", "levels_chance", "leaves", "leaves_chance", "waited"), stops=True)
    yield Scenario(
        "distance-deep", "Distance to the stopped reference: a tree of 1,023 functions", "plain", (),
        rates=(10_000,), columns=("levels", "levels_chance", "waited"), stops=True)


def cost_scenarios():
    yield Scenario(
        "cost", "What it costs: one thread, 20 frames deep", "plain", (*TREE_OF_10, "--standing", "10"),
        rates=(1000, 10_000), columns=("rate", "slowdown", "waited", "cpu", "rss"), ratios=("cpu", "rss"))
    yield Scenario(
        "memory", "Memory: as many looks as in an hour at 1 kHz", "plain", (), versions=(15,),
        columns=("ticks", "rss_early", "rss_late", "rss"), ticks=3600 * 1000)


SCENARIOS = (*rate_scenarios(), *truth_scenarios(), *share_scenarios(), *cost_scenarios())
