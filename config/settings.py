"""One settings file for every installation, driven by the environment: see the table in README.md."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from csp.constants import NONE, SELF

from config.firstrun import Env, ensure_secrets

BASE_DIR = Path(__file__).resolve().parent.parent

# --- Where things are -------------------------------------------------------------------------------------------------

env = Env()
DATA_DIR = Path(env.str("DATA_DIR", default="data")).expanduser()
if not DATA_DIR.is_absolute():
    DATA_DIR = BASE_DIR / DATA_DIR
ensure_secrets(DATA_DIR)
env.read_env(DATA_DIR / ".env", overwrite=False)

SECRET_KEY = env.str("SECRET_KEY")
SECRETS_KEYS = env.list("SECRETS_KEYS")  # Fernet keys, newest first
DEBUG = False
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
ROLE = env.str("SIGNALBOX_ROLE", default="command")  # web, worker or command: set by `serve` for its children

# --- Database ---------------------------------------------------------------------------------------------------------

DATABASES = {"default": env.db_url("DATABASE_URL", default=f"sqlite:///{DATA_DIR / 'signalbox.sqlite3'}")}
SQLITE = DATABASES["default"]["ENGINE"].endswith("sqlite3")
if SQLITE:
    DATABASES["default"]["OPTIONS"] = {
        # IMMEDIATE and a busy timeout: writers queue instead of failing with "database is locked".
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        # Auto-checkpoints would run inside somebody's commit; the drains checkpoint (deliveries.engine.writing).
        "init_command": (
            "PRAGMA journal_mode=WAL;PRAGMA synchronous=NORMAL;PRAGMA wal_autocheckpoint=32000;"
            "PRAGMA mmap_size=268435456;PRAGMA cache_size=-65536;"
        ),
    }
    DATABASES["default"]["CONN_MAX_AGE"] = None
else:
    # A server that vanishes (a network that breaks, a machine that is taken over) closes nothing: whoever waits for its
    # answer would, by the system's own times, wait for hours. The address may say otherwise, as of sslmode.
    quick: dict[str, Any] = {
        "connect_timeout": 5,
        "tcp_user_timeout": 6000,
        "keepalives_idle": 5,
        "keepalives_interval": 2,
    }
    options = {**quick, **DATABASES["default"].get("OPTIONS", {})}
    if ROLE == "web":
        # While the database is away senders must hear "come again" before they give up waiting (10-15 s), and once it
        # is back the next request must find it: the pool's own times are 30 s and, after a long outage, minutes.
        options["pool"] = {"min_size": 1, "max_size": 8, "timeout": 2, "reconnect_timeout": 2}
    DATABASES["default"]["OPTIONS"] = options
    DATABASES["default"]["CONN_MAX_AGE"] = 0 if ROLE == "web" else None
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = env.str("REDIS_URL", default="")
if REDIS_URL:
    CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL}}
else:
    CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
# What all web processes count together (deliveries.limits). With SQLite there is only one.
ALONE = SQLITE
CACHES["shared"] = CACHES["default"]
if not ALONE and not REDIS_URL:
    CACHES["shared"] = {"BACKEND": "django.core.cache.backends.db.DatabaseCache", "LOCATION": "signalbox_cache"}

# --- Traffic ----------------------------------------------------------------------------------------------------------

ALLOWED_PRIVATE_NETWORKS = [text.strip() for text in env.list("ALLOWED_PRIVATE_NETWORKS", default=[])]
RETENTION_DAYS = env.int("RETENTION_DAYS", default=30)
HOLD_DAYS = env.int("HOLD_DAYS", default=7)
# SQLite wants one writing web process. Elsewhere half of the processors: the workers want the other half, and the fewer
# processes take events in, the more events share a commit.
WEB_PROCESSES = 1 if SQLITE else env.int("WEB_PROCESSES", default=max(1, (os.cpu_count() or 2) // 2))
WORKERS = env.int("WORKERS", default=2)
# Calls a second, on average over ten seconds; 0 is no limit. Far above what one machine takes in.
RATE_LIMIT_PER_KEY = env.int("RATE_LIMIT_PER_KEY", default=10_000)
RATE_LIMIT_PER_ADDRESS = env.int("RATE_LIMIT_PER_ADDRESS", default=10_000)
RATE_LIMIT_REFUSED = env.int("RATE_LIMIT_REFUSED", default=100)
RATE_LIMIT_SIGN_IN = 2

# --- Mail, for alerts -------------------------------------------------------------------------------------------------

vars().update(env.email_url("EMAIL_URL", default="smtp://localhost:25"))
EMAIL_TIMEOUT = 10  # seconds
DEFAULT_FROM_EMAIL = env.str("EMAIL_FROM", default="Signalbox <signalbox@localhost>")

# --- Workers (django-q2) ----------------------------------------------------------------------------------------------
# django-q2 only runs drains; waiting, retrying and history are in our own rows. Hence no stored successes (its default
# costs 6-7 times), no retries of its own, and no more tasks taken than workers, since a task is locked when taken.

Q_CLUSTER = {
    "name": "signalbox",
    "workers": WORKERS,
    "queue_limit": WORKERS,
    "timeout": 120,
    "retry": 180,
    "max_attempts": 1,
    "ack_failures": True,
    "save_limit": -1,
    "catch_up": False,
    "poll": 0.2,
    "bulk": 1,
    "recycle": 500,
    "label": "Background jobs",
}
if REDIS_URL:
    Q_CLUSTER["redis"] = REDIS_URL
else:
    Q_CLUSTER["orm"] = "default"

# --- Application ------------------------------------------------------------------------------------------------------

INSTALLED_APPS = [
    "config.apps.ConfigConfig",
    "config.apps.ConsoleAdminConfig",
    "integrations.apps.IntegrationsConfig",
    "deliveries.apps.DeliveriesConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_q",
    "axes",
    "csp",
    "django_otp",
]
# The ingest routes and health checks run without these: config.asgi sends them to a handler of their own.
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "config.hygiene.without_nul",
    "config.zone.of_the_reader",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_otp.middleware.OTPMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",
    "config.not_allowed.told",
    "config.lost_secrets.told",
    "config.no_database.told",
]
ROOT_URLCONF = "config.urls"
ASGI_APPLICATION = "config.asgi.application"
WSGI_APPLICATION = "config.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]
APPEND_SLASH = True
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"
FORMAT_MODULE_PATH = "config.formats"

# --- People -----------------------------------------------------------------------------------------------------------

AUTH_USER_MODEL = "config.User"
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "config.backends.RoleBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
ADMIN_EMAIL = env.str("ADMIN_EMAIL", default="")
ADMIN_PASSWORD = env.str("ADMIN_PASSWORD", default="")
LOGIN_URL = "/login/"
LOGIN_REDIRECT_URL = "/"
AXES_FAILURE_LIMIT = 10
AXES_COOLOFF_TIME = 0.25  # hours
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_USERNAME_CALLABLE = "config.signin.typed_name"
AXES_ENABLE_ADMIN = False
AXES_LOCKOUT_TEMPLATE = "429.html"

# --- Security of the console ------------------------------------------------------------------------------------------

SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
HTTPS_ONLY = env.bool("HTTPS_ONLY", default=False)  # the first start is on http://127.0.0.1
SECURE_SSL_REDIRECT = SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS_ONLY
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS_ONLY else 0
# Whether other names below ours speak TLS as well is not for us to promise to browsers.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SECURE_CONTENT_TYPE_NOSNIFF = True
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "object-src": [NONE],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
        "form-action": [SELF],
        "img-src": [SELF, "data:"],
    }
}
CSRF_TRUSTED_ORIGINS = [f"https://{host.lstrip('.')}" for host in ALLOWED_HOSTS if host != "*"]

# --- Static files -----------------------------------------------------------------------------------------------------

STATIC_URL = "/static/"
STATIC_ROOT = DATA_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "templates" / "static"]
WHITENOISE_USE_FINDERS = True
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}

# --- APIs -------------------------------------------------------------------------------------------------------------

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["config.tokens.ApiTokenAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["deliveries.api.permissions.HasPermission"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "deliveries.api.errors.handle",
    "UNAUTHENTICATED_USER": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Signalbox",
    "DESCRIPTION": "Events in, deliveries out, and what happened to each.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "ENUM_NAME_OVERRIDES": {
        "DeliveryStatus": "deliveries.models.Status",
        "ConnectorStatus": "integrations.models.Connector.Status",
        "SourceStatus": "integrations.models.Source.Status",
    },
}

DEFAULT_EXCEPTION_REPORTER_FILTER = "config.reports.ReportFilter"

# --- Logging: to standard output, one line an entry -------------------------------------------------------------------

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname:7} {name}: {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": env.str("LOG_LEVEL", default="WARNING")},
    "filters": {"hide_keys": {"()": "config.reports.HideKeys"}},
    "loggers": {"signalbox": {"level": "INFO"}, "django.request": {"filters": ["hide_keys"]}},
}
