from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
import pytest

from serving.server.batching import BatchScheduler, DirectRunner
from serving.server.config import BatchingParameters
from serving.server.servable import ServableId
from serving.server.status import Code, ServingError
from tests.serving.server.loaded import NAME, VERSION, load_tiny_model, strings

WAIT = 60
BAD = b"no example"
LATE = (Code.DEADLINE_EXCEEDED, Code.RESOURCE_EXHAUSTED)


@pytest.fixture(scope="module")
def servable(tmp_path_factory):
    loaded = load_tiny_model(tmp_path_factory.mktemp("model"))
    yield loaded
    loaded.close()


class Recording(DirectRunner):
    """Runs, and notes the rows and the thread of each run; can hold the slow signature back."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.rows: list[int] = []
        self.keys: list[str] = []
        self.threads: list[str] = []

    def __call__(self, servable, signature_key, signature, inputs, outputs, deadline):
        self.rows.append(len(next(iter(inputs.values()))))
        self.keys.append(signature_key)
        self.threads.append(threading.current_thread().name)
        if signature_key == "slow":
            assert self.gate.wait(WAIT)
        return super().__call__(servable, signature_key, signature, inputs, outputs, deadline)


class Bench:
    """A scheduler with one slot, and threads that ask it."""

    def __init__(self, servable, parameters: BatchingParameters) -> None:
        self.runs = Recording()
        self.runs.gate.set()
        self.scheduler = BatchScheduler(parameters, self.runs)
        self._servable = servable
        self._pool = ThreadPoolExecutor(64)

    def ask(self, key: str, output: str, deadline: float | None = None, **inputs) -> np.ndarray:
        signature = self._servable.signatures[key]
        return self.scheduler(self._servable, key, signature, inputs, [output], deadline)[output]

    def submit(self, *arguments, **inputs) -> Future:
        return self._pool.submit(self.ask, *arguments, **inputs)

    def examples(self, *rows: bytes) -> Future:
        return self.submit("regress", "outputs", inputs=strings(*rows))

    def numbers(self, *rows: int, width: int = 1, deadline: float | None = None) -> Future:
        x = np.repeat(np.array(rows, np.float32)[:, None], width, axis=1)
        return self.submit("numbers", "total", deadline, x=x, n=np.array(rows))

    def waiting(self) -> int:
        return sum(len(batch.tasks) for queue in self.scheduler._queues.values() for batch in queue)

    def until(self, holds: Callable[[], bool]) -> None:
        end = time.monotonic() + WAIT
        while not holds():
            assert time.monotonic() < end
            time.sleep(0.002)

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Has the only slot taken."""
        self.runs.gate.clear()
        held = self.submit("slow", "done", rounds=np.array([1], np.int32))
        self.until(lambda: bool(self.runs.rows))
        try:
            yield
        finally:
            self.runs.gate.set()
        held.result(WAIT)

    def close(self) -> None:
        self.scheduler.close()
        self._pool.shutdown()


@pytest.fixture
def bench(servable):
    made: list[Bench] = []

    def make(**parameters) -> Bench:
        made.append(Bench(servable, BatchingParameters(**{"num_batch_threads": 1, **parameters})))
        return made[-1]

    yield make
    for one in made:
        one.close()


def code(future: Future) -> Code:
    error = future.exception(WAIT)
    assert isinstance(error, ServingError), error
    return error.code


def test_a_direct_runner_runs_each_request_by_itself(servable):
    inputs = {"rounds": np.array([1], np.int32)}
    signature = servable.signatures["slow"]
    outputs = DirectRunner()(servable, "slow", signature, inputs, ["done"], None)
    assert outputs["done"].tolist() == [1]
    with pytest.raises(ServingError, match="DEADLINE_EXCEEDED"):
        DirectRunner()(servable, "slow", signature, inputs, ["done"], time.monotonic() - 1)


def test_a_lone_request_runs_at_once_in_its_own_thread(bench):
    one = bench()
    assert one.ask(
        "numbers", "next", x=np.ones((2, 1), np.float32), n=np.array([4, 5])
    ).tolist() == [5, 6]
    assert one.runs.threads == [threading.current_thread().name]


def test_requests_that_wait_together_run_together_and_get_their_own_rows(bench):
    one = bench()
    with one.busy():
        asked = {size: one.numbers(*range(size)) for size in range(1, 9)}
        one.until(lambda: one.waiting() == 8)
    for size, future in asked.items():
        assert future.result(WAIT).tolist() == list(range(size))
    assert one.runs.rows == [1, 36]


def test_a_batch_has_no_more_rows_than_allowed(bench):
    one = bench(max_batch_size=4)
    with one.busy():
        asked = [one.numbers(number, number) for number in range(5)]
        one.until(lambda: one.waiting() == 5)
    assert [future.result(WAIT)[0] for future in asked] == list(range(5))
    assert sorted(one.runs.rows[1:]) == [2, 4, 4]


