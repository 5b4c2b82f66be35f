#!/usr/bin/env python3
"""Asks a Keyrack sidecar before a call to Mews, and tells it what Mews answered.

    ask.py INTEGRATION          one call to Mews, with everything around it
    ask.py --changes N [AFTER]  the next N changes, after a position
"""
import http.client
import json
import os
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

API = os.environ.get("KEYRACK_API", "http://127.0.0.1:8081").rstrip("/")
KEY = os.environ.get("KEYRACK_API_KEY", "")
PATIENCE = 5  # seconds for an answer: the sidecar gives it from memory
SILENCE = 45  # seconds: a stream has a heartbeat every 15

# No proxy of the environment's between the program and its sidecar.
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Refused(Exception):
    """The sidecar answered, and with something else than a 200."""

    def __init__(self, status, code, detail):
        super().__init__(f"{status} {code}: {detail}")
        self.status, self.code = status, code


def ask(method, path, body=None, timeout=PATIENCE, **headers):
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    if KEY:
        headers["Authorization"] = "Bearer " + KEY
    request = urllib.request.Request(API + path, data=body, headers=headers, method=method)
    try:
        return opener.open(request, timeout=timeout)
    except urllib.error.HTTPError as answer:
        with answer:
            try:
                problem = json.load(answer)
            except ValueError:
                problem = {}
        raise Refused(answer.code, problem.get("error", ""), problem.get("detail", "")) from None


def introspect(token):
    """Is this token still valid? Only where "active" is true."""
    form = urllib.parse.urlencode({"token": token}).encode()
    with ask("POST", "/v1/introspect", form, Content_Type="application/x-www-form-urlencoded") as answer:
        return json.load(answer)


def token_of(integration):
    """The integration's current token, with the verdict on it."""
    path = "/v1/integrations/" + urllib.parse.quote(integration, safe="") + "/token"
    with ask("POST", path, b"") as answer:
        return json.load(answer)


def report(token, status, operation, elapsed):
    """Tells what Mews answered to a call that began so many seconds ago, and returns the verdict."""
    seen = {"token": token, "status": status, "operation": operation, "elapsed_ms": round(1000 * elapsed)}
    body = json.dumps(seen).encode()
    with ask("POST", "/v1/report", body, Content_Type="application/json") as answer:
        return json.load(answer)


def changes(after=None):
    """What happens, without end. After a break it goes on where it stood."""
    pause = 1
    while True:
        headers = {} if after is None else {"Last_Event_ID": str(after)}
        try:
            with ask("GET", "/v1/changes", timeout=SILENCE, **headers) as stream:
                event, data, position = "", "", after
                for line in stream:
                    field, _, value = line.decode().rstrip("\r\n").partition(":")
                    value = value[1:] if value.startswith(" ") else value
                    if field == "id":
                        position = value
                    elif field == "event":
                        event = value
                    elif field == "data":
                        data += value
                    elif field == "" and value == "":  # the end of an event
                        if event == "problem":
                            problem = json.loads(data)
                            raise Refused(problem["status"], problem["error"], problem["detail"])
                        if event == "change":
                            yield json.loads(data)
                            pause = 1
                        event, data, after = "", "", position
        except Refused as refusal:
            if refusal.status < 500 and refusal.status != 429:
                raise  # 410: read the list of integrations, and follow from now on
        except (OSError, http.client.HTTPException):
            pass  # the connection was lost
        time.sleep(pause)
        pause = min(2 * pause, 30)


OPERATION = "configuration/get"


def call_mews(token):
    """Any call to Mews. Returns the status of the answer."""
    body = {"ClientToken": os.environ["MEWS_CLIENT_TOKEN"], "AccessToken": token, "Client": "Guide 1.0"}
    request = urllib.request.Request(
        os.environ["MEWS_URL"] + "/api/connector/v1/" + OPERATION,
        data=json.dumps(body).encode(), headers={"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status
    except urllib.error.HTTPError as answer:
        return answer.code


def say(what, verdict):
    print(f"{what}: {verdict['status']}, {verdict['reason']}", flush=True)


def one_call(integration):
    try:
        current = token_of(integration)
    except Refused as refusal:
        if refusal.status not in (404, 409):
            raise
        print("do not call:", refusal, flush=True)
        return 3
    say("its token", current)
    say("the same, asked by the token", introspect(current["token"]))
    if not current["active"]:
        return 3
    if "MEWS_URL" not in os.environ:
        print("MEWS_URL is not set, so Mews is not called", flush=True)
        return 0
    began = time.monotonic()  # which nobody sets, as they do the time of day
    status = call_mews(current["token"])
    print("Mews answered", status, flush=True)
    if status in (200, 401):
        say("afterwards", report(current["token"], status, OPERATION, time.monotonic() - began))
    return 0


def main(arguments):
    if arguments[:1] != ["--changes"]:
        return one_call(arguments[0])
    left = int(arguments[1])
    for change in changes(*arguments[2:3]):
        what = change.get("action") or change["kind"]
        print(change["position"], what, change["was"], "->", change["is"], flush=True)
        left -= 1
        if left == 0:
            return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (Refused, OSError, http.client.HTTPException) as failure:
        sys.exit(f"the sidecar cannot say: {failure}")
