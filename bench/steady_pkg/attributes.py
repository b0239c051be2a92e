"""Attributes of instances, slots, classes; globals; tuples, and dicts with the code's own keys."""

SCALE = 3
LIMITS = (1, 5, 25, 125)
NAMES = ("width", "height", "depth")


class Config:
    step = 2

    def __init__(self):
        self.width = 1
        self.height = 2
        self.depth = 3


class Point:
    __slots__ = ("x", "y")

    def __init__(self, x, y):
        self.x = x
        self.y = y


def loop(n):
    config, point = Config(), Point(0, 1)
    table = {"width": 1, "height": 2, "depth": 3}
    result = 0
    for i in range(n):
        config.width = (config.width + config.step) & 255
        config.height += config.width
        config.depth = config.height & 1023
        point.x, point.y = point.y, (point.x + config.depth) & 4095
        table["width"] = point.x
        result += table["height"] + table["width"] * SCALE + LIMITS[i & 3]
        result += getattr(config, NAMES[i % 3])
        result &= 0xFFFFFF
    return result