def test_a_batch_waits_for_others_as_long_as_told(bench):
    one = bench(batch_timeout_micros=1_500_000, num_batch_threads=2)
    asked = [one.numbers(1), one.numbers(2)]
    assert [future.result(WAIT).tolist() for future in asked] == [[1], [2]]
    assert one.runs.rows == [2]


def test_a_full_batch_does_not_wait(bench):
    one = bench(batch_timeout_micros=10**9, max_batch_size=2)
    asked = [one.numbers(1), one.numbers(2), one.numbers(3, 4)]
    assert [future.result(WAIT).tolist() for future in asked] == [[1], [2], [3, 4]]
    assert one.runs.rows == [2, 2]


def test_a_batch_that_another_follows_does_not_wait(bench):
    one = bench(batch_timeout_micros=10**9, max_batch_size=3)
    first = one.numbers(1, 1)
    one.until(lambda: one.waiting() == 1)
    second = one.numbers(2, 2)
    assert first.result(WAIT).tolist() == [1, 1]
    third = one.numbers(3)
    assert [second.result(WAIT).tolist(), third.result(WAIT).tolist()] == [[2, 2], [3]]


def test_a_full_queue_refuses_at_once(bench):
    one = bench(max_batch_size=2, max_enqueued_batches=3)
    with one.busy():
        asked = [one.numbers(number, number) for number in range(3)]
        one.until(lambda: one.waiting() == 3)
        with pytest.raises(ServingError) as caught:
            one.ask("numbers", "total", x=np.ones((1, 1), np.float32), n=np.array([1]))
        other = one.examples(b"")
        late = one.numbers(9)
        assert code(late) is Code.UNAVAILABLE
    assert caught.value.code is Code.UNAVAILABLE
    assert caught.value.message.startswith(
        "The batch scheduling queue to which this task was submitted is full"
    )
    assert [future.result(WAIT)[0] for future in asked] == [0, 1, 2]
    assert other.result(WAIT).tolist() == [0]


def test_a_request_larger_than_a_batch_is_refused(bench):
    one = bench(max_batch_size=2)
    with pytest.raises(ServingError) as caught:
        one.ask("slow", "done", rounds=np.zeros(3, np.int32))
    assert caught.value.code is Code.INVALID_ARGUMENT
    assert caught.value.message.startswith("Task size 3 is larger than maximum input batch size 2")


def test_a_request_without_rows_is_answered(bench):
    one = bench()
    assert one.ask("numbers", "next", x=np.ones((0, 1), np.float32), n=np.zeros(0, int)).size == 0


def test_a_bad_row_fails_its_own_request_alone(bench):
    one = bench()
    with one.busy():
        asked = [one.examples(b""), one.examples(b"", BAD), one.examples(b"", b"")]
        one.until(lambda: one.waiting() == 3)
    assert asked[0].result(WAIT).tolist() == [0]
    assert code(asked[1]) is Code.INVALID_ARGUMENT
    assert asked[2].result(WAIT).tolist() == [0, 0]
    assert one.runs.rows == [1, 5, 1, 2, 2]


def test_a_failed_request_alone_is_not_run_again(bench):
    one = bench()
    assert code(one.examples(BAD)) is Code.INVALID_ARGUMENT
    assert one.runs.rows == [1]


def test_batches_are_filled_up_to_the_sizes_allowed(bench):
    one = bench(max_batch_size=8, allowed_batch_sizes=(2, 8))
    assert one.numbers(7).result(WAIT).tolist() == [7]
    assert one.numbers(1, 2, 3).result(WAIT).tolist() == [1, 2, 3]
    assert one.runs.rows == [2, 8]


def test_rows_of_other_lengths_run_apart(bench):
    one = bench()
    with one.busy():
        asked = [one.numbers(1, width=2), one.numbers(1, width=3), one.numbers(2, width=2)]
        one.until(lambda: one.waiting() == 3)
    assert [future.result(WAIT).tolist() for future in asked] == [[2], [3], [4]]
    assert sorted(one.runs.rows[1:]) == [1, 2]


def test_rows_of_other_lengths_run_together_where_they_are_padded(bench):
    one = bench(pad_variable_length_inputs=True)
    with one.busy():
        asked = [one.numbers(1, width=1), one.numbers(1, width=3)]
        one.until(lambda: one.waiting() == 2)
    assert [future.result(WAIT).tolist() for future in asked] == [[3], [3]]
    assert one.runs.rows == [1, 2]


def test_queues_take_turns(bench):
    one = bench(max_batch_size=1)
    with one.busy():
        asked = [one.numbers(number) for number in range(4)]
        one.until(lambda: one.waiting() == 4)
        asked += [one.examples(b""), one.examples(b"")]
        one.until(lambda: one.waiting() == 6)
    for future in asked:
        future.result(WAIT)
    assert one.runs.keys[1:5] == ["numbers", "regress", "numbers", "regress"]


