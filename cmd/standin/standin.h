/* SPDX-License-Identifier: ISC */
/*
 * standin: shared by the parts of the stand-in.
 */
#ifndef CMD_STANDIN_STANDIN_H
#define CMD_STANDIN_STANDIN_H

#include <pthread.h>

#include "cmd/standin/claude/prefix.h"
#include "cmd/standin/composio/composio.h"
#include "cmd/standin/script/faults.h"
#include "cmd/standin/script/model.h"
#include "cmd/standin/server/server.h"
#include "cmd/standin/tools/tools.h"

struct standin {
	cJSON *script;
	struct model *model;
	struct prompt_cache *cache;
	struct faults *faults;
	struct catalogue *catalogue;
	struct mailbox *mailbox;
	struct ledger *ledger;
	const char *state_path; /* or NULL */
	int64_t drip_ms;
	char url[80]; /* of this server */

	struct linear *linear;

	/* Held for accounts, drafts and issues, and while a tool is executed
	 * and entered in the ledger. */
	pthread_mutex_t lock;
	struct accounts *accounts;
	struct records *drafts, *issues; /* of Gmail and Linear */
	cJSON *log; /* of executions, the newest first; log.c */
};

/* The two callbacks of the server, which choose the service and the fault for a
 * request; CONTEXT is a struct standin. */
void
dispatch_arrive(void *context, struct request *request,
    struct arrival *ret_arrival);

void
dispatch_answer(void *context, struct request *request,
    const struct arrival *arrival, struct reply *reply);

/* The two services. PATH is the part after their roots. */
void
claude_answer(struct standin *standin, struct request *request,
    const char *path, struct reply *reply);

/* An error as the API gives it. TYPE may be NULL: made from the status; CODE is
 * details.error_code, or NULL. */
void
claude_fault(struct request *request, struct reply *reply, int status,
    const char *type, const char *code, const char *message);

void
composio_answer(struct standin *standin, struct request *request,
    const char *path, struct reply *reply);

/* CODE may be 0 and SLUG "": made from the status. Returns false. */
bool
composio_fault(struct request *request, struct reply *reply, int status,
    int code, const char *slug, const char *format, ...)
    __attribute__((format(printf, 6, 7)));

/* Whether BODY has only members of NAMES and TEXTS (each ends with NULL), and
 * those of TEXTS are strings. If not, REPLY is the error. */
bool
composio_members(struct request *request, const cJSON *body,
    const char *const *names, const char *const *texts, struct reply *reply);

/* Whether the script has KEY for SERVICE; without keys any but "" is one. */
bool
standin_knows_key(const struct standin *standin, const char *service,
    const char *key);

/* The tool that a path executes, or NULL; borrowed from PATH. */
const char *
composio_tool(const char *path);

/* POST tools/execute/SLUG. */
void
composio_execute(struct standin *standin, struct request *request,
    const char *slug, const cJSON *body, struct reply *reply);

/* An execution, borrowed: ERROR is NULL when it succeeded. The lock is held for
 * all that have to do with the log. */
struct log_entry {
	const char *id, *user, *error;
	const struct tool *tool;
	const struct account *account; /* or NULL */
	const cJSON *arguments, *data;
};

void
composio_log_add(struct standin *standin, const struct request *request,
    const struct log_entry *entry);

/* POST logs/tool_execution and GET logs/tool_execution/ID. */
void
composio_log_list(struct standin *standin, struct request *request,
    const cJSON *body, struct reply *reply);

void
composio_log_get(struct standin *standin, struct request *request,
    const char *id, struct reply *reply);

/* Writes Gmail's and Linear's state to the state file, if there is one. The
 * lock is held. */
void
standin_save(struct standin *standin);

/* Reads the state file PATH (NULL: none) back, if it is there, and remembers
 * where it is. PATH must live longer. */
int
standin_restore(struct standin *standin, const char *path, struct fail *fail);

#define CLAUDE_ROOT "/v1/"
#define COMPOSIO_ROOT "/api/v3.1/"

#endif
