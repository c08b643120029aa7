"""Problems that no single delivery explains, in words: (headline, explanation, what to do). Pure data."""

from __future__ import annotations

from deliveries.core.causes import Explanation

OF_KIND = {
    "books": Explanation(
        "The books of a day do not add up.",
        "Every event that comes in for a connector is delivered, failed, skipped, held, erased or still on its way. "
        "Here some are none of it, or are there too often: rows were deleted or added past Signalbox, a database was "
        "put back from a backup, or we made a mistake.",
        "Open the books to see which day it is. If nobody touched the database, tell whoever runs Signalbox, and keep "
        "the database as it is until they have looked.",
    ),
    "silent": Explanation(
        "Nothing is being sent.",
        "No worker gives a sign of life. Events are still taken in and kept; nothing is lost.",
        "Look at the machine that runs `manage.py serve`, and start it again if it does not run.",
    ),
}
