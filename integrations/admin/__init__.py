"""The console's pages about what is configured."""

from integrations.admin import addresses, sources

__all__ = ["addresses", "sources"]
