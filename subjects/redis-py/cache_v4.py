"""The cache manager "cache-v4" on redis-py, as a subject of Squall: what it promises, with its own figures, and no more.

It speaks the protocol of docs/protocol.md. README.md, beside this file, says what was taken from where.
"""

import asyncio
import json
import os
import re
import socket
import sys
import time

import redis
import redis.asyncio
from redis import exceptions
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

# The origin's figures, under the names of its environment variables.
CONNECT_TIMEOUT = int(os.environ.get("CACHE_SOCKET_CONNECT_TIMEOUT_MS", 2000)) / 1000
OPERATION_TIMEOUT = int(os.environ.get("CACHE_SOCKET_TIMEOUT_MS", 2000)) / 1000
HEALTH_CHECK_INTERVAL = int(os.environ.get("CACHE_HEALTH_CHECK_INTERVAL", 30))
MAX_CONNECTIONS = int(os.environ.get("CACHE_MAX_CONNECTIONS", 20))
MAX_RETRIES = int(os.environ.get("CACHE_MAX_RETRIES", 2))
RETRY_DELAY = float(os.environ.get("CACHE_RETRY_DELAY", 0.1))
KEEPALIVE = {"TCP_KEEPIDLE": 60, "TCP_KEEPINTVL": 30, "TCP_KEEPCNT": 3}

# What the scenario's [client] table cannot set here. The rest, which the origin leaves open, is taken from it.
IGNORED = [
    "connect_timeout", "operation_timeout", "deadline", "ping_after_idle", "drop_after_timeouts", "slow_call", "fallback", "protocol",
    "pool", "keepalive", "breaker.enabled", "breaker.failure_rate", "breaker.window", "breaker.min_calls",
    "breaker.cool_down_max", "breaker.jitter", "breaker.probes", "breaker.probe_lease", "retry", "resync", "local",
]  # fmt: skip

# Errors that may pass. A wrong password is a ConnectionError to redis-py; it does not pass.
TRANSIENT = (exceptions.ConnectionError, exceptions.TimeoutError, OSError, asyncio.TimeoutError)
PERMANENT = (exceptions.AuthenticationError, exceptions.AuthorizationError)

LONGEST_LINE = 16 * 1024 * 1024


def say(message):
    sys.stdout.write(json.dumps(message, separators=(",", ":")) + "\n")
    sys.stdout.flush()


