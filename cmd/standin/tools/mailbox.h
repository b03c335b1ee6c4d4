/* SPDX-License-Identifier: ISC */
/*
 * mailbox: the messages of an mbox file, read by GMime, the only module that
 * knows it. They do not change after loading, except for their labels.
 */
#ifndef CMD_STANDIN_TOOLS_MAILBOX_H
#define CMD_STANDIN_TOOLS_MAILBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/fail.h"

#define MAIL_ID 17 /* 16 hexadecimal digits and a NUL */
#define MAIL_LABELS 16

struct mail {
	char id[MAIL_ID], thread[MAIL_ID];
	int64_t date; /* milliseconds since 1970 */
	char *sender, *to, *subject;
	char *text;    /* UTF-8, without markup */
	char *headers; /* the header block as text */
	char *labels[MAIL_LABELS];
	size_t label_count;
	char **files; /* names of attachments */
	size_t file_count;
};

struct mailbox;

/* FAIL_NEVER when PATH is not an mbox. NULL gives an empty mailbox. */
int
mailbox_open(const char *path, struct mailbox **ret_mailbox, struct fail *fail);

void
mailbox_close(struct mailbox *mailbox); /* NULL is fine */

/* Newest first; NULL at the end. */
struct mail *
mailbox_at(const struct mailbox *mailbox, size_t index);

struct mail *
mailbox_find(const struct mailbox *mailbox, const char *id);

bool
mailbox_has_thread(const struct mailbox *mailbox, const char *thread);

/* The date of the newest message: the mailbox's own "now". */
int64_t
mailbox_now(const struct mailbox *mailbox);

/* The address that most of the mail was sent to. */
const char *
mailbox_address(const struct mailbox *mailbox);

bool
mail_has_label(const struct mail *mail, const char *label);

/* Has no effect when the label is there already, or there are too many. */
void
mail_add_label(struct mail *mail, const char *label);

void
mail_remove_label(struct mail *mail, const char *label);

#endif
