"""The console's pages about what flows."""

from deliveries.admin import alerts, connectors, deliveries, events, problems, replays, sources

__all__ = ["alerts", "connectors", "deliveries", "events", "problems", "replays", "sources"]
