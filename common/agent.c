/*
 * How it works: agent_apply is one function per event type, found in a table.
 * The conversation is kept as the text that the next request will hold: each
 * reply's content and each tool_result block are copied in as the bytes that
 * came, so that a turn costs what is new in it and nothing is re-printed.
 *
 * A call under way when its worker goes away ("started" or "released" follows
 * its intent) is run again when that is harmless, and is in doubt otherwise:
 * agent_next then records tool.unknown.
 */
#include "common/agent_internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/mem.h"
#include "common/pins.h"

#define MESSAGES_MAX ((size_t)1 << 30)

struct agent *
agent_new(void)
{
	struct agent *agent = mem_alloc(sizeof(*agent));

	agent->messages = BUF_INIT(MESSAGES_MAX);
	return agent;
}

static void
free_calls(struct agent *agent)
{
	struct call *call;
	size_t i;

	for (i = 0; i < agent->call_count; i++) {
		call = &agent->calls[i];
		free(call->id);
		free(call->name);
		free(call->input);
		free(call->connection);
		free(call->error);
		free(call->block);
	}
	free(agent->calls);
	agent->calls = NULL;
	agent->call_count = 0;
}

static void
free_pins(struct agent *agent)
{
	size_t i;

	for (i = 0; i < agent->pin_count; i++) {
		free(agent->pins[i].name);
		free(agent->pins[i].slug);
		free(agent->pins[i].toolkit);
		free(agent->pins[i].version);
		free(agent->pins[i].account);
	}
	free(agent->pins);
}

void
agent_free(struct agent *agent)
{
	if (!agent)
		return;
	if (agent->submitted)
		task_release(&agent->task);
	free_calls(agent);
	free_pins(agent);
	free(agent->request);
	free(agent->reason);
	free(agent->error);
	free(agent->stop_reason);
	free(agent->text);
	buf_release(&agent->messages);
	free(agent);
}

static int
misplaced(const struct event *event, const char *why, struct fail *fail)
{
	return fail_set(fail, FAIL_NEVER, "invalid_journal",
	    "event %" PRIu64 " (%s) cannot come here: %s", event->seq,
	    event_type_name(event->type), why);
}

static void
set_string(char **string, const char *value)
{
	char *copy = mem_string(value);

	free(*string);
	*string = copy;
}

static void
set_raw(char **string, struct span value)
{
	free(*string);
	*string = mem_copy(value.at, value.length);
}

static const struct pin *
find_pin(const struct agent *agent, const char *name)
{
	size_t i;

	for (i = 0; i < agent->pin_count; i++)
		if (strcmp(agent->pins[i].name, name) == 0)
			return &agent->pins[i];
	return NULL;
}

struct call *
agent_find_call(const struct agent *agent, const char *id)
{
	size_t i;

	for (i = 0; id && i < agent->call_count; i++)
		if (strcmp(agent->calls[i].id, id) == 0)
			return &agent->calls[i];
	return NULL;
}

static int64_t
integer(const cJSON *data, const char *name)
{
	int64_t number = 0;

	(void)json_integer(data, name, &number);
	return number;
}

/* When the next try is due: -1 when there is to be none. */
static int64_t
retry_at(const struct event *event)
{
	int64_t delay;

	if (!json_integer(event->data, "delay_ms", &delay))
		return -1;
	return event->at + delay;
}

static void
add_message(struct agent *agent, const char *role, struct span content)
{
	if (agent->messages.length)
		buf_add(&agent->messages, ",", 1);
	buf_print(&agent->messages, "{\"role\":\"%s\",\"content\":", role);
	buf_add(&agent->messages, content.at, content.length);
	buf_add(&agent->messages, "}", 1);
}

static void
add_text_message(struct agent *agent, const char *text)
{
	struct buf content = BUF_INIT(MESSAGES_MAX);

	buf_add_string(&content, "[{\"type\":\"text\",\"text\":");
	json_quote(&content, text, strlen(text));
	buf_add_string(&content, "}]");
	add_message(agent, "user",
	    (struct span){ content.data, content.length });
	buf_release(&content);
}

