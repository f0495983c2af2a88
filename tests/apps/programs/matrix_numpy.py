"""Multiplies matrices with NumPy, for ever."""

import numpy


def multiply(a, b):
    return a @ b


def main():
    a = numpy.random.rand(200, 200)
    print("READY {}", flush=True)
    while True:
        multiply(a, a)


main()
