"""Calls of Python functions: positional, keyword, defaults, closures, recursion."""


def add(a, b):
    return a + b


def scaled(value, *, factor=3, offset=1):
    return value * factor + offset


def clamp(value, low=0, high=1000):
    if value < low:
        return low
    return high if value > high else value


def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


def make_counter(step):
    total = 0

    def count(value):
        nonlocal total
        total += step
        return total ^ value

    return count


def loop(n):
    result = 0
    count = make_counter(7)
    for i in range(n):
        result = add(result, clamp(scaled(i, factor=5)))
        result = add(result, scaled(i & 15)) & 0xFFFFFF
        result = count(result) & 0xFFFFFF
        if not i & 63:
            result += fib(7)
    return result
