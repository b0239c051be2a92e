"""Generators: plain, delegating, sending, expressions, and a coroutine driven by hand."""


def numbers(count):
    for i in range(count):
        yield i


def delegating(count):
    yield from numbers(count)
    yield from numbers(count)


def averager():
    total = count = 0
    while True:
        total += yield total
        count += 1
        if count > 1000:
            total = count = 0


async def value(i):
    return i & 7


async def chain(i):
    return await value(i) + await value(i + 1)


def run(coroutine):
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    raise RuntimeError("the coroutine waits for something")


def loop(n):
    result = 0
    mean = averager()
    next(mean)
    for i in range(n):
        for item in delegating(6):
            result += item
        result += sum(x * x for x in numbers(6))
        result += mean.send(i & 15)
        result += run(chain(i))
        result &= 0xFFFFFF
    return result
