"""A drain: claim due deliveries, send them, record the results, until nothing is due or the time is up.

It is what a django-q2 task runs. Any number may run at once, on any number of machines: leases keep them apart. The
main thread alone talks to the database; lanes' threads alone talk to the network.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar
from uuid import uuid4

import orjson
from django.db import Error as DatabaseError
from django.db import connection

from deliveries import hold, problems, queue
from deliveries.alarm import AlertRule
from deliveries.engine import rest
from deliveries.engine.claim import Claimed, claim, due_times, release, renew
from deliveries.engine.lane import LaneRunner, utc_now
from deliveries.engine.perform import Caller, Result, Target, allowed_hosts
from deliveries.engine.record import record
from deliveries.engine.send import Sender
from deliveries.engine.share import shares
from deliveries.heartbeat import beat
from deliveries.lifeline import stopping
from deliveries.models import Attempt
from integrations import registry, selectors
from integrations.models import Connector
from integrations.types import ConnectorConfig

T = TypeVar("T")
log = logging.getLogger("signalbox.engine")
SECONDS = 20.0  # long enough to be worth a task, short enough that other tasks get their turn
RESULTS_AT_ONCE = 100  # results are recorded at the latest after these many …
RECORD_EVERY = 0.25  # … or these seconds: what a crash can repeat is bounded by them
LINGER = timedelta(seconds=45)  # a retry due sooner than this is waited for; later ones get a schedule
SCHEDULE_AHEAD = timedelta(seconds=40)  # django-q2 looks at its schedules every 30 s or so
QUIET_BEFORE_END = 0.4
LONGEST_END = 20.0  # a little longer than the longest call
DATABASE_PATIENCE = 20.0  # seconds a restarting database is waited for, with results in hand
MAX_THREADS = 192


class Drain:
    """One run. ``make_caller`` makes what sends (a :class:`Sender` per thread)."""

    def __init__(self, make_caller: Callable[[], Caller] = Sender, seconds: float = SECONDS) -> None:
        self.owner = f"{os.getpid()}-{uuid4().hex[:12]}"
        self.make_caller = make_caller
        self.ends = time.monotonic() + seconds
        self.wake = threading.Event()
        self.done: deque[Result] = deque()
        self.lanes: dict[int, LaneRunner] = {}
        self.in_hand: dict[int, Claimed] = {}
        self.originals: dict[int, tuple[str, str, bytes]] = {}
        self.configs: dict[int, ConnectorConfig] = {}
        self._version = -1
        self._last_record = self._last_beat = self._last_renewal = self._last_wake = 0.0
        self._quiet_since = time.monotonic()

    def run(self) -> None:
        queue.woken()
        try:
            while not stopping() and not self._over():
                worked = self._patiently(self._round)
                if not worked and not self.in_hand and not self._patiently(self._stay):
                    break
                self.wake.wait(0.05 if self.in_hand else self._poll())
                self.wake.clear()
        finally:
            self._end()

    def _ending(self) -> bool:
        return time.monotonic() >= self.ends

    def _over(self) -> bool:
        """The time is up, and no call is under way that may take long: while one is, the healthy connectors are served
        as ever, and nothing begins that may take long too."""
        late = time.monotonic() - self.ends
        return late >= 0 and (late >= LONGEST_END or not any(lane.stuck for lane in self.lanes.values()))

    # --- One round ----------------------------------------------------------------------------------------------------

    def _round(self) -> bool:
        now = utc_now()
        self._beat(now)
        self._record(now)
        self._follow_configuration()
        claimed = self._claim(now)
        if claimed or self.in_hand:
            self._quiet_since = time.monotonic()
        return claimed

    def _follow_configuration(self) -> None:
        snapshot = selectors.snapshot()
        if self.configs and snapshot.version == self._version:
            return
        self._version = snapshot.version
        self.configs = dict(snapshot.connectors)
        for config in self.configs.values():
            vendor = registry.get(config.vendor)
            if vendor is None or not vendor.sends:
                continue
            target = Target(config, vendor, allowed_hosts(config, vendor))
            lane = self.lanes.get(config.id)
            if lane is None:
                self.lanes[config.id] = LaneRunner(
                    target, self.make_caller, self.done, self.wake, self._original, self._thread_room
                )
            else:
                lane.target = target
            if config.status != "active" and lane is not None:
                self._give_back(lane)

    def _original(self, claimed: Claimed) -> tuple[str, str, bytes] | None:
        return self.originals.get(claimed.id)

    def _thread_room(self) -> int:
        return MAX_THREADS - sum(lane.threads for lane in self.lanes.values())

    def _claim(self, now: datetime) -> bool:
        ending = self._ending()
        room = {key: lane.capacity(ending=ending) for key, lane in self.lanes.items() if self._is_active(key)}
        ready = [key for key, free in room.items() if free > 0]
        due = {key: moment for key, moment in due_times(ready).items() if moment <= now}
        if not due:
            return False
        wants, probing = shares(self.lanes, due, room, self.owner, now)
        claimed = claim(wants, self.owner, now)
        self._give_work(claimed, now)
        taken = Counter(row.connector_id for row in claimed)
        rest.give_probes_back(probing - set(taken), now)
        if any(taken[want.connector_id] >= want.limit for want in wants if want.connector_id not in probing):
            self._ask_for_help(now)
        return bool(claimed)

    def _give_work(self, claimed: list[Claimed], now: datetime) -> None:
        self._read_originals([row for row in claimed if row.as_sent and row.replay_of_id])
        by_connector: dict[int, list[Claimed]] = defaultdict(list)
        for row in claimed:
            by_connector[row.connector_id].append(row)
            self.in_hand[row.id] = row
        for connector_id, rows in by_connector.items():
            lane = self.lanes[connector_id]
            rate = self.configs[connector_id].rate_limit_per_second
            if not rate:
                lane.add(rows)
                continue
            calls = -(-len(rows) // lane.target.batch_size)
            first = rest.reserve(connector_id, rate, calls, now)
            begin = time.monotonic() + (first - now).total_seconds()
            lane.add(rows, lambda index, begin=begin, rate=rate: begin + index / rate)  # type: ignore[misc]  # a lambda

    def _read_originals(self, rows: list[Claimed]) -> None:
        """What was sent before, for replays "exactly as sent"; where it was cut or held a secret, today's is sent."""
        by_original = {row.replay_of_id: row.id for row in rows}
        for attempt in Attempt.objects.filter(delivery_id__in=list(by_original)).order_by("id"):
            if "••••" in attempt.request_body or not attempt.request_body:
                continue
            head = orjson.loads(attempt.request)
            row_id = by_original[attempt.delivery_id]
            self.originals[row_id] = (head["method"], head["url"], attempt.request_body.encode())

    # --- Recording ----------------------------------------------------------------------------------------------------

    def _record(self, now: datetime, everything: bool = False) -> None:
        elapsed = time.monotonic() - self._last_record
        soon = everything or elapsed >= RECORD_EVERY or any(lane.failing for lane in self.lanes.values())
        if not self.done or not (soon or len(self.done) >= RESULTS_AT_ONCE):
            self._renew(now)
            return
        results = [self.done.popleft() for _ in range(len(self.done))]
        ended = [result for result in results if not result.goes_back]
        try:  # in this order: giving back once more does nothing, recording once more would
            release([result.claimed for result in results if result.goes_back], self.owner)
            if ended:
                record(ended, self.owner, now, self.configs)
        except DatabaseError:
            self.done.extendleft(reversed(results))
            raise
        self._version = -1
        self._last_record = time.monotonic()
        for result in results:
            self.in_hand.pop(result.claimed.id, None)
            self.originals.pop(result.claimed.id, None)
        self._note(results, now)

    def _note(self, results: list[Result], now: datetime) -> None:
        by_connector: dict[int, list[Result]] = defaultdict(list)
        for result in results:
            by_connector[result.claimed.connector_id].append(result)
        warned, reasons, refused = rest.note(by_connector, now)
        if refused:
            problems.raise_refused(refused, now)
        for connector_id in by_connector:
            lane = self.lanes[connector_id]
            if lane.hurt or lane.failing or connector_id in warned or connector_id in reasons:
                self._give_back(lane)
            lane.go_on()
            if connector_id in warned:
                problems.raise_now(connector_id, AlertRule.Kind.STOPPING, now)
            if connector_id in reasons:
                announce = partial(problems.raise_now, connector_id, AlertRule.Kind.STOPPED, now)
                hold.stop(Connector.objects.get(id=connector_id), reason=reasons[connector_id], announce=announce)

    def _give_back(self, lane: LaneRunner) -> None:
        dropped = lane.drop_queue()
        release(dropped, self.owner)
        for row in dropped:
            self.in_hand.pop(row.id, None)

    def _renew(self, now: datetime) -> None:
        if self.in_hand and time.monotonic() - self._last_renewal > 10:
            self._last_renewal = time.monotonic()
            renew(list(self.in_hand), self.owner, now)

    # --- Staying and ending -------------------------------------------------------------------------------------------

    def _stay(self) -> bool:
        """Nothing is in hand and nothing was claimed: wait for what is due soon, or end?"""
        now = utc_now()
        if time.monotonic() - self._quiet_since < QUIET_BEFORE_END:
            return True
        soonest = self._soonest()
        if soonest is None or soonest > now + LINGER:
            return False
        return rest.may_linger(self.owner, now)

    def _soonest(self) -> datetime | None:
        active = [key for key in self.lanes if self._is_active(key)]
        return min(due_times(active).values(), default=None)

    def _is_active(self, connector_id: int) -> bool:
        config = self.configs.get(connector_id)
        return config is not None and config.status == "active"

    def _poll(self) -> float:
        """How long to sleep while there is nothing to do: short at first, for a burst's next event."""
        return 0.05 if time.monotonic() - self._quiet_since < 2 else 0.2

    def _ask_for_help(self, now: datetime) -> None:
        """There is more due than one drain takes at once: have another worker join."""
        if time.monotonic() - self._last_wake > 1:
            self._last_wake = time.monotonic()
            queue.wake(now)

    def _beat(self, now: datetime) -> None:
        if time.monotonic() - self._last_beat > 5:
            self._last_beat = time.monotonic()
            beat(now)

    def _patiently(self, step: Callable[[], T]) -> T:
        """Run a step; if the database goes away, wait for it with the results in hand rather than lose them."""
        deadline = time.monotonic() + DATABASE_PATIENCE
        while True:
            try:
                return step()
            except DatabaseError:
                connection.close()
                if time.monotonic() > deadline or connection.in_atomic_block:
                    raise
                log.warning("The database does not answer; trying again", exc_info=True)
                time.sleep(0.5)

    def _end(self) -> None:
        for lane in self.lanes.values():
            self._patiently(partial(self._give_back, lane))
            lane.close()
        while any(lane.in_flight for lane in self.lanes.values()) or self.done:
            self._patiently(lambda: self._record(utc_now(), everything=True))
            self.wake.wait(0.05)
            self.wake.clear()
        self._patiently(self._leave)

    def _leave(self) -> bool:
        now = utc_now()
        rest.leave(self.owner)
        if (soonest := self._soonest()) is not None and not stopping():
            if soonest <= now + LINGER:
                queue.wake(now)
            else:
                queue.wake_at(soonest - SCHEDULE_AHEAD)
        return True
