/* SPDX-License-Identifier: ISC */
/*
 * floor-request URL: the least that a program with libcurl does before its
 * first request is out. A program of its own, because loading libcurl is what
 * is measured.
 */
#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

int
main(int argc, char **argv)
{
	CURL *easy;

	if (argc != 2 || curl_global_init(CURL_GLOBAL_DEFAULT) != 0)
		return 111;
	easy = curl_easy_init();
	curl_easy_setopt(easy, CURLOPT_URL, argv[1]);
	curl_easy_setopt(easy, CURLOPT_POSTFIELDS, "{}");
	/* Nobody answers: the driver only looks when the request comes. */
	(void)curl_easy_perform(easy);
	curl_easy_cleanup(easy);
	curl_global_cleanup();
	return 0;
}
