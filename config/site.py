"""The console: Django's admin site in product words."""

from __future__ import annotations

from django.contrib.admin import AdminSite


class ConsoleSite(AdminSite):
    site_header = "Signalbox"
    site_title = "Signalbox"
    index_title = "Overview"
    enable_nav_sidebar = False
