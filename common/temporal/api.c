/* SPDX-License-Identifier: ISC */
/*
 * How it works: the services in temporal.proto say which method takes a
 * request, and the type of its reply. What nearly all requests have (namespace,
 * identity, request id) is filled in here, and the time limits are the same for
 * all of them but long polls.
 *
 * The server remembers a request id, so that a request that is retried is not
 * done twice.
 */
#include "common/temporal/api.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/base/id.h"
#include "common/base/mem.h"

#define PATIENCE_MS 10000
#define PLAIN_MS 10000
#define POLL_MS 70000 /* the server answers an empty one after 60 s */

#define SERVICE "/temporal.api.workflowservice.v1.WorkflowService/"
#define OPERATOR "/temporal.api.operatorservice.v1.OperatorService/"

struct temporal {
	struct loop *loop;
	bool own_loop;
	struct grpc *grpc;
	char *address, *namespace, *identity;
	int64_t timeout_ms, patience_ms, poll_ms;
};

/* ---- open ---- */

/* Splits TARGET into address and namespace. */
static int
split_target(struct temporal *temporal, const char *target, struct fail *fail)
{
	static const char scheme[] = "temporal://";
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "abcdefghijklmnopqrstuvwxyz0123456789._-";
	const char *host = target + sizeof(scheme) - 1, *name;
	size_t length;
	const char *port;

	if (strncmp(target, scheme, sizeof(scheme) - 1) != 0)
		goto wrong;
	length = strcspn(host, "/");
	name = host[length] == '/' ? host + length + 1 : "";
	if (length == 0 || strspn(name, plain) != strlen(name))
		goto wrong;
	port = memchr(host, ']', length);
	port = memchr(port != NULL ? port : host, ':',
	    length - (size_t)((port != NULL ? port : host) - host));
	temporal->address = mem_print("%.*s%s", (int)length, host,
	    port != NULL ? "" : ":7233");
	temporal->namespace = mem_string(name[0] != '\0' ? name : "default");
	return 0;
wrong:
	return fail_set(fail, FAIL_NEVER, "unknown_engine",
	    "\"%.200s\" is not the address of a Temporal server: use "
	    "temporal://HOST:PORT/NAMESPACE",
	    target);
}

static const char *
environment(const char *name)
{
	const char *value = getenv(name);

	return value != NULL && value[0] != '\0' ? value : NULL;
}

static bool
is_true(const char *value)
{
	return value != NULL &&
	    (strcasecmp(value, "true") == 0 || strcmp(value, "1") == 0);
}

/* A file that libcurl would miss only when it connects. */
static int
check_file(const char *name, const char *path, struct fail *fail)
{
	if (path == NULL || access(path, R_OK) == 0)
		return 0;
	fail_errno(fail, "cannot read %s, which %s names", path, name);
	fail->kind = FAIL_NEVER;
	return -1;
}

static int
open_channel(struct temporal *temporal, const struct temporal_options *options,
    struct fail *fail)
{
	static const char version[] = "client-version: " AGENT_VERSION;
	char *space = mem_print("temporal-namespace: %s", temporal->namespace);
	const char *const metadata[] = { "client-name: agent-utils", version,
		"supported-server-versions: >=1.0.0 <2.0.0",
		"supported-features: follows-next-run-id", space, NULL };
	struct grpc_options grpc = {
		.address = temporal->address,
		.server_name = environment("TEMPORAL_TLS_SERVER_NAME"),
		.authority_file = environment(
		    "TEMPORAL_TLS_SERVER_CA_CERT_PATH"),
		.certificate_file = environment(
		    "TEMPORAL_TLS_CLIENT_CERT_PATH"),
		.key_file = environment("TEMPORAL_TLS_CLIENT_KEY_PATH"),
		.metadata = metadata,
		.hello = SERVICE "GetSystemInfo",
		.age_ms = options->age_ms,
	};
	const char *tls = environment("TEMPORAL_TLS");
	char *key = NULL;
	int result = -1;

	if (file_secret("TEMPORAL_API_KEY", &key, fail) < 0 ||
	    check_file("TEMPORAL_TLS_SERVER_CA_CERT_PATH", grpc.authority_file,
		fail) < 0 ||
	    check_file("TEMPORAL_TLS_CLIENT_CERT_PATH", grpc.certificate_file,
		fail) < 0 ||
	    check_file("TEMPORAL_TLS_CLIENT_KEY_PATH", grpc.key_file, fail) < 0)
		goto out;
	grpc.bearer = key;
	grpc.tls = tls != NULL ? is_true(tls)
			       : key != NULL || grpc.authority_file != NULL ||
		grpc.certificate_file != NULL || grpc.server_name != NULL;
	if (!grpc.tls)
		grpc.server_name = NULL;
	result = grpc_open(temporal->loop, &grpc, &temporal->grpc, fail);
out:
	free(key);
	free(space);
	return result;
}

int
temporal_open(struct loop *loop, const struct temporal_options *options,
    struct temporal **ret_temporal, struct fail *fail)
{
	struct temporal *temporal = mem_alloc(sizeof(*temporal));
	char host[128] = "";

