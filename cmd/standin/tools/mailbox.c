/* SPDX-License-Identifier: ISC */
/*
 * mailbox: every message is parsed once, when the program starts.
 *
 * A message's id is made from its Message-ID, a thread's from the first id in
 * References (or In-Reply-To), so that both stay the same from run to run. A
 * second message with the same Message-ID is dropped, as Gmail does.
 *
 * Labels come from X-Gmail-Labels, which exports of Gmail have; a message
 * without that header is in the inbox.
 *
 * The text is the first text/plain part, else the first text/html part
 * without its tags. That is done roughly; it is for reading, not for showing.
 */
#include "cmd/standin/tools/mailbox.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <gmime/gmime.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/mem.h"

#define TEXT_BYTES ((size_t)4 << 20)

struct mailbox {
	struct mail **mails;
	size_t count;
	GHashTable *ids;     /* id -> mail */
	GHashTable *threads; /* a set */
	char *address;
};

static void
hash_id(const char *text, char ret_id[MAIL_ID])
{
	char *digest = g_compute_checksum_for_string(G_CHECKSUM_SHA256, text,
	    -1);

	/* Like Gmail's: the time is in the upper digits there. */
	snprintf(ret_id, MAIL_ID, "19%.14s", digest);
	g_free(digest);
}

static void
mail_free(struct mail *mail)
{
	size_t i;

	if (mail == NULL)
		return;
	free(mail->sender);
	free(mail->to);
	free(mail->subject);
	free(mail->text);
	free(mail->headers);
	for (i = 0; i < mail->label_count; i++)
		free(mail->labels[i]);
	for (i = 0; i < mail->file_count; i++)
		free(mail->files[i]);
	free(mail->files);
	free(mail);
}

bool
mail_has_label(const struct mail *mail, const char *label)
{
	size_t i;

	for (i = 0; i < mail->label_count; i++)
		if (strcasecmp(mail->labels[i], label) == 0)
			return true;
	return false;
}

void
mail_add_label(struct mail *mail, const char *label)
{
	if (mail->label_count < MAIL_LABELS && *label != '\0' &&
	    !mail_has_label(mail, label))
		mail->labels[mail->label_count++] = mem_string(label);
}

void
mail_remove_label(struct mail *mail, const char *label)
{
	size_t i;

	for (i = 0; i < mail->label_count; i++) {
		if (strcasecmp(mail->labels[i], label) != 0)
			continue;
		free(mail->labels[i]);
		mail->labels[i] = mail->labels[--mail->label_count];
		return;
	}
}

/* "Inbox,Unread,Work" -> INBOX, UNREAD, Work */
static void
read_labels(GMimeObject *object, struct mail *mail)
{
	static const char *const system[] = { "CHAT", "DRAFT", "IMPORTANT",
		"INBOX", "SENT", "SPAM", "STARRED", "TRASH", "UNREAD" };
	const char *header = g_mime_object_get_header(object, "X-Gmail-Labels");
	gchar **parts;
	size_t i, j;

	if (header == NULL) {
		mail_add_label(mail, "INBOX");
		header = g_mime_object_get_header(object, "Status");
		if (header == NULL || strchr(header, 'R') == NULL)
			mail_add_label(mail, "UNREAD");
		return;
	}
	parts = g_strsplit(header, ",", MAIL_LABELS);
	for (i = 0; parts[i] != NULL; i++) {
		g_strstrip(parts[i]);
		for (j = 0; j < sizeof(system) / sizeof(system[0]); j++)
			if (strcasecmp(system[j], parts[i]) == 0)
				break;
		mail_add_label(mail,
		    j < sizeof(system) / sizeof(system[0]) ? system[j]
							   : parts[i]);
	}
	g_strfreev(parts);
}

static void
entity(const char **at, struct buf *buf)
{
	static const struct {
		const char *name, *text;
	} known[] = { { "&amp;", "&" }, { "&lt;", "<" }, { "&gt;", ">" },
		{ "&quot;", "\"" }, { "&#39;", "'" }, { "&apos;", "'" },
		{ "&nbsp;", " " } };
	size_t i;

	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strncmp(*at, known[i].name, strlen(known[i].name)) == 0) {
			buf_add_string(buf, known[i].text);
			*at += strlen(known[i].name);
			return;
		}
	}
	buf_add(buf, (*at)++, 1);
}

/* The position after the tag at AT. */
static const char *
skip_tag(const char *at)
{
	static const char *const closed[] = { "script", "style", "head",
		"title" };
	const char *end;
	char close[16];
	size_t i;

	if (strncmp(at, "<!--", 4) == 0) {
		end = strstr(at, "-->");
		return end == NULL ? at + strlen(at) : end + 3;
	}
	for (i = 0; i < sizeof(closed) / sizeof(closed[0]); i++) {
		if (strncasecmp(at + 1, closed[i], strlen(closed[i])) != 0)
			continue;
		snprintf(close, sizeof(close), "</%s", closed[i]);
		end = strcasestr(at, close);
		if (end != NULL)
			at = end;
		break;
	}
	end = strchr(at, '>');
	return end == NULL ? at + strlen(at) : end + 1;
}

