from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig


class ConfigConfig(AppConfig):
    name = "config"
    verbose_name = "People and access"


class ConsoleAdminConfig(AdminConfig):
    default_site = "config.site.ConsoleSite"