	gethostname(host, sizeof(host) - 1);
	temporal->identity = mem_print("%ld@%s", (long)getpid(), host);
	temporal->timeout_ms = options->timeout_ms > 0 ? options->timeout_ms
						       : PLAIN_MS;
	temporal->patience_ms = options->patience_ms > 0 ? options->patience_ms
							 : PATIENCE_MS;
	temporal->poll_ms = options->poll_ms > 0 ? options->poll_ms : POLL_MS;
	temporal->loop = loop;
	if (loop == NULL && loop_open(&temporal->loop, fail) < 0)
		goto out;
	temporal->own_loop = loop == NULL;
	if (split_target(temporal, options->target, fail) < 0 ||
	    open_channel(temporal, options, fail) < 0)
		goto out;
	*ret_temporal = temporal;
	return 0;
out:
	temporal_close(temporal);
	return -1;
}

void
temporal_close(struct temporal *temporal)
{
	if (temporal == NULL)
		return;
	grpc_close(temporal->grpc);
	if (temporal->own_loop)
		loop_close(temporal->loop);
	free(temporal->address);
	free(temporal->namespace);
	free(temporal->identity);
	free(temporal);
}

struct loop *
temporal_loop(struct temporal *temporal)
{
	return temporal->loop;
}

/* ---- answers ---- */

/* Whether a detail of the failure has a type that ends with NAME. */
static bool
has_detail(const Api__Status *status, const char *name)
{
	size_t i, length;
	const char *type;

	for (i = 0; status != NULL && i < status->n_details; i++) {
		type = status->details[i]->type_url;
		length = strlen(type);
		if (length > strlen(name) &&
		    strcmp(type + length - strlen(name), name) == 0)
			return true;
	}
	return false;
}

static const struct {
	enum fail_kind kind;
	const char *type;
} kinds[] = {
	[GRPC_CANCELLED] = { FAIL_NOT_NOW, "temporal_unavailable" },
	[GRPC_UNKNOWN] = { FAIL_NOT_NOW, "temporal_unavailable" },
	[GRPC_INVALID_ARGUMENT] = { FAIL_NEVER, "invalid_argument" },
	[GRPC_DEADLINE_EXCEEDED] = { FAIL_NOT_NOW, "temporal_unavailable" },
	[GRPC_NOT_FOUND] = { FAIL_NO, "not_found" },
	[GRPC_ALREADY_EXISTS] = { FAIL_NO, "already_exists" },
	[GRPC_PERMISSION_DENIED] = { FAIL_NEVER, "permission" },
	[GRPC_RESOURCE_EXHAUSTED] = { FAIL_NOT_NOW, "temporal_overloaded" },
	[GRPC_FAILED_PRECONDITION] = { FAIL_NOT_NOW, "failed_precondition" },
	[GRPC_ABORTED] = { FAIL_NOT_NOW, "temporal_unavailable" },
	[GRPC_OUT_OF_RANGE] = { FAIL_NEVER, "invalid_argument" },
	[GRPC_UNIMPLEMENTED] = { FAIL_NEVER, "unimplemented" },
	[GRPC_INTERNAL] = { FAIL_NOT_NOW, "temporal_unavailable" },
	[GRPC_UNAVAILABLE] = { FAIL_NOT_NOW, "temporal_unavailable" },
	[GRPC_DATA_LOSS] = { FAIL_NOT_NOW, "temporal_unavailable" },
	[GRPC_UNAUTHENTICATED] = { FAIL_NEVER, "permission" },
};

static void
say_failure(struct temporal_answer *answer, const struct grpc_reply *reply,
    const Api__Status *details)
{
	const struct temporal *temporal = answer->temporal;
	const char *text = reply->message[0] != '\0' ? reply->message
						     : "no reason given";
	enum fail_kind kind = kinds[reply->status].kind;
	const char *type = kinds[reply->status].type;

	if (has_detail(details, ".NamespaceNotFoundFailure")) {
		fail_set(&answer->fail, FAIL_NEVER, "no_namespace",
		    "Temporal at %s has no namespace \"%s\": create it, or "
		    "name another in the engine's address",
		    temporal->address, temporal->namespace);
		return;
	}
	if (reply->unsent && kind == FAIL_NOT_NOW) {
		fail_set(&answer->fail, kind, type,
		    "cannot reach Temporal at %s: %s", temporal->address, text);
		return;
	}
	if (strstr(text, "larger than max") != NULL ||
	    strstr(text, "exceeds size limit") != NULL) {
		kind = FAIL_NEVER;
		type = "too_large";
	}
	fail_set(&answer->fail, kind, type, "%s at Temporal (%s): %s (%s)%s",
	    answer->method->name, temporal->address, text,
	    grpc_status_name(reply->status),
	    strcmp(type, "permission") == 0
		? ": check TEMPORAL_API_KEY or the client's certificate"
		: "");
}

