"""The console's pages about what flows."""

from deliveries.admin import connectors, deliveries, events, problems, replays, sources

__all__ = ["connectors", "deliveries", "events", "problems", "replays", "sources"]
