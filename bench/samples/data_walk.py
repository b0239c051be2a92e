"""Walks all of an image's document, then waits to be looked at.

Usage: data_walk.py IMAGE

Every object is visited, and every key of every dict is looked up. Prints the number of objects, and
ends when its standard input does.
"""

import sys

import tenure


def walk(root):
    count = 0
    stack = [root]
    while stack:
        value = stack.pop()
        count += 1
        if isinstance(value, (tuple, list)):
            stack.extend(value)
        elif hasattr(value, "keys"):
            for key in value:
                count += 1
                stack.append(value[key])
    return count


print(walk(tenure.load(sys.argv[1]).root), flush=True)
sys.stdin.read()
