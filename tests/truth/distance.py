"""How far two distributions of samples are from each other."""

import math


def total_variation(one, other):
    """Half the sum of the differences of the shares: 0 equal, 1 nothing in common."""
    ones, others = sum(one.values()), sum(other.values())
    if not ones or not others:
        return math.nan
    return sum(abs(one[key] / ones - other[key] / others) for key in {*one, *other}) / 2


def expected_by_chance(one, other):
    """What total_variation() would be if both were independent samples of one distribution.

    By the normal approximation in each cell: E|p - q| = sqrt(2/pi) * the deviation of p - q.
    """
    ones, others = sum(one.values()), sum(other.values())
    if not ones or not others:
        return math.nan
    shares = ((one[key] + other[key]) / (ones + others) for key in {*one, *other})
    spread = 1 / ones + 1 / others
    return sum(math.sqrt(2 / math.pi * p * (1 - p) * spread) for p in shares) / 2
