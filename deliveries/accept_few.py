"""A few events and their deliveries in one statement, for PostgreSQL: one round trip instead of seven.

Under a steady trickle of single events the round trips, and winning back Python's lock after each, are most of a
commit; many at once are copied (``deliveries.accept``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
import psycopg
from django.db import connection

from deliveries.core.normalise import Incoming

# What the connectors' statuses mean for a fresh delivery comes as rows, one per source and connector. Nothing is stored
# when the configuration is no longer the one that they were made from.
STATEMENT = """
    WITH now AS (SELECT coalesce((SELECT number FROM integrations_configversion WHERE id = 1), 0) AS version),
    stored AS (
        INSERT INTO deliveries_event
            (source_id, message_id, type, name, user_id, anonymous_id, received_at, refused, body, email)
        SELECT given.* FROM json_to_recordset(%s) AS given(
            source_id bigint, message_id text, type text, name text, user_id text, anonymous_id text,
            received_at timestamptz, refused text, body text, email text), now
        WHERE now.version = %s
        ON CONFLICT (message_id, source_id) DO NOTHING
        RETURNING id, source_id, received_at, refused
    ),
    made AS (
        INSERT INTO deliveries_delivery
            (event_id, connector_id, status, cause, detail, attempts, lane, created_at, next_attempt_at, lease_owner,
            finished_at, sent_as, notes, as_sent)
        SELECT stored.id, route.connector_id, route.status, route.cause, route.detail, 0, 0, stored.received_at,
            CASE WHEN route.status = 'waiting' THEN stored.received_at END, '',
            CASE WHEN route.status = 'skipped' THEN stored.received_at END, '', '', false
        FROM stored JOIN json_to_recordset(%s) AS route(
            source_id bigint, connector_id bigint, status text, cause text, detail text)
            ON route.source_id = stored.source_id
        WHERE stored.refused = '' ORDER BY stored.id
    )
    SELECT (SELECT version FROM now), (SELECT count(*) FROM stored)
"""
Route = tuple[int, str, str, str]  # connector, and the status, cause and detail of what is fresh for it


def store_few(
    events: Sequence[tuple[int, Any, Incoming]], routes: Mapping[int, Sequence[Route]], version: int
) -> int | None:
    """Store (source id, receipt time, event) by the routes of each source, which are those of ``version``.

    Returns how many events were new; None, with nothing stored, if the configuration has changed. Raises
    django.db.Error.
    """
    given = [
        {
            "source_id": source_id,
            "message_id": event.message_id,
            "type": event.type,
            "name": event.name,
            "user_id": event.user_id,
            "anonymous_id": event.anonymous_id,
            "received_at": received_at,
            "refused": event.refused,
            "body": event.body,
            "email": event.email,
        }
        for source_id, received_at, event in events
    ]
    fresh = [
        {"source_id": source_id, "connector_id": connector_id, "status": status, "cause": cause, "detail": detail}
        for source_id, own in routes.items()
        for connector_id, status, cause, detail in own
    ]
    connection.ensure_connection()
    # Django's own cursors put the values into the text; bound apart from it, the server plans it once.
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
        cursor.execute(STATEMENT, [_text(given), version, _text(fresh)], prepare=True)
        row = cursor.fetchone()
    current, stored = row if row is not None else (version, 0)
    return stored if current == version else None


def _text(rows: list[dict[str, Any]]) -> str:
    return orjson.dumps(rows).decode()
