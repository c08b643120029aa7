"""Run a function inside an installation: ``python -m benchmarks.within MODULE FUNCTION '{json options}'``, with the
installation's environment. Prints what it returned as one JSON line."""

from __future__ import annotations

import importlib
import json
import os
import sys

import django


def main(module: str, function: str, options: str) -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    print(json.dumps(getattr(importlib.import_module(module), function)(**json.loads(options))))


if __name__ == "__main__":
    main(*sys.argv[1:])