static int
apply_submitted(struct agent *agent, const struct event *event,
    struct fail *fail)
{
	const cJSON *doc;

	doc = cJSON_GetObjectItemCaseSensitive(event->data, "task");
	if (agent->submitted)
		return misplaced(event, "the task is submitted", fail);
	if (task_read(doc, &agent->task, fail) < 0)
		return -1;
	agent->submitted = true;
	agent->state = TASK_QUEUED;
	agent->step = STEP_PIN;
	add_text_message(agent, agent->task.goal);
	return 0;
}

static int
read_pin(const cJSON *item, struct pin *pin, struct fail *fail)
{
	const char *name = json_string(item, "name");
	const char *slug = json_string(item, "slug");
	const char *toolkit = json_string(item, "toolkit");
	const char *version = json_string(item, "version");
	const char *policy = json_string(item, "on_unknown");

	if (!name || !slug || !toolkit || !version || !policy)
		return fail_set(fail, FAIL_NEVER, "invalid_journal",
		    "event pinned: a tool lacks name, slug, toolkit, version "
		    "or on_unknown");
	pin->name = mem_string(name);
	pin->slug = mem_string(slug);
	pin->toolkit = mem_string(toolkit);
	pin->version = mem_string(version);
	pin->account = mem_string(json_string(item, "account"));
	pin->repeatable = json_true(item, "repeatable");
	pin->on_unknown = strcmp(policy, "retry") == 0 ? ON_UNKNOWN_RETRY :
	    strcmp(policy, "ask") == 0 ? ON_UNKNOWN_ASK : ON_UNKNOWN_TELL;
	return 0;
}

static int
apply_pinned(struct agent *agent, const struct event *event,
    struct fail *fail)
{
	const cJSON *tools, *item;
	struct span request;

	if (agent->step != STEP_PIN)
		return misplaced(event, "the task is pinned", fail);
	if (!json_member(event->text, "request", &request))
		return misplaced(event, "no request", fail);
	tools = cJSON_GetObjectItemCaseSensitive(event->data, "tools");
	agent->pins = mem_alloc(
	    ((size_t)cJSON_GetArraySize(tools) + 1) * sizeof(*agent->pins));
	cJSON_ArrayForEach (item, tools)
		if (read_pin(item, &agent->pins[agent->pin_count++],
			fail) < 0)
			return -1;
	agent->request = mem_copy(request.at, request.length);
	agent->request_length = request.length;
	agent->step = STEP_MODEL;
	return 0;
}

/* A call that takes its worker with it every time is not run for ever. */
#define LOST_ATTEMPTS_MAX 10

/* The worker that had it is gone, so what it had under way is too. */
static void
lose_effects(struct agent *agent)
{
	struct call *call;
	size_t i;

	agent->model_running = false;
	for (i = 0; i < agent->call_count; i++) {
		call = &agent->calls[i];
		if (call->status != CALL_RUNNING)
			continue;
		call->status = call->pin->repeatable &&
		    call->attempt < LOST_ATTEMPTS_MAX ? CALL_PENDING :
		    CALL_DOUBT;
		call->not_before = 0;
	}
}

static int
apply_started(struct agent *agent, const struct event *event,
    struct fail *fail)
{
	(void)fail;
	lose_effects(agent);
	agent->state = TASK_RUNNING;
	agent->due = 0;
	set_string(&agent->reason, NULL);
	if (!agent->started_at)
		agent->started_at = event->at;
	return 0;
}

static int
apply_released(struct agent *agent, const struct event *event,
    struct fail *fail)
{
	(void)event;
	(void)fail;
	lose_effects(agent);
	agent->state = TASK_QUEUED;
	return 0;
}

