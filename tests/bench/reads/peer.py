# SPDX-License-Identifier: ISC
"""The peer: what a user would write instead, FastAPI on the same LMDB store.

It gives the same members of a task and the same events, which are JSON already,
with an ETag; it looks the token up in a dictionary.
"""
import datetime
import hashlib
import json
import os
import struct
import uuid

import lmdb
from fastapi import FastAPI, Header, HTTPException, Response

store = lmdb.open(os.environ["AGENT_STORE"], readonly=True, lock=False,
                  max_dbs=16)
tasks = store.open_db(b"tasks", create=False)
journal = store.open_db(b"journal", create=False)
by_user = store.open_db(b"by_user", create=False)
users = {}
with open(os.environ["AGENT_TOKENS_FILE"], encoding="utf-8") as file:
    for line in file:
        word = line.rstrip("\n").split(" ", 4)
        users[word[1]] = word[4]
app = FastAPI()
FIXED = struct.Struct(">BBB5Q16s9Q")
STATES = ("queued", "running", "waiting", "completed", "blocked", "failed",
          "cancelled")


def time_of(ms):
    at = datetime.datetime.fromtimestamp(ms / 1000, datetime.timezone.utc)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def unpack(name, row):
    (_, state, priority, created, updated, _, seq, _, _, _, turns, calls,
     unknown, read, written, cache_read, cache_written,
     nano) = FIXED.unpack_from(row)
    texts, at = [], FIXED.size
    for _ in range(5):
        end = at + 1 + row[at]
        texts.append(row[at + 1:end].decode())
        at = end
    user, queue, _, _, title = texts
    return {"id": str(uuid.UUID(bytes=name)), "state": STATES[state],
            "user": user, "queue": queue, "priority": priority,
            "title": title, "created_at": time_of(created),
            "updated_at": time_of(updated), "seq": seq, "turns": turns,
            "calls": calls, "calls_unknown": unknown, "input_tokens": read,
            "output_tokens": written, "cache_read_tokens": cache_read,
            "cache_write_tokens": cache_written, "cost_usd": nano / 1e9}


def answer(value):
    body = json.dumps(value, separators=(",", ":")).encode()
    tag = hashlib.sha256(body).hexdigest()
    return Response(body, media_type="application/json",
                    headers={"ETag": f'"{tag}"'})


def caller(authorization):
    secret = authorization.rpartition("_")[2]
    user = users.get(hashlib.sha256(secret.encode()).hexdigest())
    if user is None:
        raise HTTPException(401)
    return user


def events(transaction, key):
    with transaction.cursor(journal) as cursor:
        if not cursor.set_range(key):
            return
        for found, value in cursor:
            if not found.startswith(key):
                return
            yield bytes(value)


@app.get("/v1/tasks/{name}")
async def task(name: uuid.UUID, authorization: str = Header("")):
    caller(authorization)
    with store.begin() as transaction:
        row = transaction.get(name.bytes, db=tasks)
        if row is None:
            raise HTTPException(404)
        first = next(events(transaction, name.bytes))
    return answer(unpack(name.bytes, row) |
                  {"task": json.loads(first)["task"]})


@app.get("/v1/tasks/{name}/events")
async def journal_of(name: uuid.UUID, after: int = 0,
                     authorization: str = Header("")):
    caller(authorization)
    with store.begin() as transaction:
        if transaction.get(name.bytes, db=tasks) is None:
            raise HTTPException(404)
        found = list(events(transaction, name.bytes))[after:]
    return Response(b'{"events":[%s]}' % b",".join(found),
                    media_type="application/json")


@app.get("/v1/tasks")
async def newest(limit: int = 50, authorization: str = Header("")):
    user = caller(authorization).encode() + b"\0"
    rows = []
    with store.begin() as transaction, transaction.cursor(by_user) as cursor:
        # the index is by state too; queued ones are the first
        if cursor.set_range(user + b"\1"):
            more = cursor.prev()
        else:
            more = cursor.last()
        while more and len(rows) < limit and cursor.key().startswith(user):
            name = cursor.key()[-16:]
            rows.append(unpack(name, transaction.get(name, db=tasks)))
            more = cursor.prev()
    return answer({"tasks": rows})
