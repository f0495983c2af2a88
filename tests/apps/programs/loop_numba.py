"""Calls a loop that Numba has compiled, for ever."""

import numba


@numba.njit
def kernel(count):
    state = 1
    for _ in range(count):
        state = (state * 1103515245 + 12345) % 2147483648
    return state


def main():
    kernel(1)  # compiles it
    print("READY {}", flush=True)
    while True:
        kernel(10_000_000)


main()