static int
apply_model_started(struct agent *agent, const struct event *event,
    struct fail *fail)
{
	if (agent->step != STEP_MODEL || agent->model_running)
		return misplaced(event, "no model turn is due", fail);
	if (integer(event->data, "turn") != agent->turns + 1)
		return misplaced(event, "it is another turn's", fail);
	agent->model_running = true;
	agent->model_attempt++;
	return 0;
}

static void
count_usage(struct agent *agent, const struct event *event)
{
	const cJSON *usage;

	usage = cJSON_GetObjectItemCaseSensitive(event->data, "usage");
	agent->tokens.input += integer(usage, "input");
	agent->tokens.output += integer(usage, "output");
	agent->tokens.cache_read += integer(usage, "cache_read");
	agent->tokens.cache_write += integer(usage, "cache_write_5m") +
	    integer(usage, "cache_write_1h");
	agent->nano_usd += integer(event->data, "nano_usd");
}

static int
add_call(struct agent *agent, struct span block, const cJSON *item,
    const struct event *event, struct fail *fail)
{
	const char *id = json_string(item, "id");
	const char *name = json_string(item, "name");
	struct span input = { "{}", 2 };
	struct call *call;

	if (!id || !name || agent_find_call(agent, id))
		return misplaced(event, "a tool_use has no id of its own or "
		    "no name", fail);
	agent->calls = mem_grow(agent->calls, agent->call_count + 1,
	    sizeof(*agent->calls));
	call = &agent->calls[agent->call_count++];
	memset(call, 0, sizeof(*call));
	(void)json_member(block, "input", &input);
	call->id = mem_string(id);
	call->name = mem_string(name);
	call->pin = find_pin(agent, name);
	call->input = mem_copy(input.at, input.length);
	call->input_length = input.length;
	call->input_valid = input.length && input.at[0] == '{';
	return 0;
}

/* Goes through the reply's blocks. Returns 1 when it holds anything that may
 * be sent back, 0 when it is empty, -1 with fail. */
static int
read_content(struct agent *agent, const struct event *event,
    struct span content, struct fail *fail)
{
	const cJSON *item, *items;
	struct buf text = BUF_INIT(MESSAGES_MAX);
	struct span block;
	const char *type, *string;
	int filled = 0;

	items = cJSON_GetObjectItemCaseSensitive(event->data, "content");
	cJSON_ArrayForEach (item, items) {
		type = json_string(item, "type");
		if (!json_element(&content, &block))
			break;
		if (type && strcmp(type, "text") == 0) {
			string = json_string(item, "text");
			if (string && *string) {
				buf_add_string(&text, string);
				filled = 1;
			}
			continue;
		}
		filled = 1;
		if (type && strcmp(type, "tool_use") == 0 &&
		    add_call(agent, block, item, event, fail) < 0) {
			buf_release(&text);
			return -1;
		}
	}
	free(agent->text);
	agent->text = buf_detach(&text, NULL);
	return filled;
}

static void
fail_step(struct agent *agent, const char *type, const char *message)
{
	struct buf error = BUF_INIT(MESSAGES_MAX);

	buf_add_string(&error, "{");
	buf_add_string(&error, "\"type\":");
	json_quote(&error, type, strlen(type));
	buf_add_string(&error, ",\"message\":");
	json_quote(&error, message, strlen(message));
	buf_add_string(&error, "}");
	free(agent->error);
	agent->error = buf_detach(&error, NULL);
	agent->step = STEP_FAIL;
}

#define EMPTY_REPLIES_MAX 3