static char *
without_tags(const char *html)
{
	struct buf buf = BUF_INIT(TEXT_BYTES);
	bool space = true;

	while (*html != '\0') {
		if (*html == '<') {
			html = skip_tag(html);
			if (!space)
				buf_add(&buf, " ", 1);
			space = true;
		} else if (*html == '&') {
			entity(&html, &buf);
			space = false;
		} else if (isspace((unsigned char)*html)) {
			if (!space)
				buf_add(&buf, " ", 1);
			space = true;
			html++;
		} else {
			buf_add(&buf, html++, 1);
			space = false;
		}
	}
	return buf_detach(&buf, NULL);
}

/* A cut text may end within a character, and some mails lie about their
 * charset: the output is UTF-8 without NULs in any case. */
static char *
clean(const char *text)
{
	gchar *valid = g_utf8_make_valid(text == NULL ? "" : text, -1);
	char *copy = mem_string(valid);

	g_free(valid);
	return copy;
}

/* As clean, of GLib's TEXT, which it frees. */
static char *
clean_own(gchar *text)
{
	char *copy = clean(text);

	g_free(text);
	return copy;
}

struct parts {
	char *plain, *html;
	struct mail *mail;
};

static void
look_at_part(GMimeObject *parent, GMimeObject *part, gpointer context)
{
	struct parts *parts = context;
	GMimeContentType *type;
	const char *name;
	char **slot;

	(void)parent;
	if (!GMIME_IS_PART(part))
		return;
	name = g_mime_part_get_filename(GMIME_PART(part));
	if (name != NULL) {
		parts->mail->files = mem_grow(parts->mail->files,
		    parts->mail->file_count + 1, sizeof(char *));
		parts->mail->files[parts->mail->file_count++] = clean(name);
		return;
	}
	if (!GMIME_IS_TEXT_PART(part))
		return;
	type = g_mime_object_get_content_type(part);
	slot = g_mime_content_type_is_type(type, "text", "html")
	    ? &parts->html
	    : &parts->plain;
	if (*slot != NULL)
		return;
	*slot = clean_own(g_mime_text_part_get_text(GMIME_TEXT_PART(part)));
}

static void
read_text(GMimeMessage *message, struct mail *mail)
{
	struct parts parts = { NULL, NULL, mail };
	GMimeObject *body = g_mime_message_get_mime_part(message);

	if (GMIME_IS_MULTIPART(body))
		g_mime_multipart_foreach(GMIME_MULTIPART(body), look_at_part,
		    &parts);
	else if (body != NULL)
		look_at_part(NULL, body, &parts);
	if (parts.plain == NULL)
		parts.plain = without_tags(parts.html ? parts.html : "");
	mail->text = parts.plain;
	free(parts.html);
}

static void
read_thread(GMimeObject *object, struct mail *mail)
{
	static const char *const names[] = { "References", "In-Reply-To" };
	GMimeReferences *references;
	const char *header, *first = NULL;
	size_t i;

	memcpy(mail->thread, mail->id, MAIL_ID);
	for (i = 0; i < 2 && first == NULL; i++) {
		header = g_mime_object_get_header(object, names[i]);
		if (header == NULL)
			continue;
		references = g_mime_references_parse(NULL, header);
		first = g_mime_references_get_message_id(references, 0);
		if (first != NULL)
			hash_id(first, mail->thread);
		g_mime_references_free(references);
	}
}

static char *
addresses(InternetAddressList *list)
{
	return list == NULL
	    ? mem_string("")
	    : clean_own(internet_address_list_to_string(list, NULL, FALSE));
}

static struct mail *
read_mail(GMimeMessage *message, size_t number)
{
	struct mail *mail = mem_alloc(sizeof(*mail));
	GMimeObject *object = GMIME_OBJECT(message);
	const char *id = g_mime_message_get_message_id(message);
	GDateTime *date = g_mime_message_get_date(message);
	char *message_id;

	message_id = id != NULL ? clean(id)
				: mem_print("message-%zu@mailbox", number);
	hash_id(message_id, mail->id);
	free(message_id);
	read_thread(object, mail);
	mail->date = date == NULL ? 0 : g_date_time_to_unix(date) * 1000;
	mail->sender = addresses(g_mime_message_get_from(message));
	mail->to = addresses(g_mime_message_get_to(message));
	mail->subject = clean(g_mime_message_get_subject(message));
	mail->headers = clean_own(g_mime_object_get_headers(object, NULL));
	read_labels(object, mail);
	read_text(message, mail);
	return mail;
}

