"""Method calls: plain, inherited, super(), properties, class, static and special methods."""


class Shape:
    sides = 0

    def __init__(self, size):
        self.size = size

    def area(self):
        return self.size * self.factor()

    def factor(self):
        return 1

    @property
    def double(self):
        return self.size + self.size

    @classmethod
    def count(cls):
        return cls.sides

    @staticmethod
    def unit(value):
        return value & 1

    def __len__(self):
        return self.sides

    def __add__(self, other):
        return self.size + other.size


class Square(Shape):
    sides = 4

    def factor(self):
        return super().factor() + 1


class Triangle(Shape):
    sides = 3

    def factor(self):
        return 3


def loop(n):
    square, triangle = Square(2), Triangle(5)
    result = 0
    for i in range(n):
        square.size = i & 31
        result += square.area() + triangle.area()
        result += square.double + Triangle.count() + Shape.unit(i)
        result += len(square) + (square + triangle)
        result &= 0xFFFFFF
    return result
