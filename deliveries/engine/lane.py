"""One connector inside one drain: a queue of claimed work and the threads that send it.

Threads cost CPU, so a lane starts with one and grows with the latency it sees: about one for every millisecond an
answer takes, since one thread can hardly use more than that (64 for a receiver that takes 50 ms). A slow or dead
connector only ever holds its own threads.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from deliveries.engine.claim import Claimed
from deliveries.engine.perform import Caller, Result, Target, not_sent, perform
from deliveries.engine.rest import KEY_REFUSALS_TO_STOP, RESTS_AFTER, is_fault
from integrations.types import Cause, Disposition, NotSent

log = logging.getLogger("signalbox.engine")
MAX_THREADS = 64
MS_PER_THREAD = 0.8
FIRST_CLAIM = 10
MAX_CLAIM = 1000
AHEAD_SECONDS = 0.5  # how much work to have in hand: little is lost to a crash, and the claim stays cheap
IDLE_EXIT = 1.0
LAST_IDLE_EXIT = 10.0  # of the lane's last thread: a resting connector's next probe finds it and its connections
STUCK_AFTER = 1.0  # seconds that a call may take before the drain's end would rather not wait for the next one
HANGING = frozenset({Cause.TIMEOUT, Cause.UNREACHABLE, Cause.TLS})
CHUNK_SECONDS = 5.0  # what takes a call each begins no further call after these: leases, drains and stops wait for it


def utc_now() -> datetime:
    return datetime.now(UTC)


class LaneRunner:
    """Runs one connector's claimed deliveries. Not thread-safe but for what its own threads do."""

    def __init__(
        self,
        target: Target,
        make_caller: Callable[[], Caller],
        done: deque[Result],
        wake: threading.Event,
        original: Callable[[Claimed], tuple[str, str, bytes] | None],
        room: Callable[[], int] = lambda: MAX_THREADS,
    ) -> None:
        self.target = target
        self.make_caller = make_caller
        self.done = done
        self.wake = wake
        self.original = original
        self.room = room  # how many threads more the drain can bear
        self.queue: deque[tuple[float, list[Claimed]]] = deque()
        self.queued = 0  # deliveries in the queue
        self.in_flight = 0
        self.threads = 0
        self.hurt = False  # the last call got no answer: no new work but a probe
        self.failing = False  # it failed so often in a row that it must rest: nothing begins until that is recorded
        self.closing = False
        self._faults = self._refusals = 0
        self._began: dict[int, float] = {}  # thread → when its call began
        self._lock = threading.Lock()
        self._work = threading.Condition(self._lock)
        self._latencies: deque[float] = deque(maxlen=32)
        self._rate = 0.0  # deliveries per second and thread
        self._wanted = 1

    @property
    def in_hand(self) -> int:
        return self.queued + self.in_flight

    @property
    def stuck(self) -> bool:
        """Whether a call is under way that may take long."""
        now = time.monotonic()
        with self._lock:
            return any(now - began > STUCK_AFTER for began in self._began.values())

    def capacity(self, *, ending: bool = False) -> int:
        """How many more deliveries to claim now. A drain that is about to end begins nothing that may take long."""
        if self.failing or (ending and (self.hurt or self.stuck)):
            return 0
        if self.hurt:
            return 0 if self.in_hand else 1
        size = self.target.batch_size
        if not self._rate:
            most = FIRST_CLAIM * size
        else:
            most = int(self._rate * self._wanted * AHEAD_SECONDS)
            most = max(FIRST_CLAIM, size * self._wanted, min(most, MAX_CLAIM * (1 if size == 1 else 8)))
        if self.target.config.max_concurrency:
            most = min(most, self.target.config.max_concurrency * size)
        return most - self.in_hand if self.in_hand <= most // 2 else 0

    def add(self, claimed: Sequence[Claimed], starts: Callable[[int], float] | None = None) -> None:
        """Queue work. ``starts(i)`` is the monotonic time before which call i must not begin (a speed limit)."""
        size = self.target.batch_size
        chunks = [list(claimed[start : start + size]) for start in range(0, len(claimed), size)]
        with self._lock:
            for index, chunk in enumerate(chunks):
                self.queue.append((starts(index) if starts else 0.0, chunk))
            self.queued += len(claimed)
            self._adapt()
            self._work.notify(min(len(chunks), self.threads) or 1)
            missing = min(self._wanted, len(self.queue) + self._busy()) - self.threads
            for _ in range(min(missing, max(self.room(), 1 - self.threads))):
                self.threads += 1
                threading.Thread(target=self._run, name=f"lane-{self.target.config.id}", daemon=True).start()

    def drop_queue(self) -> list[Claimed]:
        """Take back what no thread has begun."""
        with self._lock:
            dropped = [claimed for _, chunk in self.queue for claimed in chunk]
            self.queue.clear()
            self.queued = 0
        return dropped

    def go_on(self) -> None:
        """What the calls said is recorded; whether the connector rests is known to all drains now."""
        with self._lock:
            if self.failing:  # refusals are counted on from one record to the next, until they were too many
                self._refusals = 0
            self.failing = False
            self._faults = 0
            self._work.notify_all()

    def close(self) -> None:
        with self._lock:
            self.closing = True
            self._work.notify_all()

    def _busy(self) -> int:
        return -(-self.in_flight // self.target.batch_size)

    def _adapt(self) -> None:
        """How many threads the latency asks for. The quick third of the answers tells the receiver's own time; the
        slow ones tell of our own threads getting in each other's way."""
        if not self._latencies or self.hurt:
            self._wanted = 1
            return
        quick = sorted(self._latencies)[len(self._latencies) // 3]
        wanted = max(1, min(MAX_THREADS, round(quick / MS_PER_THREAD)))
        limit = self.target.config.max_concurrency or MAX_THREADS
        self._wanted = min(wanted, limit, max(2, 2 * self.threads))

    def _run(self) -> None:
        caller = self.make_caller()
        try:
            while (chunk := self._next()) is not None:
                began = time.monotonic()
                self._finish(chunk, self._perform(chunk, caller), time.monotonic() - began)
        finally:
            with self._lock:
                self.threads -= 1
            close = getattr(caller, "close", None)
            if close is not None:
                close()

    def _perform(self, chunk: list[Claimed], caller: Caller) -> list[Result]:
        began = time.monotonic()
        try:
            return perform(
                chunk, self.target, caller, utc_now, self.original, lambda results: self._may_go_on(results, began)
            )
        except Exception as error:  # a vendor's bug in a batch call: fail its deliveries in words, keep the lane
            log.exception("A call for %s could not be made", self.target.config.name)
            refusal = NotSent(Cause.INTERNAL, f"{type(error).__name__} while preparing the call: {error}"[:500])
            return [not_sent(claimed, refusal, utc_now) for claimed in chunk]

    def _may_go_on(self, results: Sequence[Result], began: float) -> bool:
        """Whether a chunk that takes several calls may make another: not while ending, and not to a service that has
        just given no answer or failed so often that it must rest. The rest of the chunk goes back, tries untouched."""
        if self.closing or time.monotonic() - began >= CHUNK_SECONDS:
            return False
        made = [result.verdict for result in results if result.verdict is not None]
        hanging = made[-1].cause in HANGING
        return not hanging and not (len(made) >= RESTS_AFTER and all(map(is_fault, made[-RESTS_AFTER:])))

    def _next(self) -> list[Claimed] | None:
        with self._lock:
            while not self.queue or self.failing:
                if self.closing or not self._work.wait(LAST_IDLE_EXIT if self.threads == 1 else IDLE_EXIT):
                    if self.queue and not self.closing:
                        continue
                    return None
            start, chunk = self.queue.popleft()
            self.queued -= len(chunk)
            self.in_flight += len(chunk)
        if start:
            time.sleep(max(0.0, start - time.monotonic()))
        with self._lock:
            self._began[threading.get_ident()] = time.monotonic()
        return chunk

    def _finish(self, chunk: list[Claimed], results: list[Result], seconds: float) -> None:
        self.done.extend(results)
        results = [result for result in results if not result.goes_back]
        calls = [result.call for result in results if result.call is not None]
        hanging = any(result.verdict is not None and result.verdict.cause in HANGING for result in results)
        faults = sum(is_fault(result.verdict) for result in results)
        said = [result.verdict.disposition for result in results if result.verdict is not None]
        refusals = said.count(Disposition.REAUTH)
        with self._lock:
            self._began.pop(threading.get_ident(), None)
            self.in_flight -= len(chunk)
            self._faults = self._faults + faults if faults == len(results) else 0
            self._refusals = self._refusals + refusals if refusals == len(results) else 0
            stops = self._refusals >= KEY_REFUSALS_TO_STOP or Disposition.STOP in said
            self.failing = self.failing or self._faults >= RESTS_AFTER or stops
            if calls:
                self.hurt = hanging
                if not hanging:
                    self._latencies.append(calls[0].duration_ms)
            rate = len(results) / max(seconds, 1e-5)
            self._rate = rate if not self._rate else 0.8 * self._rate + 0.2 * rate
            low = not self.queue
        if low or hanging or self.failing or len(self.done) >= 100:
            self.wake.set()
