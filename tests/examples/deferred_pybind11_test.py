"""The example in pybind11: jobs with tokens and callbacks."""

from __future__ import annotations

import unittest

from support import DroppingTests, ExampleCase, MainInterpreterTests, PackageTests

USE = """
import functools
import math

import deferred_pybind11

SLOW = 200_000
areas = []
pool = deferred_pybind11.Pool(threads=4)

def done(payload, area):
    areas.append(area)

def hand_over(count, steps=10):
    for turn in range(count):
        # Every other one is part of what a std::function has captured.
        if turn % 2:
            pool.integrate(1, steps=steps, token=Payload())
        else:
            pool.integrate(1, steps=steps, done=functools.partial(done, Payload()))

def finish():
    pool.wait()

def in_child():
    global pool
    pool = deferred_pybind11.Pool(threads=4)
"""


class DeferredPybind11Test(DroppingTests, MainInterpreterTests, PackageTests, ExampleCase):
    MODULE = "deferred_pybind11"
    FOLDER = "examples/deferred_pybind11"
    USE = USE

    def test_callbacks(self):
        self.check(
            """
            for upper in (0, 1, 2, -1):
                pool.integrate(upper, done=lambda area, x=upper: areas.append((x, area)))
            pool.integrate(1, done=areas.append, token=object())
            pool.integrate(1)
            pool.wait()
            areas = dict(area if isinstance(area, tuple) else ("done", area) for area in areas)
            assert areas.pop("done") == areas[1]
            assert len(areas) == 4
            for upper, area in areas.items():
                assert math.isclose(area, math.atan(upper), abs_tol=1e-6), (upper, area)
            """
        )

    def test_callbacks_run_in_the_threads_of_the_pool(self):
        self.check(
            """
            idents = set()
            def done(area):
                idents.add(threading.get_ident())
                time.sleep(0.01)
            for _ in range(100):
                pool.integrate(1, done=done)
            pool.wait()
            assert 1 <= len(idents) <= 4 and threading.get_ident() not in idents, idents
            """
        )

    def test_callbacks_that_raise(self):
        self.check(
            """
            raised = []
            sys.unraisablehook = lambda args: raised.append(args.exc_value)
            for error in (ValueError("no"), SystemExit(3), KeyboardInterrupt()):
                def done(area, payload=Payload(), error=error):
                    raise error
                pool.integrate(1, done=done)
            pool.integrate(1, done="not callable")
            pool.wait()
            assert {type(error) for error in raised} == {
                ValueError, SystemExit, KeyboardInterrupt, TypeError}, raised
            del done, error
            raised.clear()
            # A function that raises what it holds is held by it in turn.
            import gc
            wait_until(lambda: len(destroyed) == 3, pause=gc.collect)
            """
        )

    def test_what_is_no_pool_or_job(self):
        shown = self.check(
            """
            for call in (
                lambda: deferred_pybind11.Pool(threads=0),
                lambda: deferred_pybind11.Pool(threads=65),
                lambda: pool.integrate(1, steps=0, token=Payload()),
                lambda: pool.integrate("1", token=Payload()),
            ):
                try:
                    call()
                    raise AssertionError
                except (TypeError, ValueError) as error:
                    print(type(error).__name__, str(error).splitlines()[0])
            del call
            destroyed_once(2)
            """
        )
        self.assertEqual(shown.count("ValueError"), 3)
        self.assertEqual(shown.count("TypeError"), 1)

    def test_stop_drops_what_waits(self):
        self.check(
            """
            hand_over(200, SLOW)
            pool.stop()
            pool.wait()
            wait_until(lambda: len(destroyed) == 200)
            assert len(areas) < 100
            pool.stop()
            try:
                hand_over(1)
                raise AssertionError
            except RuntimeError as error:
                assert "stopped" in str(error)
            quiet()
            """
        )

    def test_pool_dropped_with_work_left(self):
        self.check(
            """
            for turn in range(10):
                hand_over(20, SLOW)
                pool = deferred_pybind11.Pool(threads=1 + turn)
            del pool
            wait_until(lambda: len(destroyed) == 200)
            quiet()
            destroyed_once(200)
            """
        )

    def test_pool_dropped_by_its_own_callback(self):
        self.check(
            """
            for turn in range(20):
                pool = deferred_pybind11.Pool(threads=2)
                # The callback has the only reference, and gives it up while it runs.
                def done(area, box=[pool], payload=Payload()):
                    box.clear()
                waiting = [pool]
                pool.integrate(1, done=done, steps=SLOW)
                pool.integrate(1, token=Payload())
                del done, pool, waiting
            wait_until(lambda: len(destroyed) == 40)
            quiet()
            destroyed_once(40)
            """
        )

    def test_stopped_by_several_threads(self):
        self.check(
            """
            hand_over(50, SLOW)
            threads = [threading.Thread(target=pool.stop) for _ in range(8)]
            for thread in threads: thread.start()
            for thread in threads: thread.join()
            wait_until(lambda: len(destroyed) == 50)
            """
        )

    def test_waiting_can_be_interrupted(self):
        self.check(
            """
            import signal
            def raises(*_):
                raise KeyError("interrupted")
            signal.signal(signal.SIGALRM, raises)
            hand_over(1000, 100 * SLOW)
            signal.setitimer(signal.ITIMER_REAL, 0.2)
            try:
                pool.wait()
                raise AssertionError("all that in 0.2 seconds?")
            except KeyError:
                pass
            """
        )

    def test_child_of_a_fork_is_told(self):
        self.check(
            """
            hand_over(10)
            if os.fork() == 0:
                try:
                    hand_over(1)
                    raise AssertionError
                except RuntimeError as error:
                    assert "forked" in str(error)
                pool.wait()
                in_child()
                pool.integrate(1, done=areas.append)
                pool.wait()
                assert areas
                sys.exit()
            assert os.wait()[1] == 0
            """
        )

    def test_pool_made_while_the_interpreter_ends(self):
        shown = self.run_code(
            "import atexit\n"
            "def late():\n"
            "    try:\n"
            "        deferred_pybind11.Pool()\n"
            "    except RuntimeError as error:\n"
            "        print(error)\n"
            "atexit.register(late)\n"
            "import deferred_pybind11\n"
        )
        self.assertEqual((shown.returncode, shown.stderr), (0, ""))
        self.assertIn("too late", shown.stdout)


if __name__ == "__main__":
    unittest.main()
