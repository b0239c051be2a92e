"""The model of how deferred decrefs find somebody to do them: spin tries all orders of its steps.

None goes wrong; and in each variant that breaks the protocol one does, as it should.
"""

import concurrent.futures
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

MODEL = pathlib.Path("tests/model/decref_queue.pml").resolve()

# Without switches and with this one: what orders a push.
MODES = ("", "PLAIN")

# A search for bad states and for runs that end badly, or one for runs that do not end.
BAD_STATES = ("-DSAFETY", ())
CYCLES = ("-DNP", ("-l",))

# What spin says of a run that went wrong. It numbers the states of the signal: 3 is down, 1 closed.
LOST = r"assertion violated \(over\|\|\(leaked==0\)\)"
BROKEN_PROMISE = r"assertion violated \(leaked<=told_closed"
NEVER_LOWERED = r"assertion violated \(signal==3\)"
NEVER_WOKEN = r"assertion violated .*asleep&&waiting"
OPENED_AGAIN = r"assertion violated \(signal==1\)"
STUCK = r"assertion violated .*visitor"
NOT_WRITTEN = r"assertion violated \(visible"
TWICE = r"assertion violated \(decrefs\[\d\]==head"
BALANCE = r"assertion violated \(\(decrefs\[lane\]\+leaked\)==2"
AFTER_THE_END = r"assertion violated .*!\(over\)"
NOT_FLUSHED = r"assertion violated \(head\[0\]==2\)"
LEFT_BEGUN = r"assertion violated \(begun==0\)"
FOR_EVER = r"non-progress cycle"

# The configuration in which each is found out, and as what. Those that break only what membarrier does are right with
# PLAIN.
VARIANTS = {
    "WRITE_LATE": ("", NOT_WRITTEN),
    "SIGNAL_FIRST": ("", LOST),
    "WAKE_FIRST": ("", NEVER_LOWERED),
    "NO_SECOND_LOOK": ("", LOST),
    "NO_HEAVY_BARRIER": ("", LOST),
    "BARRIER_FIRST": ("", LOST),
    "LOWER_BY_STORE": ("CLOSE", OPENED_AGAIN),
    "DRAIN_LOWERS": ("", LOST),
    "NEVER_DRAINS": ("", FOR_EVER),
    "LOOK_THEN_ANNOUNCE": ("", NEVER_LOWERED),
    "SLEEP_REGARDLESS": ("", NEVER_WOKEN),
    "HEAD_AFTER_DECREF": ("", TWICE),
    "DRAIN_PAST_END": ("CLOSE", AFTER_THE_END),
    "CLOSE_LATE": ("CLOSE", BROKEN_PROMISE),
    "NO_CLOSE_BARRIER": ("CLOSE", BROKEN_PROMISE),
    "COUNT_WHEN_TOLD": ("CLOSE", BALANCE),
    "NO_GATE": ("CLOSE", AFTER_THE_END),
    "WAIT_ATTACHED": ("CLOSE", STUCK),
    "FLUSH_ASKS": ("FLUSH", NOT_FLUSHED),
    "LEAVE_QUIETLY": ("CONTAINER", LEFT_BEGUN),
}
ONLY_MEMBARRIER = {"NO_HEAVY_BARRIER", "BARRIER_FIRST", "NO_CLOSE_BARRIER"}

# The preloaded library of a sanitizer is for the interpreter only.
ENVIRONMENT = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}


