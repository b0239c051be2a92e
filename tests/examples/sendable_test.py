"""The example with handles: calls made by threads that own what they are called with."""

from __future__ import annotations

import unittest

from support import DroppingTests, ExampleCase, InterpreterTests

USE = """
import sendable_pool

SLOW = "slow"

# Its queue is made by the first use, and has to be there for set_bound().
sendable_pool.submit(print, ())

def look(payload):
    return payload.number

def look_slowly(payload):
    time.sleep(0.002)
    return payload.number

def hand_over(count, how=None):
    function = look_slowly if how == SLOW else look
    sendable_pool.submit(function, (Payload() for _ in range(count)))

def finish():
    sendable_pool.results()
"""


class SendableTest(DroppingTests, InterpreterTests, ExampleCase):
    MODULE = "sendable_pool"
    FOLDER = "examples/sendable"
    USE = USE

    def test_results(self):
        self.check(
            """
            assert sendable_pool.submit(str, range(1000)) == 1000
            assert sorted(sendable_pool.results()) == sorted(map(str, range(1000)))
            assert sendable_pool.submit(print, []) == 0
            assert sendable_pool.results() == []
            items = [Payload() for _ in range(100)]
            sendable_pool.submit(lambda item: item, items)
            assert set(map(id, sendable_pool.results())) == set(map(id, items))
            del items
            wait_until(lambda: len(destroyed) == 100)
            destroyed_once(100)
            """
        )

    def test_function_is_dropped_with_its_last_task(self):
        self.check(
            """
            for _ in range(100):
                def function(item, payload=Payload()):
                    return item
                sendable_pool.submit(function, range(10))
            del function
            assert len(sendable_pool.results()) == 1000
            wait_until(lambda: len(destroyed) == 100)
            quiet()
            destroyed_once(100)
            """
        )

    def test_functions_that_raise(self):
        self.check(
            """
            raised = []
            sys.unraisablehook = lambda args: raised.append(repr(args.exc_value))
            def function(item):
                if item % 2:
                    raise ValueError(item)
                return item
            sendable_pool.submit(function, range(100))
            assert sorted(sendable_pool.results()) == list(range(0, 100, 2))
            assert sorted(raised) == sorted(f"ValueError({item})" for item in range(1, 100, 2))
            """
        )

    def test_what_cannot_be_submitted(self):
        shown = self.check(
            """
            def items():
                yield Payload()
                yield Payload()
                raise KeyError("the items broke off")
            for arguments in ((), (print,), (print, 1), (1, []), (print, items()), (print, [], 1)):
                try:
                    sendable_pool.submit(*arguments)
                    raise AssertionError
                except (TypeError, KeyError) as error:
                    print(type(error).__name__, error)
            assert sendable_pool.results() == []
            del arguments
            destroyed_once(2)
            """
        )
        self.assertEqual(shown.count("TypeError"), 5)
        self.assertIn("KeyError 'the items broke off'", shown)
        self.assertIn("submit() cannot call 1", shown)

    def test_cancel(self):
        self.check(
            """
            hand_over(1000, SLOW)
            dropped = sendable_pool.cancel()
            assert 900 < dropped <= 1000, dropped
            assert len(sendable_pool.results()) == 1000 - dropped
            wait_until(lambda: len(destroyed) == 1000)
            assert sendable_pool.cancel() == 0
            quiet()
            destroyed_once(1000)
            """
        )

    def test_results_that_nobody_takes(self):
        self.check(
            """
            sendable_pool.submit(lambda _: Payload(), range(100))
            wait_until(lambda: next(numbers) > 100)
            """
        )

    def test_tasks_that_submit(self):
        self.check(
            """
            def function(depth):
                if depth:
                    sendable_pool.submit(function, [depth - 1] * 2)
                return depth
            sendable_pool.submit(function, [6])
            assert len(sendable_pool.results()) == 127
            """
        )

    def test_module_dropped_with_work_left(self):
        self.check(
            """
            hand_over(100, SLOW)
            del sys.modules["sendable_pool"], sendable_pool
            import gc
            gc.collect()
            wait_until(lambda: len(destroyed) == 100)
            quiet()
            destroyed_once(100)
            """
        )

    def test_module_dropped_by_its_own_task(self):
        self.check(
            """
            def drop(box):
                del sys.modules["sendable_pool"]
                box.clear()
                import gc
                gc.collect()
            box = [sendable_pool]
            sendable_pool.submit(drop, [box])
            del sendable_pool, box
            wait_until(lambda: "sendable_pool" not in sys.modules)
            time.sleep(0.1)
            """
        )

    def test_waiting_can_be_interrupted(self):
        self.check(
            """
            import signal
            def raises(*_):
                raise KeyError("interrupted")
            signal.signal(signal.SIGALRM, raises)
            hand_over(1000, SLOW)
            signal.setitimer(signal.ITIMER_REAL, 0.1)
            try:
                sendable_pool.results()
                raise AssertionError("all that in 0.1 seconds?")
            except KeyError:
                pass
            """
        )

    def test_child_of_a_fork_is_told(self):
        self.check(
            """
            hand_over(10)
            if os.fork() == 0:
                for call in (lambda: hand_over(1), sendable_pool.results, sendable_pool.cancel):
                    try:
                        call()
                        raise AssertionError
                    except RuntimeError as error:
                        assert "forked" in str(error)
                sys.exit()
            assert os.wait()[1] == 0
            """
        )

    def test_needs_no_package(self):
        result = self.run_code(
            "import sendable_pool, sys, time\n"
            "sendable_pool.submit(str, range(100))\n"
            "assert len(sendable_pool.results()) == 100\n"
            "assert 'tenure' not in sys.modules\n",
            folders=[self.path.parent],
        )
        self.assertEqual((result.returncode, result.stdout, result.stderr), (0, "", ""))

    def test_package_sees_its_queue(self):
        self.check(
            'assert tenure.deferred.stats()["queues"] == 1'
        )


if __name__ == "__main__":
    unittest.main()
