"""What goes wrong in one sentence, for people."""


class BenchError(Exception):
    """Stops a benchmark or the demo; its text is one sentence, with what to do about it."""


class Skip(Exception):
    """This benchmark cannot be measured here; the text says why. Not a failure."""