/* What has to come after a reply; the facts about stop reasons decide. */
static void
choose_step(struct agent *agent, const struct event *event)
{
	const char *stop = agent->stop_reason;
	char *details;

	agent->skip_calls = false;
	if (strcmp(stop, "pause_turn") == 0) {
		agent->step = STEP_MODEL;
	} else if (strcmp(stop, "tool_use") == 0 && agent->call_count) {
		agent->step = STEP_TOOLS;
	} else if (strcmp(stop, "end_turn") == 0 ||
	    strcmp(stop, "stop_sequence") == 0 ||
	    strcmp(stop, "max_tokens") == 0 ||
	    strcmp(stop, "tool_use") == 0) {
		agent->skip_calls = true;
		agent->step = agent->call_count ? STEP_TOOLS :
		    strcmp(stop, "max_tokens") == 0 || !*agent->text ?
		    STEP_SAY : STEP_COMPLETE;
	} else if (strcmp(stop, "refusal") == 0) {
		details = json_text(cJSON_GetObjectItemCaseSensitive(
		    event->data, "stop_details"));
		fail_step(agent, "refusal", details ? details :
		    "the model refused to answer");
		free(details);
	} else if (strcmp(stop, "model_context_window_exceeded") == 0) {
		fail_step(agent, stop, "the conversation has become longer "
		    "than the model's context window");
	} else {
		fail_step(agent, "unknown_stop_reason", *stop ? stop :
		    "the reply has no stop reason");
	}
	agent->empty_replies = agent->step == STEP_SAY && !*agent->text ?
	    agent->empty_replies + 1 : 0;
	if (agent->empty_replies >= EMPTY_REPLIES_MAX)
		fail_step(agent, "empty_reply",
		    "the model answered nothing, three times in a row");
}

static int
apply_model_replied(struct agent *agent, const struct event *event,
    struct fail *fail)
{
	struct span content;
	size_t i;
	int filled;

	if (!agent->model_running)
		return misplaced(event, "no model turn is under way", fail);
	if (!json_member(event->text, "content", &content))
		return misplaced(event, "no content", fail);
	agent->model_running = false;
	agent->model_attempt = 0;
	agent->model_not_before = 0;
	agent->turns++;
	count_usage(agent, event);
	set_string(&agent->error, NULL);
	set_string(&agent->stop_reason,
	    json_string(event->data, "stop_reason"));
	free_calls(agent);
	filled = read_content(agent, event, content, fail);
	if (filled < 0)
		return -1;
	choose_step(agent, event);
	if (filled && agent->step != STEP_FAIL)
		add_message(agent, "assistant", content);
	for (i = 0; agent->step == STEP_TOOLS && !agent->skip_calls &&
	    i < agent->call_count; i++)
		if (strcmp(agent->calls[i].name, PINS_BLOCKED_TOOL) == 0)
			agent->step = STEP_BLOCKED;
	return 0;
}

static int
apply_model_failed(struct agent *agent, const struct event *event,
    struct fail *fail)
{
	struct span error;

	if (!agent->model_running)
		return misplaced(event, "no model turn is under way", fail);
	agent->model_running = false;
	count_usage(agent, event);
	if (json_member(event->text, "error", &error))
		set_raw(&agent->error, error);
	agent->model_not_before = retry_at(event);
	if (agent->model_not_before < 0)
		agent->step = STEP_FAIL;
	return 0;
}

static struct call *
event_call(struct agent *agent, const struct event *event)
{
	if (agent->step != STEP_TOOLS)
		return NULL;
	return agent_find_call(agent, json_string(event->data, "call"));
}

static int
apply_tool_started(struct agent *agent, const struct event *event,
    struct fail *fail)
{
	struct call *call = event_call(agent, event);

	if (!call || !call->pin || call->status != CALL_PENDING)
		return misplaced(event, "no such call is due", fail);
	call->status = CALL_RUNNING;
	call->attempt++;
	agent->calls_made++;
	set_string(&call->connection, NULL);
	set_string(&call->error, NULL);
	return 0;
}

/* When all calls have their block, they make the next user message. */
static void
finish_calls(struct agent *agent)
{
	struct buf content = BUF_INIT(MESSAGES_MAX);
	size_t i;

	for (i = 0; i < agent->call_count; i++)
		if (agent->calls[i].status != CALL_DONE)
			return;
	for (i = 0; i < agent->call_count; i++) {
		buf_add_string(&content, i ? "," : "[");
		buf_add(&content, agent->calls[i].block,
		    agent->calls[i].block_length);
	}
	buf_add_string(&content, "]");
	add_message(agent, "user",
	    (struct span){ content.data, content.length });
	buf_release(&content);
	free_calls(agent);
	agent->step = STEP_MODEL;
	agent->model_not_before = 0;
}

