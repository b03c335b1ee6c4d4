/* SPDX-License-Identifier: ISC */
/*
 * The rules about URLs, escapes in them, and excerpts of bodies. Errors about a
 * URL do not have its text, which may contain a secret.
 */
#include <arpa/inet.h>
#include <curl/curl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/net/http.h"

#define EXCERPT_MAX 200

static bool
host_is_loopback(const char *host)
{
	struct in6_addr six;
	struct in_addr four;
	size_t length = strlen(host);
	char bare[64];

	if (inet_pton(AF_INET, host, &four) == 1)
		return ntohl(four.s_addr) >> 24 == 127;
	if (host[0] == '[' && length - 2 < sizeof(bare)) {
		snprintf(bare, sizeof(bare), "%.*s", (int)length - 2, host + 1);
		return inet_pton(AF_INET6, bare, &six) == 1 &&
		    IN6_IS_ADDR_LOOPBACK(&six);
	}
	return strcasecmp(host, "localhost") == 0 ||
	    (length > 10 && strcasecmp(host + length - 10, ".localhost") == 0);
}

int
http_check_url(const char *text, const char *plain, bool *ret_loopback,
    bool *ret_secure, struct fail *fail)
{
	CURLU *url = curl_url();
	char *scheme = NULL, *host = NULL, *user = NULL;
	bool loopback;
	int result = -1;

	if (url == NULL || curl_url_set(url, CURLUPART_URL, text, 0) != 0 ||
	    curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) != 0 ||
	    curl_url_get(url, CURLUPART_HOST, &host, 0) != 0 ||
	    strlen(host) < 2) {
		fail_set(fail, FAIL_NEVER, "invalid_url",
		    "the address of a service is not an http or https URL");
		goto out;
	}
	if (curl_url_get(url, CURLUPART_USER, &user, 0) == 0) {
		fail_set(fail, FAIL_NEVER, "invalid_url",
		    "the URL of %s holds a user name: take it out", host);
		goto out;
	}
	loopback = host_is_loopback(host);
	if (strcmp(scheme, "https") != 0 &&
	    (strcmp(scheme, "http") != 0 ||
		!(loopback ||
		    (plain != NULL && strcasecmp(host, plain) == 0)))) {
		fail_set(fail, FAIL_NEVER, "insecure_url",
		    "%s://%s would send the key unencrypted: use https "
		    "(http is for this machine only, and for the host that "
		    "plain_http in agent.yaml names)",
		    scheme, host);
		goto out;
	}
	*ret_loopback = loopback;
	*ret_secure = strcmp(scheme, "https") == 0;
	result = 0;
out:
	curl_free(scheme);
	curl_free(host);
	curl_free(user);
	curl_url_cleanup(url);
	return result;
}

void
http_escape(struct buf *buf, const char *text)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "abcdefghijklmnopqrstuvwxyz0123456789-._~";

	for (; *text != '\0'; text++) {
		if (strchr(plain, *text) != NULL)
			buf_add(buf, text, 1);
		else
			buf_print(buf, "%%%02X", (unsigned char)*text);
	}
}

void
http_excerpt(struct buf *buf, const char *body, size_t length)
{
	size_t i, start = buf->length;
	bool tag = false, space = false;
	unsigned char c;

	for (i = 0; i < length && buf->length - start < EXCERPT_MAX; i++) {
		c = (unsigned char)body[i];
		if (c == '<' || c == '>')
			tag = c == '<';
		if (c == '<' || c == '>' || c <= ' ') {
			space = true;
		} else if (!tag) {
			if (space && buf->length > start)
				buf_add(buf, " ", 1);
			space = false;
			buf_add(buf, c < 0x7f ? &body[i] : "?", 1);
		}
	}
}
