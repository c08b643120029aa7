"""The console's pages about what flows."""

from deliveries.admin import connectors, deliveries, events, replays

__all__ = ["connectors", "deliveries", "events", "replays"]
