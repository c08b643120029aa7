"""People, their API tokens and the one-time set-up link."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta
from typing import Any, ClassVar

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager
from django.db import models
from django.utils import timezone

from config.devices import Authenticator as Authenticator  # models of this app: Django looks for them here
from config.devices import RecoveryCodes as RecoveryCodes
from config.roles import Role

SETUP_LINK_LIFE = timedelta(hours=24)


def token_hash(text: str) -> str:
    """Of a generated token with 256 random bits: nothing slower is needed."""
    return hashlib.sha256(text.encode()).hexdigest()


class UserManager(BaseUserManager["User"]):
    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        if not email:
            raise ValueError("A person needs an e-mail address.")
        user = self.model(email=self.normalize_email(email).lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> User:
        return self.create_user(email, password, role=Role.OWNER, **fields)

    def get_by_natural_key(self, username: str | None) -> User:
        return self.get(email=(username or "").strip().lower())


class User(AbstractBaseUser):  # type: ignore[django-manager-missing]  # django-otp's managers have no types
    """A person who may sign in to the console."""

    email = models.EmailField("e-mail", unique=True)
    name = models.CharField(max_length=150)
    role = models.CharField(max_length=10, choices=Role, default=Role.VIEWER)
    is_active = models.BooleanField("may sign in", default=True)
    date_joined = models.DateTimeField(default=timezone.now, editable=False)

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = ["name"]
    objects = UserManager()

    class Meta:
        verbose_name = "person"
        verbose_name_plural = "people"
        constraints = [models.CheckConstraint(condition=models.Q(role__in=Role.values), name="user_role_known")]

    def __str__(self) -> str:
        return self.name or self.email

    @property
    def is_staff(self) -> bool:
        return self.is_active

    @property
    def is_superuser(self) -> bool:
        """Roles decide everything; nobody bypasses them."""
        return False

    def get_full_name(self) -> str:
        return self.name

    def get_short_name(self) -> str:
        return self.name.split()[0] if self.name else self.email

    def has_perm(self, perm: str, obj: Any = None) -> bool:
        from django.contrib.auth import get_backends

        return any(backend.has_perm(self, perm, obj) for backend in get_backends() if hasattr(backend, "has_perm"))

    def has_perms(self, perm_list: list[str], obj: Any = None) -> bool:
        return all(self.has_perm(perm, obj) for perm in perm_list)

    def has_module_perms(self, app_label: str) -> bool:
        from django.contrib.auth import get_backends

        return any(
            backend.has_module_perms(self, app_label)
            for backend in get_backends()
            if hasattr(backend, "has_module_perms")
        )


class ApiToken(models.Model):
    """A token for the management API. Only its hash is stored."""

    name = models.CharField(max_length=100)
    role = models.CharField(max_length=10, choices=Role, default=Role.VIEWER)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    hint = models.CharField(max_length=4, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.CharField(max_length=150, blank=True, editable=False)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        verbose_name = "API token"
        constraints = [models.CheckConstraint(condition=models.Q(role__in=Role.values), name="token_role_known")]

    def __str__(self) -> str:
        return f"{self.name} ••••{self.hint}"

    @classmethod
    def issue(cls, name: str, role: str, created_by: str = "") -> tuple[ApiToken, str]:
        """The row and the token itself, which can't be read again."""
        token = f"sbx_{secrets.token_urlsafe(32)}"
        row = cls.objects.create(name=name, role=role, digest=token_hash(token), hint=token[-4:], created_by=created_by)
        return row, token


class HouseRules(models.Model):
    """One row: what the owners ask of everybody who signs in here."""

    two_step = models.BooleanField("two-step login", default=False)

    class Meta:
        verbose_name_plural = "house rules"
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="house_rules_single_row")]

    def __str__(self) -> str:
        return "The rules for everybody"

    @classmethod
    def ask_two_step(cls) -> bool:
        return cls.objects.filter(id=1, two_step=True).exists()

    @classmethod
    def set_two_step(cls, on: bool) -> bool:
        """Returns whether that was a change."""
        row, _ = cls.objects.get_or_create(id=1)
        return bool(cls.objects.filter(pk=row.pk, two_step=not on).update(two_step=on))


class SetupLink(models.Model):
    """A one-time link with which the first person makes their account. Only its hash is stored."""

    digest = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField(default=timezone.now)
    used_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"Set-up link of {self.created_at:%d %b %Y %H:%M}"

    @classmethod
    def issue(cls) -> str:
        """A new link's secret part; earlier unused links stop working."""
        cls.objects.filter(used_at__isnull=True).delete()
        token = secrets.token_urlsafe(24)
        cls.objects.create(digest=token_hash(token))
        return token

    @classmethod
    def find(cls, token: str) -> SetupLink | None:
        """The usable link for ``token``: unused, at most 24 hours old."""
        oldest = timezone.now() - SETUP_LINK_LIFE
        return cls.objects.filter(digest=token_hash(token), used_at__isnull=True, created_at__gte=oldest).first()
