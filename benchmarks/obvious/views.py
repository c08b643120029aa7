"""The obvious ingest view: a serializer, an authentication class, two creates in a transaction."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from django.db import transaction
from rest_framework import serializers
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from benchmarks.obvious.models import Delivery, Event, Source


class WriteKeyAuthentication(BaseAuthentication):
    def authenticate(self, request: Request) -> tuple[Any, Source] | None:
        scheme, _, value = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "basic":
            return None
        try:
            key = base64.b64decode(value).decode().partition(":")[0]
            return None, Source.objects.get(key=key)
        except (binascii.Error, UnicodeDecodeError, Source.DoesNotExist):
            raise AuthenticationFailed("Unknown write key") from None

    def authenticate_header(self, request: Request) -> str:
        return "Basic"


class EventSerializer(serializers.Serializer[Any]):
    messageId = serializers.CharField(max_length=255)
    type = serializers.ChoiceField(["track", "identify", "page", "screen", "group", "alias"], default="track")
    event = serializers.CharField(max_length=255)
    userId = serializers.CharField(max_length=255, required=False)
    anonymousId = serializers.CharField(max_length=255, required=False)
    timestamp = serializers.DateTimeField(required=False)
    properties = serializers.DictField(required=False)
    context = serializers.DictField(required=False)
    integrations = serializers.DictField(required=False)


class TrackView(APIView):
    authentication_classes = (WriteKeyAuthentication,)
    permission_classes = (AllowAny,)

    def post(self, request: Request) -> Response:
        serializer = EventSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        data = serializer.validated_data
        source = request.auth
        if source is None:
            raise AuthenticationFailed("No write key")
        with transaction.atomic():
            event = Event.objects.create(
                source=source,
                message_id=data["messageId"],
                type="track",
                name=data["event"],
                user_id=data.get("userId", ""),
                body=request.data,
            )
            for connector in source.connectors.filter(active=True):
                Delivery.objects.create(event=event, connector=connector)
        return Response({"success": True})
