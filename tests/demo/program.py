"""A program to look at: two threads with something to do, for some seconds.

    program.py [SECONDS]
"""

import hashlib
import json
import sys
import threading
import time

SECONDS = float(sys.argv[1]) if len(sys.argv) > 1 else 20.0


def is_prime(number):
    divisor = 2
    while divisor * divisor <= number:
        if number % divisor == 0:
            return False
        divisor += 1
    return True


def count_primes(start, count):
    return sum(1 for number in range(start, start + count) if is_prime(number))


def fibonacci(n):
    return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)


def make_orders(count):
    return [{"id": i, "items": [{"name": f"item {j}", "price": i * j} for j in range(5)]} for i in range(count)]


def total_of(orders):
    return sum(item["price"] for order in orders for item in order["items"])


def handle_orders():
    orders = json.loads(json.dumps(make_orders(200)))
    return total_of(orders)


def sign(payload):
    return hashlib.sha256(payload).hexdigest()


def worker(until):
    while time.monotonic() < until:
        handle_orders()
        sign(b"order" * 10000)
        time.sleep(0.005)


def main():
    until = time.monotonic() + SECONDS
    thread = threading.Thread(target=worker, args=(until,), name="orders")
    thread.start()
    while time.monotonic() < until:
        count_primes(10_000, 2000)
        fibonacci(16)
    thread.join()


if __name__ == "__main__":
    main()