static int
newest_first(const void *a, const void *b)
{
	const struct mail *left = *(struct mail *const *)a;
	const struct mail *right = *(struct mail *const *)b;

	if (left->date != right->date)
		return left->date < right->date ? 1 : -1;
	return strcmp(left->id, right->id);
}

static void
add(struct mailbox *mailbox, struct mail *mail)
{
	if (g_hash_table_contains(mailbox->ids, mail->id)) {
		mail_free(mail);
		return;
	}
	mailbox->mails = mem_grow(mailbox->mails, mailbox->count + 1,
	    sizeof(struct mail *));
	mailbox->mails[mailbox->count++] = mail;
	g_hash_table_insert(mailbox->ids, mail->id, mail);
	g_hash_table_add(mailbox->threads, mail->thread);
}

static void
read_all(struct mailbox *mailbox, GMimeStream *stream)
{
	GMimeParser *parser = g_mime_parser_new_with_stream(stream);
	GMimeMessage *message;
	size_t number = 0;

	g_mime_parser_set_format(parser, GMIME_FORMAT_MBOX);
	while (!g_mime_parser_eos(parser)) {
		message = g_mime_parser_construct_message(parser, NULL);
		if (message == NULL)
			break;
		add(mailbox, read_mail(message, ++number));
		g_object_unref(message);
	}
	g_object_unref(parser);
}

/* The most frequent To address, without its name. */
static void
find_address(struct mailbox *mailbox)
{
	GHashTable *counts = g_hash_table_new(g_str_hash, g_str_equal);
	const char *best = NULL, *to, *open;
	size_t i, most = 0, count, size;

	for (i = 0; i < mailbox->count; i++) {
		to = mailbox->mails[i]->to;
		if (*to == '\0' || strchr(to, ',') != NULL)
			continue;
		count = GPOINTER_TO_SIZE(g_hash_table_lookup(counts, to)) + 1;
		g_hash_table_insert(counts, mailbox->mails[i]->to,
		    GSIZE_TO_POINTER(count));
		if (count > most) {
			most = count;
			best = to;
		}
	}
	g_hash_table_destroy(counts);
	if (best == NULL)
		best = "me@example.com";
	open = strchr(best, '<');
	best = open == NULL ? best : open + 1;
	size = strcspn(best, ">");
	mailbox->address = mem_copy(best, size);
}

int
mailbox_open(const char *path, struct mailbox **ret_mailbox, struct fail *fail)
{
	struct mailbox *mailbox = mem_alloc(sizeof(*mailbox));
	GMimeStream *stream;
	char start[5];
	ssize_t got;
	int descriptor;

	mailbox->ids = g_hash_table_new(g_str_hash, g_str_equal);
	mailbox->threads = g_hash_table_new(g_str_hash, g_str_equal);
	if (path != NULL) {
		descriptor = open(path, O_RDONLY | O_CLOEXEC);
		if (descriptor < 0) {
			mailbox_close(mailbox);
			return fail_errno(fail, "cannot open mailbox %s", path);
		}
		got = pread(descriptor, start, sizeof(start), 0);
		if (got < 0 ||
		    (got > 0 && (got < 5 || memcmp(start, "From ", 5) != 0))) {
			close(descriptor);
			mailbox_close(mailbox);
			return fail_set(fail, FAIL_NEVER, "bad_mailbox",
			    "%s is not an mbox file: it does not start with "
			    "\"From \"",
			    path);
		}
		g_mime_init();
		stream = g_mime_stream_fs_new(descriptor); /* takes it over */
		read_all(mailbox, stream);
		g_object_unref(stream);
		g_mime_shutdown();
	}
	if (mailbox->count > 0)
		qsort(mailbox->mails, mailbox->count, sizeof(struct mail *),
		    newest_first);
	find_address(mailbox);
	*ret_mailbox = mailbox;
	return 0;
}

void
mailbox_close(struct mailbox *mailbox)
{
	size_t i;

	if (mailbox == NULL)
		return;
	g_hash_table_destroy(mailbox->ids);
	g_hash_table_destroy(mailbox->threads);
	for (i = 0; i < mailbox->count; i++)
		mail_free(mailbox->mails[i]);
	free(mailbox->mails);
	free(mailbox->address);
	free(mailbox);
}

struct mail *
mailbox_at(const struct mailbox *mailbox, size_t index)
{
	return index < mailbox->count ? mailbox->mails[index] : NULL;
}

struct mail *
mailbox_find(const struct mailbox *mailbox, const char *id)
{
	return g_hash_table_lookup(mailbox->ids, id);
}

bool
mailbox_has_thread(const struct mailbox *mailbox, const char *thread)
{
	return g_hash_table_contains(mailbox->threads, thread);
}

int64_t
mailbox_now(const struct mailbox *mailbox)
{
	return mailbox->count > 0 ? mailbox->mails[0]->date : 0;
}

const char *
mailbox_address(const struct mailbox *mailbox)
{
	return mailbox->address;
}
