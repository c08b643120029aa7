"""The console's pages about what is configured."""

from integrations.admin import addresses, changes, sources

__all__ = ["addresses", "changes", "sources"]