static int
finish_call(struct agent *agent, struct call *call, const struct event *event,
    struct fail *fail)
{
	struct span block;

	if (!json_member(event->text, "block", &block))
		return misplaced(event, "no block", fail);
	set_raw(&call->block, block);
	call->block_length = block.length;
	call->status = CALL_DONE;
	finish_calls(agent);
	return 0;
}

static int
apply_tool_finished(struct agent *agent, const struct event *event,
    struct fail *fail)
{
	struct call *call = event_call(agent, event);

	if (!call || call->status == CALL_DONE)
		return misplaced(event, "no such call is open", fail);
	return finish_call(agent, call, event, fail);
}

static void
keep_error(struct call *call, const struct event *event)
{
	const char *message;

	message = json_string(cJSON_GetObjectItemCaseSensitive(event->data,
	    "error"), "message");
	set_string(&call->error, message ? message : "");
}

#define CONNECTION_RETRY_MS (5 * 60 * 1000)

static int
apply_tool_failed(struct agent *agent, const struct event *event,
    struct fail *fail)
{
	struct call *call = event_call(agent, event);
	const char *connection = json_string(event->data, "connection");
	int64_t at = retry_at(event);

	if (!call || call->status != CALL_RUNNING)
		return misplaced(event, "no such call is under way", fail);
	if (at < 0 && !connection)
		return finish_call(agent, call, event, fail);
	keep_error(call, event);
	set_string(&call->connection, connection);
	call->status = CALL_PENDING;
	call->not_before = at >= 0 ? at : event->at + CONNECTION_RETRY_MS;
	return 0;
}

static int
apply_tool_unknown(struct agent *agent, const struct event *event,
    struct fail *fail)
{
	struct call *call = event_call(agent, event);
	int64_t at = retry_at(event);

	if (!call ||
	    (call->status != CALL_RUNNING && call->status != CALL_DOUBT))
		return misplaced(event, "no such call is under way", fail);
	keep_error(call, event);
	agent->calls_unknown++;
	call->status = CALL_UNKNOWN;
	call->not_before = 0;
	if (at >= 0 && call->pin->repeatable) {
		call->status = CALL_PENDING;
		call->not_before = at;
	} else if (call->pin->on_unknown == ON_UNKNOWN_RETRY &&
	    (at >= 0 || call->attempt < 2)) {
		call->status = CALL_PENDING;
		call->not_before = at >= 0 ? at : 0;
	}
	return 0;
}

static int
apply_user_message(struct agent *agent, const struct event *event,
    struct fail *fail)
{
	struct span content;

	if (agent->step != STEP_SAY ||
	    !json_member(event->text, "content", &content))
		return misplaced(event, "nothing is to be said", fail);
	add_message(agent, "user", content);
	agent->step = STEP_MODEL;
	return 0;
}

/* A waiting task may go on: everything that waited is due now. */
static void
go_on(struct agent *agent)
{
	size_t i;

	if (agent->state != TASK_WAITING)
		return;
	agent->state = TASK_QUEUED;
	agent->due = 0;
	set_string(&agent->reason, NULL);
	agent->model_not_before = 0;
	for (i = 0; i < agent->call_count; i++)
		agent->calls[i].not_before = 0;
}

struct call *
agent_asked_call(const struct agent *agent, const char *id)
{
	struct call *call, *found = NULL;
	size_t i;

	for (i = 0; i < agent->call_count; i++) {
		call = &agent->calls[i];
		if (call->status != CALL_UNKNOWN ||
		    call->pin->on_unknown != ON_UNKNOWN_ASK)
			continue;
		if (id && strcmp(call->id, id) == 0)
			return call;
		if (!id && found)
			return NULL;
		found = call;
	}
	return id ? NULL : found;
}

