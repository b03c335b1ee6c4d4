/* SPDX-License-Identifier: ISC */
/*
 * How it works: commands are built on the heap piece by piece and freed like
 * messages. Every payload is JSON, and commands have summaries for the people
 * who read a history.
 */
#include "common/temporal/decisions.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/utf8.h"

#define HEARTBEAT_MS 3000        /* a lost worker is noticed after this */
#define HEARTBEAT_DOUBT_MS 10000 /* a wrong alarm makes a call doubtful */
#define DAY_MS ((int64_t)24 * 3600 * 1000)
#define PIN_MS 120000
#define SPARE_MS 60000   /* more than the effect's own limit */
#define SHOWN_INPUT 2048 /* the whole is in the reply */
#define SUMMARY_MAX 300  /* as JSON, in quotes: the server takes 400 */
#define MESSAGE_MAX 4096 /* the whole is in the details */

/* A new command with its attributes, which are a union of pointers. */
#define ADD(commands, name, attributes) \
	add(commands, TEMPORAL_ENUM(COMMAND_TYPE, name), \
	    API__COMMAND__ATTRIBUTES_##name##_COMMAND_ATTRIBUTES, attributes)

static Api__Command *
add(struct commands *commands, Api__CommandType type,
    Api__Command__AttributesCase which, void *attributes)
{
	Api__Command *command = HEAP_NEW(command);

	command->command_type = type;
	command->attributes_case = which;
	command->record_marker_command_attributes = attributes;
	commands->list = heap_append(commands->list, &commands->count, command);
	return command;
}

void
commands_release(struct commands *commands)
{
	size_t i;

	for (i = 0; i < commands->count; i++)
		api__command__free_unpacked(commands->list[i], NULL);
	free(commands->list);
	*commands = (struct commands){ 0 };
}

/* A marker with one detail; returns its value. */
static Api__Payloads *
add_marker(struct commands *commands, const char *name, const char *key,
    Api__Payloads *value)
{
	Api__RecordMarkerCommandAttributes__DetailsEntry *entry = HEAP_NEW(
	    record_marker_command_attributes__details_entry);
	Api__RecordMarkerCommandAttributes *marker = HEAP_NEW(
	    record_marker_command_attributes);

	entry->key = mem_string(key);
	entry->value = value;
	marker->marker_name = mem_string(name);
	marker->details = heap_append(NULL, &marker->n_details, entry);
	ADD(commands, RECORD_MARKER, marker);
	return value;
}

void
commands_marker(struct commands *commands, struct span event)
{
	add_marker(commands, TEMPORAL_MARKER, "event", heap_payloads(event));
}

Api__Payloads *
commands_carried(struct commands *commands)
{
	return add_marker(commands, TEMPORAL_CARRIED, "events",
	    HEAP_NEW(payloads));
}

void
commands_carried_all(struct commands *commands)
{
	add_marker(commands, TEMPORAL_CARRIED, "last",
	    heap_payloads((struct span){ "true", 4 }));
}

void
commands_carry(Api__Payloads *carried, struct span event)
{
	carried->payloads = heap_append(carried->payloads, &carried->n_payloads,
	    heap_json(event));
}

/* ---- activities ---- */

/* As much of TEXT as a server accepts. */
static Api__Payload *
summary_payload(const char *text, size_t length)
{
	struct buf quoted = BUF_INIT((size_t)EVENT_MAX);
	Api__Payload *made;

	length = utf8_cut(text, length, SUMMARY_MAX);
	json_quote(&quoted, text, length);
	while (quoted.length > SUMMARY_MAX) {
		length = utf8_cut(text, length, length * 3 / 4);
		buf_reset(&quoted);
		json_quote(&quoted, text, length);
	}
	made = heap_json((struct span){ quoted.data, quoted.length });
	buf_release(&quoted);
	return made;
}

static Api__RetryPolicy *
retries(int32_t attempts)
{
	Api__RetryPolicy *policy = HEAP_NEW(retry_policy);

	policy->initial_interval = heap_duration(100);
	policy->backoff_coefficient = 2;
	policy->maximum_interval = heap_duration(10000);
	policy->maximum_attempts = attempts;
	return policy;
}

static int64_t
limit(int64_t own)
{
	return own > 0 ? own + SPARE_MS : DAY_MS;
}

/* What the intent says of money and the day. */
static void
add_terms(struct buf *input, const struct action *action)
{
	static const char *const names[] = { "max_tokens", "reserved_nano_usd",
		"input_nano_usd", "input_tokens", "date" };
	char *all = mem_print("{%s}", action->members.data);
	struct span members = { all, strlen(all) }, value;
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (json_member(members, names[i], &value))
			member_raw(input, names[i], value.at, value.length);
	free(all);
}

static void
fill_model(Api__ScheduleActivityTaskCommandAttributes *activity,
    const struct worker_temporal *worker, const struct action *action,
    int64_t turn, struct buf *input, struct buf *words)
{
	char *id = mem_print("model-%" PRId64 "-%u", turn, action->attempt);

	activity->activity_id = id;
	activity->activity_type->name = mem_string(TEMPORAL_MODEL_TURN);
	activity->start_to_close_timeout = heap_duration(
	    limit(worker->config->turn_ms));
	activity->heartbeat_timeout = heap_duration(HEARTBEAT_MS);
	activity->retry_policy = retries(MODEL_LOST_MAX);
	member_integer(input, "turn", turn);
	add_terms(input, action);
	buf_print(words, "turn %" PRId64, turn);
	if (action->compact != NULL)
		member_string(input, "compact", action->compact);
}

static void
fill_tool(Api__ScheduleActivityTaskCommandAttributes *activity,
    const struct worker_temporal *worker, const struct agent *agent,
    const struct action *action, struct buf *input, struct buf *words)
{
	struct agent_call call = { .name = "", .input = { "", 0 } };
	bool known = agent_call(agent, action->call, &call);
	bool repeatable = known && call.repeatable;

	activity->activity_id = mem_print("tool-%s-%u", action->call,
	    action->attempt);
	activity->activity_type->name = mem_string(TEMPORAL_TOOL_CALL);
	activity->start_to_close_timeout = heap_duration(
	    limit(worker->config->call_ms));
	activity->heartbeat_timeout = heap_duration(
	    repeatable ? HEARTBEAT_MS : HEARTBEAT_DOUBT_MS);
	activity->retry_policy = retries(repeatable ? CALL_LOST_MAX : 1);
	buf_add(input, action->members.data, action->members.length);
	if (call.input.length > 0 && call.input.length <= SHOWN_INPUT)
		member_raw(input, "input", call.input.at, call.input.length);
	buf_print(words, "%s %.*s", call.name,
	    (int)utf8_cut(call.input.at, call.input.length, 200),
	    call.input.at);
}

void
commands_activity(struct commands *commands,
    const struct worker_temporal *worker, const struct agent *agent,
    const struct action *action, int64_t pin, const char **ret_id)
{
	Api__ScheduleActivityTaskCommandAttributes *activity = HEAP_NEW(
	    schedule_activity_task_command_attributes);
	struct buf input = BUF_INIT(1u << 20);
	struct buf words = BUF_INIT(1u << 16);
	struct agent_summary summary;
	Api__Command *command = ADD(commands, SCHEDULE_ACTIVITY_TASK, activity);

	agent_summary(agent, &summary);
	buf_add_string(&input, "{");
	activity->activity_type = HEAP_NEW(activity_type);
	activity->task_queue = heap_queue(
	    mem_print("agent-%s", agent_task(agent)->queue));
	switch (action->type) {
	case ACTION_PIN:
		activity->activity_id = mem_print("pin-%" PRId64, pin);
		activity->activity_type->name = mem_string(TEMPORAL_PIN);
		activity->start_to_close_timeout = heap_duration(PIN_MS);
		activity->heartbeat_timeout = heap_duration(HEARTBEAT_MS);
		activity->retry_policy = retries(0);
		buf_add_string(&words, "accounts and tools");
		break;
	case ACTION_MODEL:
		fill_model(activity, worker, action, summary.turns + 1, &input,
		    &words);
		break;
	case ACTION_TOOL:
		fill_tool(activity, worker, agent, action, &input, &words);
		break;
	}
	if (action->type != ACTION_TOOL) /* else it is in the intent */
		member_integer(&input, "attempt", action->attempt);
	member_integer(&input, "tries", action->tries);
	if (action->asked)
		member_raw(&input, "asked", "true", 4);
	buf_add_string(&input, "}");
	activity->input = heap_payloads(
	    (struct span){ input.data, input.length });
	command->user_metadata = HEAP_NEW(user_metadata);
	command->user_metadata->summary = summary_payload(words.data,
	    words.length);
	*ret_id = activity->activity_id;
	buf_release(&input);
	buf_release(&words);
}

void
commands_timer(struct commands *commands, int64_t at, int64_t now,
    const char **ret_id)
{
	Api__StartTimerCommandAttributes *timer = HEAP_NEW(
	    start_timer_command_attributes);

	timer->timer_id = mem_print(TEMPORAL_TIMER "%" PRId64, at);
	timer->start_to_fire_timeout = heap_duration(at > now ? at - now : 1);
	ADD(commands, START_TIMER, timer);
	*ret_id = timer->timer_id;
}

/* ---- the state in lists ---- */

void
commands_show(struct commands *commands, bool attribute, const char *state)
{
	Api__UpsertWorkflowSearchAttributesCommandAttributes *upsert;
	Api__ModifyWorkflowPropertiesCommandAttributes *modify;

	if (attribute) {
		upsert = HEAP_NEW(
		    upsert_workflow_search_attributes_command_attributes);
		upsert->search_attributes = HEAP_NEW(search_attributes);
		heap_set_attribute(upsert->search_attributes, TEMPORAL_STATE,
		    heap_string(state));
		ADD(commands, UPSERT_WORKFLOW_SEARCH_ATTRIBUTES, upsert);
		return;
	}
	modify = HEAP_NEW(modify_workflow_properties_command_attributes);
	modify->upserted_memo = HEAP_NEW(memo);
	heap_set_memo(modify->upserted_memo, TEMPORAL_STATE_MEMO,
	    heap_string(state));
	ADD(commands, MODIFY_WORKFLOW_PROPERTIES, modify);
}

/* ---- the end ---- */

static void
add_failure(struct commands *commands, const char *type, struct span event,
    const char *message)
{
	Api__FailWorkflowExecutionCommandAttributes *fail = HEAP_NEW(
	    fail_workflow_execution_command_attributes);
	char *words = mem_copy(message,
	    utf8_cut(message, strlen(message), MESSAGE_MAX));

	fail->failure = heap_failure(type, words, heap_payloads(event));
	fail->failure->application_failure_info->non_retryable = true;
	ADD(commands, FAIL_WORKFLOW_EXECUTION, fail);
	free(words);
}

/* The type of the error in an event "failed". */
static char *
error_type(struct span event)
{
	struct span value = { NULL, 0 };
	char *type = NULL;

	if (json_member(event, "error", &value) &&
	    json_member(value, "type", &value))
		type = json_decode(value);
	return type != NULL ? type : mem_string("failed");
}

Api__EventType
commands_end(struct commands *commands, enum event_type type, struct span event,
    const char *message)
{
	Api__CompleteWorkflowExecutionCommandAttributes *complete;
	Api__CancelWorkflowExecutionCommandAttributes *cancel;
	char *word;

	switch (type) {
	case EVENT_COMPLETED:
		complete = HEAP_NEW(
		    complete_workflow_execution_command_attributes);
		complete->result = heap_payloads(event);
		ADD(commands, COMPLETE_WORKFLOW_EXECUTION, complete);
		return TEMPORAL_EVENT(WORKFLOW_EXECUTION_COMPLETED);
	case EVENT_CANCELLED:
		cancel = HEAP_NEW(cancel_workflow_execution_command_attributes);
		cancel->details = heap_payloads(event);
		ADD(commands, CANCEL_WORKFLOW_EXECUTION, cancel);
		return TEMPORAL_EVENT(WORKFLOW_EXECUTION_CANCELED);
	default:
		word = type == EVENT_BLOCKED ? mem_string("blocked")
					     : error_type(event);
		add_failure(commands, word, event, message);
		free(word);
		return TEMPORAL_EVENT(WORKFLOW_EXECUTION_FAILED);
	}
}

/* ---- going on in a new run ---- */

/* Lists still show the state in the new run. */
static void
add_shown(Api__ContinueAsNewWorkflowExecutionCommandAttributes *next,
    const struct temporal_facts *facts)
{
	struct span was;

	next->memo = facts->memo != NULL ? heap_copy(&facts->memo->base)
					 : HEAP_NEW(memo);
	if (facts->attributes != NULL)
		next->search_attributes = heap_copy(&facts->attributes->base);
	if (facts->shown == NULL)
		return;
	if (temporal_attribute(facts->attributes, TEMPORAL_STATE, &was))
		heap_set_attribute(next->search_attributes, TEMPORAL_STATE,
		    heap_string(facts->shown));
	else
		heap_set_memo(next->memo, TEMPORAL_STATE_MEMO,
		    heap_string(facts->shown));
}

void
commands_continue(struct commands *commands,
    const struct temporal_history *history, const char *run)
{
	Api__ContinueAsNewWorkflowExecutionCommandAttributes *next = HEAP_NEW(
	    continue_as_new_workflow_execution_command_attributes);
	struct temporal_facts facts = temporal_history_facts(history);
	char *input = temporal_history_input(history, run);

	next->workflow_type = HEAP_NEW(workflow_type);
	next->workflow_type->name = mem_string(TEMPORAL_WORKFLOW);
	next->task_queue = heap_queue(mem_print("agent-%s",
	    agent_task(temporal_history_agent(history))->queue));
	next->input = heap_payloads((struct span){ input, strlen(input) });
	next->initiator = TEMPORAL_ENUM(CONTINUE_AS_NEW_INITIATOR, WORKFLOW);
	add_shown(next, &facts);
	ADD(commands, CONTINUE_AS_NEW_WORKFLOW_EXECUTION, next);
	free(input);
}
