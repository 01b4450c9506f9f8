"""The local runner: what runs at once, and what a fault or a stop leaves behind."""

import gc
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from captionstew.pipeline.local import Local
from captionstew.pipeline.memory import seldom_collected
from captionstew.pipeline.stop import go_on


@pytest.fixture
def local() -> Local:
    """A runner of a machine with eight cores."""
    runner = Local()
    runner.threads = 8
    return runner


def test_wide_tasks_run_one_after_the_other_in_this_thread(local: Local) -> None:
    ran = local.run(lambda task: (task, threading.current_thread()), range(5))
    assert list(ran) == [(place, (place, threading.main_thread())) for place in range(5)]


def test_narrow_tasks_run_at_once(local: Local) -> None:
    together = threading.Barrier(4)

    def task(number: int) -> int:
        together.wait(timeout=10)  # all four, or BrokenBarrierError
        return number * number

    assert sorted(local.run(task, range(8), narrow=True)) == [(n, n * n) for n in range(8)]


@pytest.mark.parametrize("stopped", [True, False])
def test_what_waits_is_not_begun_after_a_fault_or_a_stop_and_what_runs_ends(
    local: Local, *, stopped: bool
) -> None:
    begun, ended = [], []

    def task(number: int) -> None:
        begun.append(number)
        if number == 0 and not stopped:
            raise OSError("no room")
        time.sleep(0.2 if number else 0)
        ended.append(number)

    with closing(local.run(task, range(100), narrow=True)) as ran:
        if stopped:
            next(ran)
        else:
            with pytest.raises(OSError, match="no room"):
                list(ran)
    assert len(begun) < 20
    assert sorted(ended) == [number for number in sorted(begun) if number or stopped]


def test_many_may_put_the_garbage_off_at_once() -> None:
    before = gc.get_threshold()
    inside, leave = threading.Barrier(3), [threading.Event(), threading.Event()]

    def work(number: int) -> None:
        with seldom_collected():
            inside.wait(timeout=10)
            leave[number].wait(timeout=10)

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.submit(work, 0), pool.submit(work, 1)
        inside.wait(timeout=10)
        leave[0].set()
        first.result()
        assert gc.get_threshold()[0] > 1000 * before[0]
        leave[1].set()
        second.result()
    assert gc.get_threshold() == before


def test_a_task_that_is_at_work_ends_at_its_next_step(local: Local) -> None:
    steps = [0, 0]

    def task(number: int) -> None:
        while number:  # the other one is over at once
            go_on()
            steps[number] += 1
            time.sleep(0.01)

    began = time.monotonic()
    with closing(local.run(task, range(2), narrow=True)) as ran:
        assert next(ran) == (0, None)
        time.sleep(0.1)
    assert time.monotonic() - began < 5
    assert steps[1] > 1
    go_on()  # whoever begins later is not stopped