static int
apply_signal(struct agent *agent, const struct event *event,
    struct fail *fail)
{
	const char *signal = json_string(event->data, "signal");
	struct call *call;

	if (strcmp(signal, "cancel") == 0) {
		agent->cancel_asked = true;
	} else if (strcmp(signal, "pause") == 0) {
		agent->paused = true;
	} else if (strcmp(signal, "resume") == 0) {
		agent->paused = false;
		go_on(agent);
	} else if (strcmp(signal, "approve") == 0 ||
	    strcmp(signal, "deny") == 0) {
		call = agent_asked_call(agent, json_string(event->data, "call"));
		if (!call)
			return misplaced(event, "no such call is asked about",
			    fail);
		call->status = *signal == 'a' ? CALL_PENDING : CALL_DENIED;
		go_on(agent);
	} else {
		return misplaced(event, "an unknown signal", fail);
	}
	return 0;
}

static int
apply_waiting(struct agent *agent, const struct event *event,
    struct fail *fail)
{
	const char *until = json_string(event->data, "until");
	int64_t due = 0;

	if (until && clock_parse(until, &due, fail) < 0)
		return -1;
	agent->state = TASK_WAITING;
	agent->due = due;
	set_string(&agent->reason, json_string(event->data, "reason"));
	return 0;
}

static int
apply_end(struct agent *agent, const struct event *event, struct fail *fail)
{
	const cJSON *error;

	(void)fail;
	error = cJSON_GetObjectItemCaseSensitive(event->data, "error");
	agent->state = event->type == EVENT_COMPLETED ? TASK_COMPLETED :
	    event->type == EVENT_BLOCKED ? TASK_BLOCKED :
	    event->type == EVENT_FAILED ? TASK_FAILED : TASK_CANCELLED;
	agent->due = 0;
	agent->model_running = false;
	set_string(&agent->reason, error ? json_string(error, "message") :
	    json_string(event->data, "reason"));
	return 0;
}

static int (*const apply[EVENT_TYPES])(struct agent *,
    const struct event *, struct fail *) = {
	[EVENT_SUBMITTED] = apply_submitted,
	[EVENT_PINNED] = apply_pinned,
	[EVENT_STARTED] = apply_started,
	[EVENT_RELEASED] = apply_released,
	[EVENT_MODEL_STARTED] = apply_model_started,
	[EVENT_MODEL_REPLIED] = apply_model_replied,
	[EVENT_MODEL_FAILED] = apply_model_failed,
	[EVENT_TOOL_STARTED] = apply_tool_started,
	[EVENT_TOOL_FINISHED] = apply_tool_finished,
	[EVENT_TOOL_FAILED] = apply_tool_failed,
	[EVENT_TOOL_UNKNOWN] = apply_tool_unknown,
	[EVENT_USER_MESSAGE] = apply_user_message,
	[EVENT_SIGNAL] = apply_signal,
	[EVENT_WAITING] = apply_waiting,
	[EVENT_COMPLETED] = apply_end,
	[EVENT_BLOCKED] = apply_end,
	[EVENT_FAILED] = apply_end,
	[EVENT_CANCELLED] = apply_end,
};

int
agent_apply(struct agent *agent, const struct event *event, struct fail *fail)
{
	if (event->seq != agent->seq + 1)
		return fail_set(fail, FAIL_NEVER, "invalid_journal",
		    "event %" PRIu64 " follows event %" PRIu64, event->seq,
		    agent->seq);
	if (!agent->submitted && event->type != EVENT_SUBMITTED)
		return misplaced(event, "nothing was submitted", fail);
	if (agent->submitted && task_state_final(agent->state))
		return misplaced(event, "the task has ended", fail);
	if (apply[event->type](agent, event, fail) < 0)
		return -1;
	agent->seq = event->seq;
	return 0;
}
