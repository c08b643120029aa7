"""What `startproject` writes, with the two applications added."""

from __future__ import annotations

import os
from pathlib import Path

import environ

env = environ.Env()
SECRET_KEY = "made-up"
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1"]
DATA_DIR = Path(env.str("DATA_DIR", default="/nonexistent"))
DATABASES = {"default": env.db_url("DATABASE_URL", default=f"sqlite:///{DATA_DIR / 'signalbox.sqlite3'}")}
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL;PRAGMA synchronous=NORMAL;",
    }
else:
    DATABASES["default"]["OPTIONS"] = {"options": "-c search_path=obvious"}
DATABASES["default"]["CONN_MAX_AGE"] = 60

Q_CLUSTER = {"name": "obvious", "workers": os.cpu_count() or 2, "timeout": 60, "retry": 120}
if redis := env.str("REDIS_URL", default=""):
    Q_CLUSTER["redis"] = redis
else:
    Q_CLUSTER["orm"] = "default"

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "django_q",
    "benchmarks.obvious",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "benchmarks.obvious.urls"
WSGI_APPLICATION = "benchmarks.obvious.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
