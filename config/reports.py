"""What logs and reports of errors may show: no secret of the settings, no key in a path, and nothing that was posted,
since keys are typed into forms."""

from __future__ import annotations

import logging
import re
from typing import Any

from django.http import HttpRequest
from django.views.debug import SafeExceptionReporterFilter


class ReportFilter(SafeExceptionReporterFilter):
    # Addresses of databases and brokers carry passwords.
    hidden_settings = re.compile(
        f"{SafeExceptionReporterFilter.hidden_settings.pattern}|URL|LOCATION|REDIS|Q_CLUSTER", re.IGNORECASE
    )

    def get_post_parameters(self, request: HttpRequest | None) -> dict[str, Any]:
        return dict.fromkeys(request.POST, self.cleansed_substitute) if request is not None else {}


class HideKeys(logging.Filter):
    """Write keys and set-up links stand in some paths, and Django says the path of what it refuses."""

    in_paths = re.compile(r"(/connector/[^/\s]+/|/v1/projects/|/setup/)[^/\s]+")

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(self._hidden(one) if isinstance(one, str) else one for one in record.args)
        record.msg = self._hidden(str(record.msg))
        return True

    def _hidden(self, text: str) -> str:
        return self.in_paths.sub(r"\1••••", text)
