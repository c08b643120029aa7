"""The block on the network itself, and the strictness of registered answers: both must be able to fail a test."""

from __future__ import annotations

import socket

import pytest
import requests
import responses

from tests import network


def test_a_connection_elsewhere_raises_and_is_remembered(expects_connections: None) -> None:
    with network.blocked() as tried, socket.socket() as sock, pytest.raises(network.UnexpectedConnection):
        sock.connect(("192.0.2.1", 80))
    assert tried == ["192.0.2.1:80"]


def test_looking_up_a_name_raises(expects_connections: None) -> None:
    with network.blocked() as tried, pytest.raises(network.UnexpectedConnection):
        socket.getaddrinfo("api.segment.io", 443)
    assert tried == ["the name api.segment.io"]


def test_loopback_is_free() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        assert client.getpeername() == server.getsockname()


def test_an_unregistered_request_is_told_from_an_outage() -> None:
    mock = network.StrictResponses()
    mock.assert_all_requests_are_fired = False
    with mock, pytest.raises(requests.ConnectionError):
        requests.get("https://example.com/")
    assert mock.unexpected == ["GET https://example.com/: not registered"]
    assert isinstance(mock, responses.RequestsMock)
