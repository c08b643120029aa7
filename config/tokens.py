"""Bearer tokens of the management API."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed, Throttled
from rest_framework.request import Request

from config.models import ApiToken, token_hash
from config.roles import allows
from deliveries import limits


class TokenUser:
    """Whoever calls with a token: answers the permission question as a person does."""

    is_authenticated = True
    is_active = True
    is_anonymous = False

    def __init__(self, token: ApiToken) -> None:
        self.token = token
        self.role = token.role
        self.pk = None

    def __str__(self) -> str:
        return f"API token “{self.token.name}”"

    def has_perm(self, permission: str, obj: object = None) -> bool:
        return allows(self.role, permission)


class ApiTokenAuthentication(BaseAuthentication):
    def authenticate(self, request: Request) -> tuple[TokenUser, ApiToken] | None:
        scheme, _, token = get_authorization_header(request).decode("latin-1").partition(" ")
        if scheme.lower() != "bearer":
            return None
        row = ApiToken.objects.filter(digest=token_hash(token.strip()), revoked_at__isnull=True).first()
        if row is None:
            if wait := limits.refused(str(request.META.get("REMOTE_ADDR", ""))):
                raise Throttled(wait, "Too many calls without a valid token from this address.")
            raise AuthenticationFailed("This API token is not known or was revoked.")
        now = timezone.now()
        if row.last_used_at is None or now - row.last_used_at > timedelta(minutes=1):
            ApiToken.objects.filter(pk=row.pk).update(last_used_at=now)
        return TokenUser(row), row

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="api"'