class Search:
    """One search through all states of the model with these switches."""

    def __init__(self, switches, kind, optimization):
        self.switches = switches
        self._definitions = [f"-D{switch}" for switch in switches.split()]
        compiled_for, options = kind
        with tempfile.TemporaryDirectory() as folder:
            self._folder = folder
            shutil.copy(MODEL, folder)
            self._run("spin", "-a", *self._definitions, MODEL.name)
            self._run("gcc", optimization, "-w", compiled_for, "-o", "pan", "pan.c")
            self.output = self._run("./pan", "-m10000", *options)
            self.went_wrong = "errors: 0\n" not in self.output
            self.steps = ""
            if self.went_wrong:
                # Its status is about what it replays.
                self.steps = self._run("spin", "-t", "-p", "-g", "-l", *self._definitions, MODEL.name, check=False)

    def _run(self, *command, check=True):
        result = subprocess.run(command, cwd=self._folder, env=ENVIRONMENT, text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if check and result.returncode:
            raise AssertionError(f"{' '.join(command)} has failed:\n{result.stdout}")
        return result.stdout

    @property
    def has_seen_all(self):
        return (re.search(r"\d states, stored", self.output) is not None
                and re.search(r"not completed|depth too small|out of memory", self.output) is None)

    @property
    def never_run(self):
        """The statements that no run comes to, but for the ends of processes that go on for ever."""
        return [line.strip() for line in self.output.splitlines()
                if re.search(r"\.pml:\d+, state", line) and '"-end-"' not in line]

    def __str__(self):
        return f"with {self.switches or 'no switch'}:\n{self.output}\n{self.steps}"


def search_all(cases):
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        yield from pool.map(lambda case: Search(*case), cases)


class DecrefQueueModelTest(unittest.TestCase):
    # What spin says is enough.
    longMessage = False

    @classmethod
    def setUpClass(cls):
        missing = [tool for tool in ("spin", "gcc") if shutil.which(tool) is None]
        if missing:
            raise AssertionError(f"not on PATH: {', '.join(missing)}; tools/packages.txt asks for them")

    def check_that_it_holds(self, switches, kind):
        cases = [(f"{mode} {configuration}".strip(), kind, "-O1") for configuration in switches for mode in MODES]
        for search in search_all(cases):
            with self.subTest(search.switches):
                self.assertFalse(search.went_wrong, f"a run goes wrong {search}")
                self.assertTrue(search.has_seen_all, f"not all states were seen {search}")
                # With an end to come to, everything has to happen somewhere, or nothing was shown of it.
                if "CLOSE" in search.switches:
                    self.assertEqual(search.never_run, [], f"some of it is never run {search}")

    def test_runs_end_well(self):
        self.check_that_it_holds(["", "CLOSE", "FLUSH", "CONTAINER"], BAD_STATES)

    def test_runs_end(self):
        # Twice the states, so with half of the pushes where there are many.
        self.check_that_it_holds(["", "CLOSE PUSHES=1", "CONTAINER PUSHES=1"], CYCLES)

    def test_what_is_wrong_is_found_out(self):
        cases, expected = [], []
        for variant, (configuration, symptom) in VARIANTS.items():
            for mode in MODES:
                if mode == "PLAIN" and variant in ONLY_MEMBARRIER:
                    continue
                kind = CYCLES if symptom == FOR_EVER else BAD_STATES
                # Compiling takes longer than finding it.
                cases.append((f"{variant} {configuration} {mode}".strip(), kind, "-O0"))
                expected.append(symptom)
        for search, symptom in zip(search_all(cases), expected, strict=True):
            with self.subTest(search.switches):
                self.assertTrue(search.went_wrong, f"nothing goes wrong {search}")
                self.assertRegex(search.output, symptom, f"it does not go wrong as /{symptom}/ {search}")

    def test_switches_are_the_models(self):
        tested = set(re.findall(r"\b[A-Z]\w+", f"{set(VARIANTS)} PLAIN CLOSE FLUSH CONTAINER PUSHES"))
        lines = [line for line in MODEL.read_text().splitlines() if re.match(r"#\s*(el)?if", line)]
        self.assertEqual(tested, set(re.findall(r"\b[A-Z][A-Z_]+\b", "\n".join(lines))),
                         "tested are not the switches that the model has")


if __name__ == "__main__":
    unittest.main()
