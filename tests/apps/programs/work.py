"""What the handlers of both sites do: some milliseconds of Python."""


def crunch():
    total = 0
    for number in range(50_000):
        total += number * number % 7
    return total
