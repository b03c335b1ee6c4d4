# SPDX-License-Identifier: ISC
"""The official SDKs of both services against agent-standin.

Prints TAP. Needs ANTHROPIC_BASE_URL, ANTHROPIC_API_KEY, COMPOSIO_BASE_URL and
COMPOSIO_API_KEY, which tests/lib.sh sets.
"""

import inspect
import json
import os
import typing
import urllib.request

import anthropic
import pydantic
import typing_extensions
from anthropic.types import AnthropicBetaParam, Message, RawMessageStreamEvent
from anthropic.types.beta import BetaToolUnionParam
import composio_client.types
from composio import Composio

count = 0


def ok(passed, name, detail=None):
    global count
    count += 1
    print(f"{'ok' if passed else 'not ok'} {count} - {name}")
    if not passed:
        print(f"# {detail}")


def refused(call, kind, name):
    try:
        call()
    except kind as error:
        ok(True, name)
        return error
    except Exception as error:  # any other error is the wrong one
        ok(False, name, repr(error))
    else:
        ok(False, name, "nothing was raised")
    return None


TOOLS = [{
    "name": "TEST_ECHO",
    "description": "says it again",
    "input_schema": {"type": "object", "properties": {"text": {"type": "string"}}},
}]
ASK = dict(model="claude-opus-5-5", max_tokens=2000, tools=TOOLS,
           thinking={"type": "adaptive", "display": "summarized"},
           messages=[{"role": "user", "content": "use the echo"}])


def strict(body):
    """Against the SDK's own types, which its client does not enforce."""
    Message.model_validate(body, strict=False)


def claude():
    client = anthropic.Anthropic(max_retries=0)
    raw = client.messages.with_raw_response.create(**ASK)
    body = json.loads(raw.text() if callable(raw.text) else raw.text)
    try:
        strict(body)
        ok(True, "the message fits the SDK's type")
    except pydantic.ValidationError as error:
        ok(False, "the message fits the SDK's type", error)
    message = raw.parse()
    ok(message.stop_reason == "tool_use", "messages.create", message)
    ok(message._request_id is not None, "has a request id")

    with client.messages.stream(**ASK) as stream:
        final = stream.get_final_message()
    ok([b.type for b in final.content] == [b.type for b in message.content]
       and [b.model_dump().get("input") for b in final.content]
       == [b.model_dump().get("input") for b in message.content],
       "messages.stream gives the same blocks", final)
    ok(final.content[0].thinking == message.content[0].thinking
       and final.content[0].signature == message.content[0].signature,
       "and the same thinking", final.content[0])

    adapter = pydantic.TypeAdapter(RawMessageStreamEvent)
    faults = []
    with client.messages.with_streaming_response.create(stream=True, **ASK) as answer:
        for line in answer.iter_lines():
            if line.startswith("data: "):
                event = json.loads(line[6:])
                if event["type"] == "ping":
                    continue
                try:
                    adapter.validate_python(event)
                except pydantic.ValidationError as error:
                    faults.append(error)
    ok(not faults, "every event fits the SDK's type", faults)

    for model in ("claude-opus-5-5", "claude-haiku-4-5"):
        info = client.models.retrieve(model)
        ok(info.max_tokens > 0 and info.capabilities.thinking.types is not None,
           f"models.retrieve {model}", info)
    ok(len(list(client.models.list())) > 10, "models.list")
    counted = client.messages.count_tokens(
        model="claude-opus-5-5", messages=ASK["messages"], tools=TOOLS)
    ok(counted.input_tokens > 0, "messages.count_tokens")

    @anthropic.beta_tool
    def TEST_ECHO(text: str) -> str:
        """Says it again."""
        return json.dumps({"said": f"you said {text}"})

    # The oldest know no threads, which are answered with a fault here.
    takes = inspect.signature(client.beta.messages.tool_runner).parameters
    runner = client.beta.messages.tool_runner(
        model="claude-opus-5-5", max_tokens=2000, tools=[TEST_ECHO],
        messages=[{"role": "user", "content": "use the echo"}],
        **({"thread": False} if "thread" in takes else {}))
    last = runner.until_done()
    ok("Heard you said" in last.content[-1].text, "the tool runner finishes", last)

    refused(lambda: client.messages.create(model="no-such", max_tokens=1, messages=ASK["messages"]),
            anthropic.NotFoundError, "an unknown model is NotFoundError")
    refused(lambda: client.messages.create(**ASK, extra_body={"temperature": 1}),
            anthropic.BadRequestError, "temperature is BadRequestError")
    refused(lambda: anthropic.Anthropic(api_key="wrong", max_retries=0).messages.create(**ASK),
            anthropic.AuthenticationError, "a wrong key is AuthenticationError")
    changed = dict(ASK, system="other", messages=ASK["messages"] + [
        {"role": "assistant", "content": [b.model_dump(exclude_none=True) for b in message.content]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": b.id, "content": "x"}
            for b in message.content if b.type == "tool_use"]}])
    error = refused(lambda: client.messages.create(**changed), anthropic.BadRequestError,
                    "a changed prefix is BadRequestError")
    ok(error is not None and "bound to a different conversation" in str(error), "and says so", error)
    changed.pop("system")
    ok(client.messages.create(**changed).stop_reason == "end_turn", "unchanged, it goes on")


