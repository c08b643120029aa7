"""Chaos: a running Signalbox loses processes, databases, disk and receivers while events come in, and the books are
made at the end. ``make chaos``, or ``python -m tests.chaos --help``."""
