"""A small sound subject on nothing but Python's own library, and ways to misbehave: subject.py [WAY [MARK]].

It serves one request at a time on one connection, and knows neither breaker nor fallback. A WAY makes it break one rule.
MARK is only there to find its processes by.
"""

import json
import os
import socket
import subprocess
import sys
import time
from urllib.parse import urlsplit

WAY = sys.argv[1] if len(sys.argv) > 1 else "sound"
MARK = sys.argv[2] if len(sys.argv) > 2 else ""
OPERATIONS = ("create", "get", "update", "touch", "destroy", "ttl")


class Redis:
    """As much of a client as is needed."""

    def __init__(self, url):
        parts = urlsplit(url)
        self.address, self.stream = (parts.hostname, parts.port), None

    def call(self, *words):
        if self.stream is None:
            self.stream = socket.create_connection(self.address, timeout=0.5).makefile("rwb")
        parts = [word if isinstance(word, bytes) else str(word).encode() for word in words]
        self.stream.write(b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts))
        self.stream.flush()
        return self.reply()

    def reply(self):
        line = self.stream.readline()
        kind, rest = line[:1], line[1:].strip()
        if kind == b"$":
            return None if rest == b"-1" else self.stream.read(int(rest) + 2)[:-2]
        if kind == b":":
            return int(rest)
        if kind == b"+":
            return rest.decode()
        raise OSError(line.decode() or "the connection ended")


def say(message):
    print(json.dumps(message), flush=True)


def refusal(code, definite, text=""):
    return {"error": {"code": code, "definite": definite, "text": text}}


def serve(redis, ask):
    """The answer to a request, without its id."""
    op = ask["op"]
    if op == "tell" and ask["of"] == "settings":
        return {"ok": {"text": json.dumps(settings, indent=2)}}
    if op == "read_many":
        return {"ok": {"sessions": [serve(redis, {"op": "get", "session": session}) for session in ask["sessions"]]}}
    if op not in OPERATIONS:
        return refusal("invalid", True, f"unknown operation {op}")
    key = "session:" + ask["session"]
    value = json.dumps(ask.get("value")).encode()
    try:
        if op == "create":
            redis.call("SET", key, value, "PX", ask["ttl_ms"])
        elif op == "get":
            found = redis.call("GET", key)
            return {"ok": {"value": json.loads(found) if found is not None else None, "served_by": "redis"}}
        elif op == "ttl":
            left = redis.call("PTTL", key)
            return {"ok": {"ttl_ms": left if left >= 0 else None}}
        elif op == "destroy":
            redis.call("DEL", key)
        elif op == "update" and redis.call("SET", key, value, "XX", "KEEPTTL") is None:
            return refusal("no-session", True)
        elif op == "touch" and redis.call("PEXPIRE", key, ask["ttl_ms"]) == 0:
            return refusal("no-session", True)
    except OSError as error:
        redis.stream = None
        return refusal("reset", False, str(error))
    return {"ok": {"served_by": "redis"}}


def for_ever(what):
    while True:
        what()


def misbehave(ask, answer):
    """Breaks the rule that WAY names, if its time has come; the answer may be changed by it."""
    if WAY == "no-json":
        print("Connecting to Redis...", flush=True)
    elif WAY == "unknown-id":
        say({"id": 4_000_000, "ok": {}})
    elif WAY == "twice":
        say({"id": ask["id"], **answer})
    elif WAY == "exits":
        print("Traceback: out of luck", file=sys.stderr, flush=True)
        os._exit(7)
    elif WAY == "endless-line":
        for_ever(lambda: sys.stdout.write("x" * 65536))
    elif WAY == "events-for-ever":
        for_ever(lambda: say({"event": "mode", "to": "redis"}))
    elif WAY == "closes-stdout":
        os.close(1)
        for_ever(lambda: time.sleep(60))
    elif WAY == "closes-stdin":
        os.close(0)
        for_ever(lambda: time.sleep(60))
    elif WAY == "reads-no-more":
        for_ever(lambda: time.sleep(60))
    elif WAY == "stderr-for-ever":
        for number in range(100_000):
            print("line", number, "\x1b[31m", file=sys.stderr)
        os._exit(1)
    elif WAY == "wrong-answer":
        answer = {"ok": {"served_by": "memory"}}
    elif WAY == "tells-no-text" and ask["op"] == "tell":
        answer = {"ok": {}}
    elif WAY == "reads-in-another-order" and ask["op"] == "read_many":
        answer["ok"]["sessions"].reverse()
    elif WAY == "resets-ttl" and ask["op"] == "update":
        redis.call("PEXPIRE", "session:" + ask["session"], 5_000)
    elif WAY == "knows-all" and "error" in answer:
        answer = {"ok": {"served_by": "redis"}}
    return answer


def greet(ask):
    """The answer to init; how a subject misbehaves at the start."""
    if WAY == "hangs-on-init":
        for_ever(lambda: time.sleep(60))
    if WAY == "exits-on-init":
        sys.exit("no module named redis")
    if "ca" in ask:
        return {"error": {"code": "unsupported", "definite": True, "text": "this subject has no TLS"}}
    if WAY == "refuses-init":
        return refusal("invalid", True, "no such profile")
    if WAY == "has-a-child":
        subprocess.Popen(["sh", "-c", "sleep 600; true", "child", MARK])
    hello = {"name": "small 1", "key": "session:{session}", "can": ["ttl", "settings", "read_many"]}
    if WAY == "misspells":
        hello["can"] = ["braker"]
    if WAY == "wrong-key":
        hello["key"] = "sessions:{session}"
    if WAY == "no-key":
        hello["key"] = "session"
    return {"ok": hello}


redis, settings = None, None
if WAY == "prepares":
    say({"event": "preparing"})
    time.sleep(2.5)
    say({"event": "ready"})
for line in sys.stdin:
    ask = json.loads(line)
    if ask["op"] == "init":
        redis, settings = Redis(ask["redis"]), ask["settings"]
        say({"id": ask["id"], **greet(ask)})
    elif ask["op"] == "shutdown":
        if WAY != "ignores-shutdown":
            break
    elif WAY == "hangs-when-asked" and ask["op"] == "tell":
        pass
    elif WAY != "answers-no-more":
        say({"id": ask["id"], **misbehave(ask, serve(redis, ask))})
if WAY == "ignores-shutdown":
    for_ever(lambda: time.sleep(60))
