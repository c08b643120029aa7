"""Times on the pages that other packages bring, written as on our own."""

DATE_FORMAT = "d M Y"
DATETIME_FORMAT = "d M Y H:i:s"
TIME_FORMAT = "H:i:s"
