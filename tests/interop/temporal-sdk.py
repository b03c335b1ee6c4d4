# SPDX-License-Identifier: ISC
"""Uses tasks with Temporal's Python SDK: TEMPORAL is the server's address,
ID a task that was submitted. Prints TAP."""
import asyncio
import json
import os
import sys
import uuid

from temporalio import workflow
from temporalio.client import (Client, WorkflowFailureError,
                               WorkflowQueryFailedError)
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

GOAL = ("Go through the last three days of my mail, draft replies to anything "
        "urgent, create Linear tickets for the engineering ones.")
TASK = {"user": "ana", "goal": GOAL, "toolkits": ["gmail", "linear"],
        "tools": ["GMAIL_FETCH_EMAILS", "GMAIL_CREATE_EMAIL_DRAFT",
                  "GMAIL_LIST_DRAFTS", "LINEAR_LIST_LINEAR_TEAMS",
                  "LINEAR_LIST_LINEAR_ISSUES", "LINEAR_CREATE_LINEAR_ISSUE"]}
QUEUE = "agent-default"
count = failed = 0


def check(name, passed, seen=None):
    global count, failed
    count += 1
    print("ok" if passed else "not ok", count, "-", name, flush=True)
    if not passed:
        failed += 1
        print("#", repr(seen)[:2000], flush=True)


@workflow.defn(name="parent")
class Parent:
    @workflow.run
    async def run(self, task: dict) -> dict:
        return await workflow.execute_child_workflow(
            "agent-task", task, id=str(workflow.uuid4()), task_queue=QUEUE)


def payloads(event):
    """Every payload of an event, wherever it is."""
    found = []

    def walk(message):
        for field, value in message.ListFields():
            if field.message_type is None:
                continue
            if field.message_type.full_name == "temporal.api.common.v1.Payload":
                found.extend(value if field.is_repeated else [value])
            elif field.message_type.GetOptions().map_entry:
                for one in value.values():
                    if hasattr(one, "DESCRIPTOR"):
                        if one.DESCRIPTOR.name == "Payload":
                            found.append(one)
                        else:
                            walk(one)
            elif field.is_repeated:
                for one in value:
                    walk(one)
            else:
                walk(value)

    walk(event)
    return found


async def history(client, task):
    return [event async for event in
            client.get_workflow_handle(task).fetch_history_events()]


async def submitted(client, task):
    handle = client.get_workflow_handle(task)
    result = await handle.result()
    check("a task that agent-submit has started is awaited",
          "Done." in result.get("result", ""), result)
    description = await handle.describe()
    memo = await description.memo()
    check("its memo says whose it is and what",
          memo.get("user") == "ana" and memo.get("title", "").startswith("Go ")
          and memo.get("priority") == 5, memo)
    attributes = {pair.key.name: pair.value
                  for pair in description.typed_search_attributes}
    check("its search attributes can be asked for",
          attributes.get("AgentUser") == "ana", attributes)
    check("it has a summary", (await description.static_summary() or "")
          .startswith("Go through"), None)
    events = await history(client, task)
    all_payloads = [one for event in events for one in payloads(event)]
    encodings = {one.metadata["encoding"] for one in all_payloads}
    check("every payload of its history is JSON",
          len(all_payloads) > 20 and encodings == {b"json/plain"}, encodings)
    for one in all_payloads:
        json.loads(one.data)
    kinds = {event.activity_task_scheduled_event_attributes.activity_type.name
             for event in events
             if event.HasField("activity_task_scheduled_event_attributes")}
    check("its steps have names", kinds == {"model.turn", "tool.call"}, kinds)
    summaries = [event.user_metadata.summary.data for event in events
                 if event.HasField("activity_task_scheduled_event_attributes")]
    check("and each a summary", all(summaries) and summaries, summaries)


async def started(client):
    result = await client.execute_workflow(
        "agent-task", {"task": TASK}, id=str(uuid.uuid4()), task_queue=QUEUE)
    check("a task that the SDK starts is worked off",
          "Done." in result.get("result", ""), result)
    result = await client.execute_workflow(
        "agent-task", TASK, id=str(uuid.uuid4()), task_queue=QUEUE)
    check("so is one that is the argument itself",
          "Done." in result.get("result", ""), result)


async def signalled(client):
    handle = await client.start_workflow(
        "agent-task", {"task": dict(TASK, not_before="2099-01-01T00:00:00Z")},
        id=str(uuid.uuid4()), task_queue=QUEUE)
    await handle.signal("cancel", {"by": "sdk", "message": "enough"})
    try:
        result = await handle.result()
    except WorkflowFailureError as error:
        result = error.cause
    check("a signal of the SDK ends a task",
          type(result).__name__ == "CancelledError", result)
    handle = await client.start_workflow(
        "agent-task", {"task": dict(TASK, not_before="2099-01-01T00:00:00Z")},
        id=str(uuid.uuid4()), task_queue=QUEUE)
    await handle.cancel()
    try:
        result = await handle.result()
    except WorkflowFailureError as error:
        result = error.cause
    check("and so does its cancellation",
          type(result).__name__ == "CancelledError", result)


async def queried(client, task):
    state = await client.get_workflow_handle(task).query("state")
    check("a task that has ended answers a query",
          state.get("state") == "completed" and state.get("calls", 0) > 5 and
          state.get("events", 0) > 20, state)
    handle = await client.start_workflow(
        "agent-task", {"task": dict(TASK, not_before="2099-01-01T00:00:00Z")},
        id=str(uuid.uuid4()), task_queue=QUEUE)
    state = await handle.query("state")
    check("so does one that waits", state == {
        "state": "queued", "turns": 0, "calls": 0, "calls_unknown": 0,
        "events": 1}, state)
    await handle.signal("pause", {"by": "sdk"})
    state = await handle.query("state")
    check("a signal that came before counts", state.get("state") == "waiting"
          and state.get("reason") == "paused", state)
    try:
        state = await handle.query("weather")
    except WorkflowQueryFailedError as error:
        state = error
    check("there is no other query",
          "there is no such query" in str(state), state)
    await handle.cancel()
    try:
        await handle.result()
    except WorkflowFailureError:
        pass
    state = await handle.query("state")
    check("it was cancelled", state.get("state") == "cancelled", state)


async def fails(client):
    try:
        result = await client.execute_workflow(
            "agent-task", {"user": "ana"}, id=str(uuid.uuid4()),
            task_queue=QUEUE)
    except WorkflowFailureError as error:
        result = error.cause
    check("what is no task fails, and says why",
          "goal" in str(result), result)


async def child(client):
    async with Worker(client, task_queue="sdk", workflows=[Parent],
                      workflow_runner=UnsandboxedWorkflowRunner()):
        result = await client.execute_workflow(
            Parent.run, TASK, id=str(uuid.uuid4()), task_queue="sdk")
    check("a workflow of the SDK has a task as its child",
          "Done." in result.get("result", ""), result)


async def main():
    client = await Client.connect(os.environ["TEMPORAL"])
    await submitted(client, os.environ["ID"])
    await started(client)
    await signalled(client)
    await queried(client, os.environ["ID"])
    await fails(client)
    await child(client)
    print(f"1..{count}")
    # the SDK's threads sometimes abort an interpreter that ends normally
    sys.stdout.flush()
    os._exit(1 if failed else 0)


asyncio.run(main())