static void
take_reply(void *context, const struct grpc_reply *reply)
{
	struct temporal_answer *answer = context;
	Api__Status *details = NULL;

	answer->call = NULL;
	answer->done = true;
	answer->status = reply->status;
	if (reply->status == GRPC_OK) {
		answer->message = protobuf_c_message_unpack(
		    answer->method->output, NULL, reply->size, reply->body);
		if (answer->message == NULL) {
			answer->status = GRPC_INTERNAL;
			fail_set(&answer->fail, FAIL_NOT_NOW,
			    "temporal_unavailable",
			    "the reply to %s from %s is not a valid message",
			    answer->method->name, answer->temporal->address);
		}
	} else {
		if (reply->details_size > 0)
			details = api__status__unpack(NULL, reply->details_size,
			    reply->details);
		say_failure(answer, reply, details);
		if (details != NULL)
			api__status__free_unpacked(details, NULL);
	}
	if (answer->then != NULL)
		answer->then(answer->context, answer);
}

/* The method that takes the request: temporal.proto has one for each, of which
 * one is the operator's. */
static const ProtobufCMethodDescriptor *
find_method(const ProtobufCMessage *request)
{
	const ProtobufCServiceDescriptor
	    *service = &api__workflow_service__descriptor;
	size_t i;

	for (i = 0; i < service->n_methods; i++)
		if (service->methods[i].input == request->descriptor)
			return &service->methods[i];
	return api__operator_service__descriptor.methods;
}

/* The string member NAME, or NULL where there is none, or it has a value. */
static char **
find_empty(ProtobufCMessage *request, const char *name)
{
	const ProtobufCFieldDescriptor *field =
	    protobuf_c_message_descriptor_get_field_by_name(request->descriptor,
		name);
	char **member = field == NULL
	    ? NULL
	    : (char **)(void *)((char *)request + field->offset);

	return member == NULL || (*member != NULL && **member != '\0') ? NULL
								       : member;
}

static bool
waits_for_event(const ProtobufCMessage *request)
{
	return request->descriptor ==
	    &api__get_workflow_execution_history_request__descriptor &&
	    ((const Api__GetWorkflowExecutionHistoryRequest *)request)
		->wait_new_event;
}

int
temporal_send(struct temporal *temporal, ProtobufCMessage *request,
    struct temporal_answer *answer, struct fail *fail)
{
	const ProtobufCMethodDescriptor *method = find_method(request);
	struct grpc_request grpc = { .done = take_reply, .context = answer };
	char **member, request_id[ID_TEXT], *path;
	uint8_t *message;
	int result;

	if ((member = find_empty(request, "namespace")) != NULL)
		*member = temporal->namespace;
	if ((member = find_empty(request, "identity")) != NULL)
		*member = temporal->identity;
	if ((member = find_empty(request, "request_id")) != NULL) {
		id_new_text(request_id);
		*member = request_id;
	}
	grpc.size = protobuf_c_message_get_packed_size(request);
	grpc.frame = grpc_frame(grpc.size, &message);
	protobuf_c_message_pack(request, message);
	if (member != NULL)
		*member = NULL;
	/* the request may have borrowed from the last answer */
	temporal_answer_release(answer);
	answer->temporal = temporal;
	answer->method = method;
	path = mem_print("%s%s",
	    method == api__operator_service__descriptor.methods ? OPERATOR
								: SERVICE,
	    method->name);
	grpc.path = path;
	grpc.timeout_ms = waits_for_event(request) ? POLL_MS
						   : temporal->timeout_ms;
	grpc.repeat_ms = temporal->patience_ms;
	if (strncmp(method->name, "Poll", 4) == 0) {
		grpc.timeout_ms = temporal->poll_ms;
		grpc.repeat_ms = 0;
	}
	result = grpc_start(temporal->grpc, &grpc, &answer->call, fail);
	free(path);
	return result;
}

int
temporal_wait(struct temporal *temporal, struct temporal_answer *answer,
    struct fail *fail)
{
	while (!answer->done)
		if (loop_turn(temporal->loop, -1, fail) < 0)
			return -1;
	if (answer->status == GRPC_OK)
		return 0;
	*fail = answer->fail;
	return -1;
}

int
temporal_call(struct temporal *temporal, ProtobufCMessage *request,
    struct temporal_answer *answer, struct fail *fail)
{
	return temporal_send(temporal, request, answer, fail) < 0
	    ? -1
	    : temporal_wait(temporal, answer, fail);
}

int
temporal_pause(struct temporal *temporal, int64_t milliseconds,
    struct fail *fail)
{
	int64_t until = clock_boot() + milliseconds;

	while (clock_boot() < until)
		if (loop_turn(temporal->loop, until, fail) < 0)
			return -1;
	return 0;
}

void
temporal_answer_release(struct temporal_answer *answer)
{
	if (answer->call != NULL)
		grpc_cancel(answer->call);
	if (answer->message != NULL)
		protobuf_c_message_free_unpacked(answer->message, NULL);
	*answer = (struct temporal_answer){ .then = answer->then,
		.context = answer->context };
}
