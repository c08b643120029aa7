"""The obvious alternative to Signalbox, to compare with: Django REST framework and django-q2 as in their manuals.

It stores an event and its delivery with the ORM, looks the key and the connectors up in the database for every request,
has Django's default middleware, and runs one django-q2 task per delivery with ``requests.post``. It is given what most
people would find out on their first day: on SQLite write-ahead logging and queueing writers, on PostgreSQL lasting
connections. It refuses, retries, limits and shows nothing, and its ingest is measured without queueing the task.
"""