def test_a_deadline_that_has_passed_before_is_not_run(bench):
    one = bench()
    assert code(one.numbers(1, deadline=time.monotonic() - 1)) is Code.DEADLINE_EXCEEDED


def test_requests_that_all_expire_in_the_queue_are_not_run(bench):
    one = bench()
    with one.busy():
        late = one.numbers(1, deadline=time.monotonic() + 0.05)
        error = late.exception(WAIT)
    assert error.code is Code.RESOURCE_EXHAUSTED
    assert error.message == "Run() timeout exceeded while waiting in batching queue"
    assert one.runs.rows == [1]
    assert one.waiting() == 0


def test_a_request_that_expires_in_the_queue_leaves_the_others_in(bench):
    one = bench()
    with one.busy():
        patient = one.numbers(1)
        one.until(lambda: one.waiting() == 1)
        assert code(one.numbers(2, 2, deadline=time.monotonic() + 0.05)) is Code.DEADLINE_EXCEEDED
    assert patient.result(WAIT).tolist() == [1]
    assert one.runs.rows == [1, 1]


def test_a_model_is_stopped_when_nobody_waits_for_it_any_more(bench):
    one = bench()
    rounds = np.array([10**6], np.int32)
    late = one.submit("slow", "done", time.monotonic() + 0.1, rounds=rounds)
    assert code(late) is Code.DEADLINE_EXCEEDED
    assert one.numbers(1).result(WAIT).tolist() == [1]


def test_who_waits_for_a_running_batch_leaves_at_the_deadline(bench):
    one = bench()
    rounds = np.array([2000], np.int32)
    with one.busy():
        patient = one.submit("slow", "done", rounds=rounds)
        late = one.submit("slow", "done", time.monotonic() + 0.4, rounds=rounds)
        one.until(lambda: one.waiting() == 2)
    assert code(late) is Code.DEADLINE_EXCEEDED
    assert patient.result(WAIT).tolist() == [2000]


def test_closing_runs_what_waits_and_refuses_what_comes(bench):
    one = bench(batch_timeout_micros=10**9)
    waiting = one.numbers(1)
    one.until(lambda: one.waiting() == 1)
    one.scheduler.close()
    assert waiting.result(WAIT).tolist() == [1]
    assert code(one.numbers(2)) is Code.UNAVAILABLE


def test_closing_ends_the_threads(bench):
    one = bench(num_batch_threads=3)
    one.scheduler.close()
    assert not [thread for thread in one.scheduler._workers if thread.is_alive()]


def test_closing_does_not_wait_for_ever(bench):
    one = bench()
    with one.busy():
        waiting = one.numbers(1)
        one.until(lambda: one.waiting() == 1)
        one.scheduler.close(timeout=0.1)
        assert code(waiting) is Code.UNAVAILABLE


def test_what_waits_for_an_unloaded_version_is_told(bench):
    one = bench()
    with one.busy():
        waiting = one.numbers(1)
        one.until(lambda: one.waiting() == 1)
        one.scheduler.forget(ServableId(NAME, VERSION + 1))
        assert one.waiting() == 1
        one.scheduler.forget(ServableId(NAME, VERSION))
        assert code(waiting) is Code.UNAVAILABLE
    assert one.runs.rows == [1]


def test_no_queue_stays_when_nothing_waits(bench):
    one = bench(num_batch_threads=2)
    asked = [one.numbers(1, width=width) for width in range(1, 40)]
    for future in asked:
        future.result(WAIT)
    assert not one.scheduler._queues


@pytest.mark.parametrize("micros", [0, 2000])
def test_under_load_with_failures_and_deadlines_everyone_gets_the_right_answer(bench, micros):
    one = bench(
        num_batch_threads=2,
        max_batch_size=16,
        max_enqueued_batches=100,
        batch_timeout_micros=micros,
    )

    def client(seed: int) -> None:
        random = np.random.default_rng(seed)
        for _ in range(60):
            kind, size = random.integers(4), int(random.integers(1, 9))
            if kind == 0:
                with pytest.raises(ServingError, match="INVALID_ARGUMENT"):
                    one.ask("regress", "outputs", inputs=strings(*[BAD] * size))
            elif kind == 1:
                assert one.ask("regress", "outputs", inputs=strings(*[b""] * size)).shape == (size,)
            elif kind == 2:
                deadline = time.monotonic() + 0.002
                done = one.submit("slow", "done", deadline, rounds=np.full(size, 3, np.int32))
                assert done.exception(WAIT) is None or code(done) in LATE
            else:
                n = random.integers(0, 10**9, size)
                x = np.ones((size, 2), np.float32)
                assert (one.ask("numbers", "next", x=x, n=n) == n + 1).all()

    with ThreadPoolExecutor(24) as clients:
        for done in [clients.submit(client, seed) for seed in range(24)]:
            done.result(2 * WAIT)
    assert not one.scheduler._queues and one.scheduler._running == 0
