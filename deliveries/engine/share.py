"""How much each connector may take at once: its own capacity, what its limits leave, and while it rests one probe."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from deliveries.engine import rest
from deliveries.engine.claim import LIVE, REPLAY, RETRY, Want
from deliveries.engine.lane import LaneRunner

Due = Mapping[tuple[int, int], datetime]


def shares(
    lanes: Mapping[int, LaneRunner], due: Due, room: Mapping[int, int], owner: str, now: datetime
) -> tuple[list[Want], set[int]]:
    """What to claim, retries first, and for which connectors the claim is a probe.

    Besides its probe a resting connector gets its retries, which keep their times. A replay of many gets a share only
    when nothing live is due.
    """
    resting = rest.resting({connector_id for connector_id, _ in due})
    waiting = {connector_id for connector_id, lane in due if lane != RETRY}
    probing = rest.may_probe((key for key in resting & waiting if not lanes[key].in_hand), now)
    wants = []
    for connector_id, lane in sorted(due, key=lambda key: (key[1] != RETRY, key[1], due[key])):
        if lane == REPLAY and (connector_id, LIVE) in due:
            continue
        limit = _limit(lanes[connector_id], lane, due, room[connector_id], owner, now)
        if connector_id in resting and lane != RETRY:
            limit = min(limit, 1 if connector_id in probing else 0)
        if limit > 0:
            wants.append(Want(connector_id, lane, limit))
    return wants, probing


def _limit(runner: LaneRunner, lane: int, due: Due, room: int, owner: str, now: datetime) -> int:
    config = runner.target.config
    limit = room // 2 if lane != RETRY and (config.id, RETRY) in due else room
    if config.max_concurrency and not rest.may_serve(config.id, owner, now):
        return 0
    if config.rate_limit_per_second:
        limit = min(limit, runner.target.batch_size * rest.free_slots(config.id, config.rate_limit_per_second, now))
    return limit
