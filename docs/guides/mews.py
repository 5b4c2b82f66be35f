#!/usr/bin/env python3
"""Tries a receiver of Mews's webhooks: a hotel connects, is disabled and enabled, and
cancels, while webhooks change places and the Connector API is down."""
import json
import os
import urllib.parse
import urllib.request

MEWS = os.environ.get("MEWS", "http://127.0.0.1:8082")  # keyrack mews
API = os.environ.get("KEYRACK_API", "http://127.0.0.1:8081")  # keyrack serve

# No proxy of the environment's between the program and this machine.
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def control(path, **body):
    request = urllib.request.Request(
        f"{MEWS}/control/{path}", json.dumps(body).encode(), {"Content-Type": "application/json"})
    with opener.open(request, timeout=10) as answer:
        return json.load(answer)


def active(token):
    """What the receiver says about a token. Yours would be asked in its own way."""
    form = urllib.parse.urlencode({"token": token}).encode()
    with opener.open(f"{API}/v1/introspect", form, timeout=10) as answer:
        return json.load(answer)["active"]


def expect(what, got, want):
    if got != want:
        raise SystemExit(f"{what}: {got}, want {want}")
    print(f"{what}: {got}")


connected = control("integrations", hotel="Krone", service="Stay")
hotel, token = connected["integration"]["id"], connected["integration"]["token"]
expect("the receiver answers", connected["webhooks"][0]["status"], 204)

# Enabled overtakes Disabled. A hotel that began enabled was disabled first, so it is on.
control("webhooks/next", reorder=True)
control(f"integrations/{hotel}/disable")
sent = control(f"integrations/{hotel}/enable")["webhooks"]
expect("in this order", " ".join(w["action"] for w in sent), "IntegrationEnabled IntegrationDisabled")
expect("valid again", active(token), True)

# An outage of the Connector API says nothing about a token; a cancellation does.
control("connector", status=503)
control(f"integrations/{hotel}/cancel")
expect("canceled", active(token), False)
control("connector")
