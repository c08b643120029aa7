from django.apps import AppConfig
from django.db.models.signals import m2m_changed, post_migrate


class IntegrationsConfig(AppConfig):
    name = "integrations"
    verbose_name = "Connections"

    def ready(self) -> None:
        from integrations import checks  # noqa: F401  # registers the system checks
        from integrations.models import ConfigVersion, Connector
        from integrations.regions import seed_regions

        # The vendors' own addresses are rows made after every migrate: a new vendor file needs no migration.
        post_migrate.connect(seed_regions, sender=self)
        # Which sources a connector listens to is saved outside Connector.save().
        m2m_changed.connect(lambda **_: ConfigVersion.bump(), sender=Connector.sources.through, weak=False)