def logs(client):
    found = client.client.logs.create_tool_execution(
        limit=5, filters=[{"field": "tool_slug", "operator": "==", "value": "GMAIL_FETCH_EMAILS"}],
        time_range={"from": 0, "to": 4e12})
    ok([entry.status for entry in found.logs] == ["success"] and found.next_cursor is None, "logs by tool", found)
    entry = client.client.logs.retrieve_tool_execution(found.logs[0].id)
    ok(entry.context.request_id and entry.data["response"]["successful"], "one log", entry)
    named = client.client.logs.create_tool_execution(
        filters=[{"field": "request_id", "operator": "==", "value": entry.context.request_id}])
    ok([log.id for log in named.logs] == [entry.id], "found by the id that the client gave its request", named)
    failed = client.client.logs.create_tool_execution(
        filters=[{"field": "status", "operator": "==", "value": "failed"}])
    ok([log.level for log in failed.logs] == ["error"] and "Invalid To" in failed.logs[0].message, "a failure", failed)


def composio():
    client = Composio(api_key=os.environ["COMPOSIO_API_KEY"],
                      base_url=os.environ["COMPOSIO_BASE_URL"],
                      toolkit_versions={"gmail": "20261101_00"}, allow_tracking=False)
    page = client.connected_accounts.list(user_ids=["u1"], toolkit_slugs=["gmail", "linear"], limit=100)
    ok(sorted(a.id for a in page.items) == ["ca_gmail1", "ca_gmail_off", "ca_linear1", "ca_linear_all"]
       and page.next_cursor is None, "connected_accounts.list", page)
    ok({a.status for a in page.items} == {"ACTIVE", "EXPIRED"}, "with their status", page)
    ok(client.connected_accounts.get("ca_gmail1").toolkit.slug == "gmail", "connected_accounts.get")
    tools = client.tools.get_raw_composio_tools(tools=["GMAIL_FETCH_EMAILS"])
    ok([(t.slug, t.toolkit.slug, t.version) for t in tools]
       == [("GMAIL_FETCH_EMAILS", "gmail", "20261101_00")], "tools by slug", tools)
    wanted = dict(user_id="u1", connected_account_id="ca_gmail1", version="20261101_00")
    done = client.tools.execute("GMAIL_FETCH_EMAILS", {"query": "newer_than:3d", "max_results": 3}, **wanted)
    ok(done["successful"] and len(done["data"]["messages"]) == 3, "tools.execute", done)
    done = client.tools.execute("GMAIL_CREATE_EMAIL_DRAFT",
                                {"recipient_email": "x", "subject": "s", "body": "b"}, **wanted)
    ok(not done["successful"] and "Invalid To" in done["error"], "a tool that fails", done)
    refused(lambda: client.tools.get_raw_composio_tool_by_slug("NO_SUCH_TOOL"),
            Exception, "an unknown tool is an error")
    refused(lambda: client.tools.execute("GMAIL_GET_PROFILE", {}, **dict(wanted, user_id="u2")),
            Exception, "somebody else's account is an error")
    if hasattr(client.client.logs, "create_tool_execution"):  # the oldest has no logs
        logs(client)
    link = client.connected_accounts.link("u7", "ac_gmail")
    ok(link.redirect_url.startswith("http") and link.id, "connected_accounts.link", link)


def betas():
    wrong = []
    for name in typing.get_args(typing.get_args(AnthropicBetaParam)[1]):
        try:
            anthropic.Anthropic(max_retries=0).messages.count_tokens(
                model="claude-opus-5-5", messages=ASK["messages"], extra_headers={"anthropic-beta": name})
        except anthropic.BadRequestError as error:
            wrong.append(error)
    ok(not wrong, "every beta that the SDK names is known", wrong)
    given = {"mcp_server_name": "s", "display_width_px": 800, "display_height_px": 600, "model": "claude-opus-5-5"}
    for tool in typing.get_args(BetaToolUnionParam):
        hints = typing.get_type_hints(tool)
        if "input_schema" in hints:
            continue
        filled = {key: given.get(key) or typing.get_args(hints[key])[0]
                  for key, hint in typing.get_type_hints(tool, include_extras=True).items()
                  if typing.get_origin(hint) is typing_extensions.Required}
        try:
            anthropic.Anthropic(max_retries=0).messages.count_tokens(
                model="claude-opus-5-5", messages=ASK["messages"], tools=[filled])
        except anthropic.BadRequestError as error:
            wrong.append((filled, error))
    ok(not wrong, "and every kind of tool", wrong)


# What the service answers, by the client's own types, which it does not enforce.
ANSWERS = [
    ("ToolListResponse", "tools?toolkit_slug=gmail", None),
    ("ToolRetrieveResponse", "tools/GMAIL_FETCH_EMAILS", None),
    ("ToolkitRetrieveResponse", "toolkits/gmail", None),
    ("ToolkitRetrieveResponse", "toolkits/testkit", None),
    ("ConnectedAccountListResponse", "connected_accounts?user_ids=u1", None),
    ("ConnectedAccountRetrieveResponse", "connected_accounts/ca_linear1", None),
    ("LinkCreateResponse", "connected_accounts/link",
     {"auth_config_id": "ac_gmail", "user_id": "u8"}),
    ("AuthConfigListResponse", "auth_configs?toolkit_slug=gmail", None),
    ("AuthConfigCreateResponse", "auth_configs", {"toolkit": {"slug": "gmail"}}),
    ("ToolExecuteResponse", "tools/execute/TEST_ECHO",
     {"user_id": "u1", "arguments": {"text": "x"}}),
]


def shapes():
    for name, path, body in ANSWERS:
        request = urllib.request.Request(
            f"{os.environ['COMPOSIO_BASE_URL']}/api/v3.1/{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"x-api-key": os.environ["COMPOSIO_API_KEY"],
                     "content-type": "application/json"})
        with urllib.request.urlopen(request) as answer:
            given = json.load(answer)
        try:
            pydantic.TypeAdapter(getattr(composio_client.types, name)).validate_python(given)
            ok(True, f"{path} fits {name}")
        except pydantic.ValidationError as error:
            ok(False, f"{path} fits {name}", error)


claude()
betas()
composio()
shapes()
print(f"1..{count}")
