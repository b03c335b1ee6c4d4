/* SPDX-License-Identifier: ISC */
/*
 * gmail_query: reads one term at a time; all of them must match. A term without
 * a known operator is searched for as a word, as in Gmail.
 */
#include <ctype.h>

#include "cmd/standin/tools/tools.h"

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
	static const struct {
		char unit;
		int64_t hours;
	} units[] = { { 'h', 1 }, { '\0', 24 }, { 'd', 24 }, { 'w', 7 * 24 },
		{ 'm', 30 * 24 }, { 'y', 365 * 24 } };
	char *end;
	long number = strtol(text, &end, 10);
	size_t i;

	if (end == text || number < 0 || number > 100000)
		return -1;
	for (i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (units[i].unit == *end)
			return number * units[i].hours * HOUR;
	return -1;
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
word_matches(const char *term, const struct mail *mail)
{
	return strcasestr(mail->subject, term) != NULL ||
	    strcasestr(mail->text, term) != NULL ||
	    strcasestr(mail->sender, term) != NULL ||
	    strcasestr(mail->to, term) != NULL;
}

static bool
term_matches(const char *term, const struct mail *mail, int64_t now)
{
	const char *colon = strchr(term, ':'), *value;
	int64_t time;
	size_t size;

	if (colon == NULL)
		return word_matches(term, mail);
	size = (size_t)(colon - term) + 1;
	value = colon + 1;
#define IS(operator) (strncasecmp(term, operator":", size) == 0)
	if (IS("in") || IS("label"))
		return strcasecmp(value, "anywhere") == 0 ||
		    strcasecmp(value, "all") == 0 ||
		    mail_has_label(mail, value);
	if (IS("is"))
		return strcasecmp(value, "read") == 0
		    ? !mail_has_label(mail, "UNREAD")
		    : mail_has_label(mail, value);
	if (IS("from"))
		return strcasestr(mail->sender, value) != NULL;
	if (IS("to"))
		return strcasestr(mail->to, value) != NULL;
	if (IS("subject"))
		return strcasestr(mail->subject, value) != NULL;
	if (strcasecmp(term, "has:attachment") == 0)
		return mail->file_count > 0;
	if (IS("newer_than") && (time = period(value)) >= 0)
		return mail->date >= now - time;
	if (IS("older_than") && (time = period(value)) >= 0)
		return mail->date < now - time;
	if (IS("after") && (time = day_start(value)) >= 0)
		return mail->date >= time;
	if (IS("before") && (time = day_start(value)) >= 0)
		return mail->date < time;
#undef IS
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
