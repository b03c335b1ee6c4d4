/* SPDX-License-Identifier: ISC */
/*
 * gmail_query: reads one term at a time; all of them must match. A term without
 * a known operator is searched for as a word, as in Gmail.
 */
#include <ctype.h>

#include "cmd/standin/tools/gmail.h"

#define TERM_BYTES 200
#define HOUR 3600000
#define DAY (24 * (int64_t)HOUR)

/* The next term without its quotes; false at the end. */
static bool
next_term(const char **query, char term[TERM_BYTES])
{
	const char *at = *query;
	bool quoted = false;
	size_t size = 0;

	while (isspace((unsigned char)*at))
		at++;
	if (*at == '\0')
		return false;
	for (; *at != '\0' && (quoted || !isspace((unsigned char)*at)); at++) {
		if (*at == '"')
			quoted = !quoted;
		else if (size + 1 < TERM_BYTES)
			term[size++] = *at;
	}
	term[size] = '\0';
	*query = at;
	return true;
}

/* "3d" -> milliseconds; -1 when it is not of this form. */
static int64_t
period(const char *text)
{
	char *end;
	long number = strtol(text, &end, 10);

	if (end == text || number < 0 || number > 100000)
		return -1;
	switch (*end) {
	case 'h':
		return number * HOUR;
	case '\0':
	case 'd':
		return number * DAY;
	case 'w':
		return number * 7 * DAY;
	case 'm':
		return number * 30 * DAY;
	case 'y':
		return number * 365 * DAY;
	default:
		return -1;
	}
}

/* "2026/11/20" or "2026-11-20" -> its start in UTC; -1 if it is not a date. */
static int64_t
day_start(const char *text)
{
	struct tm day = { .tm_year = 0 };
	const char *end;

	end = strptime(text, "%Y/%m/%d", &day);
	if (end == NULL || *end != '\0')
		end = strptime(text, "%Y-%m-%d", &day);
	if (end == NULL || *end != '\0')
		return -1;
	return (int64_t)timegm(&day) * 1000;
}

static bool
in_place(const char *place, const struct mail *mail)
{
	if (strcasecmp(place, "anywhere") == 0 || strcasecmp(place, "all") == 0)
		return true;
	return mail_has_label(mail, place);
}

static bool
contains(const char *text, const char *word)
{
	return strcasestr(text, word) != NULL;
}

static bool
word_matches(const char *term, const struct mail *mail)
{
	return contains(mail->subject, term) || contains(mail->text, term) ||
	    contains(mail->sender, term) || contains(mail->to, term);
}

static bool
term_matches(const char *term, const struct mail *mail, int64_t now)
{
	const char *colon = strchr(term, ':'), *value;
	size_t size;
	int64_t time;

	if (colon == NULL)
		return word_matches(term, mail);
	size = (size_t)(colon - term) + 1;
	value = colon + 1;
	if (strncasecmp(term, "in:", size) == 0 ||
	    strncasecmp(term, "label:", size) == 0)
		return in_place(value, mail);
	if (strncasecmp(term, "is:", size) == 0)
		return strcasecmp(value, "read") == 0
		    ? !mail_has_label(mail, "UNREAD")
		    : mail_has_label(mail, value);
	if (strncasecmp(term, "from:", size) == 0)
		return contains(mail->sender, value);
	if (strncasecmp(term, "to:", size) == 0)
		return contains(mail->to, value);
	if (strncasecmp(term, "subject:", size) == 0)
		return contains(mail->subject, value);
	if (strcasecmp(term, "has:attachment") == 0)
		return mail->file_count > 0;
	if (strncasecmp(term, "newer_than:", size) == 0 &&
	    (time = period(value)) >= 0)
		return mail->date >= now - time;
	if (strncasecmp(term, "older_than:", size) == 0 &&
	    (time = period(value)) >= 0)
		return mail->date < now - time;
	if (strncasecmp(term, "after:", size) == 0 &&
	    (time = day_start(value)) >= 0)
		return mail->date >= time;
	if (strncasecmp(term, "before:", size) == 0 &&
	    (time = day_start(value)) >= 0)
		return mail->date < time;
	return word_matches(term, mail);
}

bool
gmail_query_matches(const char *query, const struct mail *mail, int64_t now)
{
	char term[TERM_BYTES];
	bool negated;

	while (next_term(&query, term)) {
		negated = term[0] == '-' && term[1] != '\0';
		if (term_matches(term + negated, mail, now) == negated)
			return false;
	}
	return true;
}