def seconds(text):
    """A duration of the [client] table, such as "1m 30s"."""
    units = {"ms": 0.001, "s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600, "d": 86400, "us": 1e-6, "ns": 1e-9}
    parts = re.findall(r"(\d+)\s*([a-z]+)", text)
    return sum(int(number) * units[unit] for number, unit in parts)


class Refused(Exception):
    """An operation that is answered with an error."""

    def __init__(self, code, definite, text=""):
        super().__init__(text)
        self.answer = {"code": code, "definite": definite, "text": text}


class Away(Exception):
    """Redis was not asked, or did not answer. `asked` says that it may have done what it was asked all the same."""

    def __init__(self, asked):
        super().__init__()
        self.asked = asked


class Breaker:
    """Closed, open, half-open: opens after so many errors in a row, and lets one call through after its cool-down."""

    def __init__(self, threshold, cool_down):
        self.threshold, self.cool_down = threshold, cool_down
        self.state, self.errors, self.opened_at = "closed", 0, 0.0

    def lets_through(self):
        if self.state == "closed":
            return True
        if self.state == "open" and time.monotonic() - self.opened_at >= self.cool_down:
            self._enter("half-open")
            return True
        return False

    def succeeded(self):
        self.errors = 0
        if self.state == "half-open":
            self._enter("closed")

    def failed(self):
        self.errors += 1
        if self.state == "half-open" or (self.state == "closed" and self.errors >= self.threshold):
            self.opened_at = time.monotonic()
            self._enter("open")

    def _enter(self, state):
        say({"event": "breaker", "from": self.state, "to": state})
        self.state = state
        if state != "half-open":
            say({"event": "mode", "to": "redis" if state == "closed" else "local"})


class Memory:
    """The cache that takes over while Redis is gone. It holds only what was written in that time."""

    def __init__(self):
        self.entries = {}

    def get(self, key):
        text, expires = self.entries.get(key, (None, 0.0))
        if text is not None and expires <= time.monotonic():
            del self.entries[key]
            return None, 0.0
        return text, expires

    def set(self, key, text, ttl):
        self.entries[key] = (text, time.monotonic() + ttl)

    def delete(self, key):
        self.entries.pop(key, None)


class Cache:
    """The cache manager."""

    def __init__(self, url, settings, ca=None):
        self.prefix = settings["key_prefix"]
        breaker = settings["breaker"]
        self.breaker = Breaker(breaker["failures"], seconds(breaker["cool_down"]))
        self.memory = Memory()
        self.errors = 0
        self.redis = redis.asyncio.Redis.from_url(
            url,
            max_connections=MAX_CONNECTIONS,
            socket_connect_timeout=CONNECT_TIMEOUT,
            socket_timeout=OPERATION_TIMEOUT,
            health_check_interval=HEALTH_CHECK_INTERVAL,
            socket_keepalive=True,
            socket_keepalive_options={getattr(socket, name): n for name, n in KEEPALIVE.items() if hasattr(socket, name)},
            # The origin retries reads only, and does it itself.
            retry=Retry(NoBackoff(), 0),
            # Where the address is rediss://: whom to trust.
            **({"ssl_ca_certs": ca} if ca else {}),
        )

    async def read(self, name, *words):
        """Asks Redis, and again when an error may pass, waiting twice as long each time."""
        for attempt in range(MAX_RETRIES + 1):
            try:
                return await self.write(name, *words)
            except Away as away:
                if not away.asked or attempt == MAX_RETRIES:
                    raise
            await asyncio.sleep(RETRY_DELAY * 2**attempt)

    async def write(self, name, *words):
        """Asks Redis once. An error in half-open or one too many opens the breaker."""
        if not self.breaker.lets_through():
            raise Away(asked=False)
        try:
            reply = await self.redis.execute_command(name, *words)
        except PERMANENT as error:
            self.breaker.succeeded()
            raise Refused("invalid", True, str(error)) from error
        except TRANSIENT as error:
            self.breaker.failed()
            self.log(name, error)
            raise Away(asked=True) from error
        except exceptions.ResponseError as error:
            # Redis is there: it answered.
            self.breaker.succeeded()
            raise Refused("invalid", True, str(error)) from error
        except BaseException:
            # Nobody knows how a call that was given up would have ended; a probe must not stay out for ever.
            self.breaker.failed()
            raise
        self.breaker.succeeded()
        return reply

    def log(self, operation, error):
        self.errors += 1
        cause = error.__cause__ or error
        kind = "connection_reset_peer" if isinstance(cause, ConnectionResetError) else type(error).__name__
        line = {
            "operation": operation,
            "error_type": kind,
            "error_message": str(error),
            "error_count": self.errors,
            "circuit_breaker_state": self.breaker.state,
        }
        print(json.dumps(line), file=sys.stderr, flush=True)

    async def create(self, key, ask):
        text, ttl_ms = json.dumps(ask["value"]), ask["ttl_ms"]
        try:
            await self.write("SET", key, text, "PX", ttl_ms)
        except Away:
            self.memory.set(key, text, ttl_ms / 1000)
            return {"served_by": "local"}
        return {"served_by": "redis"}

    async def get(self, key, _ask):
        try:
            text, served_by = await self.read("GET", key), "redis"
        except Away:
            # What memory does not have is a cache miss, as the origin's callers see it.
            text, served_by = self.memory.get(key)[0], "local"
        return {"value": None if text is None else json.loads(text), "served_by": served_by}

    async def update(self, key, ask):
        text = json.dumps(ask["value"])
        try:
            known, served_by = await self.write("SET", key, text, "XX", "KEEPTTL"), "redis"
            definite = True
        except Away as away:
            (known, expires), served_by, definite = self.memory.get(key), "local", not away.asked
            if known is not None:
                self.memory.entries[key] = (text, expires)
        if known is None:
            raise Refused("no-session", definite)
        return {"served_by": served_by}

    async def touch(self, key, ask):
        ttl_ms = ask["ttl_ms"]
        try:
            known, served_by, definite = await self.write("PEXPIRE", key, ttl_ms), "redis", True
        except Away as away:
            (known, _), served_by, definite = self.memory.get(key), "local", not away.asked
            if known is not None:
                self.memory.set(key, known, ttl_ms / 1000)
        if not known:
            raise Refused("no-session", definite)
        return {"served_by": served_by}

    async def destroy(self, key, _ask):
        try:
            await self.write("DEL", key)
        except Away:
            self.memory.delete(key)
            return {"served_by": "local"}
        return {"served_by": "redis"}

    async def ttl(self, key, _ask):
        try:
            left, served_by = await self.read("PTTL", key), "redis"
        except Away:
            (known, expires), served_by = self.memory.get(key), "local"
            left = -2 if known is None else int((expires - time.monotonic()) * 1000)
        return {"ttl_ms": None if left == -2 else max(left, 0), "served_by": served_by}


OPERATIONS = {
    "create": Cache.create,
    "get": Cache.get,
    "update": Cache.update,
    "touch": Cache.touch,
    "destroy": Cache.destroy,
    "ttl": Cache.ttl,
}


async def answer(cache, ask):
    """Carries out a request and says what became of it."""
    try:
        operation = OPERATIONS.get(ask["op"])
        if operation is None:
            raise Refused("invalid", True, f"unknown operation {ask['op']}")
        say({"id": ask["id"], "ok": await operation(cache, cache.prefix + ask["session"], ask)})
    except Refused as refused:
        say({"id": ask["id"], "error": refused.answer})
    except Exception as error:  # noqa: BLE001  A bug of ours must not leave a request without an answer.
        say({"id": ask["id"], "error": {"code": "internal", "definite": False, "text": repr(error)}})


async def serve():
    """Takes requests until shutdown or the end of stdin."""
    stdin = asyncio.StreamReader(limit=LONGEST_LINE)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stdin), sys.stdin)
    say({"event": "ready"})
    cache, running = None, set()
    while line := await stdin.readline():
        ask = json.loads(line)
        if ask["op"] == "init":
            cache = Cache(ask["redis"], ask["settings"], ask.get("ca"))
            hello = {"name": f"redis-py {redis.__version__} as cache-v4", "key": cache.prefix + "{session}"}
            say({"id": ask["id"], "ok": {**hello, "can": ["fallback", "breaker", "ttl"], "ignored": IGNORED}})
        elif ask["op"] == "shutdown":
            break
        else:
            task = asyncio.create_task(answer(cache, ask))
            running.add(task)
            task.add_done_callback(running.discard)


def main():
    asyncio.run(serve())
