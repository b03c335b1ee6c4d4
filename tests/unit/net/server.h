/* SPDX-License-Identifier: ISC */
/*
 * A scripted server on loopback for unit tests: one thread for each
 * connection, which runs the test's function on the bare socket, so that it
 * can misbehave in every way.
 */
#ifndef TESTS_UNIT_NET_SERVER_H
#define TESTS_UNIT_NET_SERVER_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define SERVER_THREADS 600
#define SERVER_REQUEST (8u << 20)

struct server {
	int fd;
	int port;
	char url[64];
	pthread_t acceptor, threads[SERVER_THREADS];
	int sockets[SERVER_THREADS];
	atomic_int connections; /* accepted */
	atomic_int requests;    /* read whole */
	void (*serve)(struct server *server, int fd, int connection);
	char request[65536]; /* the last one of any thread, cut */
};

/* The last request that this thread read. */
static _Thread_local char server_own[65536];

struct server_job {
	struct server *server;
	int connection;
};

/* Reads one request, head and body. False when the peer hung up. */
static inline bool
server_read(struct server *server, int fd)
{
	char *text = malloc(SERVER_REQUEST), *head, *field;
	size_t length = 0, wanted = 0;
	ssize_t got;

	for (;;) {
		text[length] = '\0';
		head = strstr(text, "\r\n\r\n");
		if (head != NULL) {
			field = strcasestr(text, "\r\ncontent-length:");
			wanted = (size_t)(head + 4 - text) +
			    (field != NULL && field < head
				    ? strtoul(field + 17, NULL, 10)
				    : 0);
			if (length >= wanted)
				break;
		}
		got = recv(fd, text + length, SERVER_REQUEST - 1 - length, 0);
		if (got <= 0) {
			free(text);
			return false;
		}
		length += (size_t)got;
	}
	snprintf(server_own, sizeof(server_own), "%s", text);
	memcpy(server->request, server_own, sizeof(server_own));
	free(text);
	atomic_fetch_add(&server->requests, 1);
	return true;
}

static inline void
server_send(int fd, const char *bytes, size_t length)
{
	ssize_t sent;

	while (length > 0) {
		sent = send(fd, bytes, length, MSG_NOSIGNAL);
		if (sent <= 0)
			return;
		bytes += sent;
		length -= (size_t)sent;
	}
}

static inline void
server_say(int fd, const char *text)
{
	server_send(fd, text, strlen(text));
}

/* A whole answer; HEADERS are lines with their ends, or "". */
static inline void
server_answer(int fd, const char *status, const char *headers, const char *body)
{
	char head[4096];

	snprintf(head, sizeof(head),
	    "HTTP/1.1 %s\r\ncontent-length: %zu\r\n%s\r\n", status,
	    strlen(body), headers);
	server_say(fd, head);
	server_say(fd, body);
}

/* Makes the close that follows a reset. */
static inline void
server_reset(int fd)
{
	struct linger linger = { .l_onoff = 1, .l_linger = 0 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
}

static inline void *
server_connection(void *context)
{
	struct server_job *job = context;
	struct server *server = job->server;
	int connection = job->connection;

	free(job);
	server->serve(server, server->sockets[connection], connection);
	close(server->sockets[connection]);
	return NULL;
}

static inline void *
server_accept(void *context)
{
	struct server *server = context;
	struct server_job *job;
	int fd, number;

	while ((fd = accept(server->fd, NULL, NULL)) >= 0) {
		number = atomic_load(&server->connections);
		server->sockets[number] = fd;
		job = malloc(sizeof(*job));
		job->server = server;
		job->connection = number;
		pthread_create(&server->threads[number], NULL,
		    server_connection, job);
		atomic_fetch_add(&server->connections, 1);
	}
	return NULL;
}

static inline struct server *
server_open(void (*serve)(struct server *server, int fd, int connection))
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	struct server *server = calloc(1, sizeof(*server));
	socklen_t size = sizeof(address);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	server->serve = serve;
	server->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(server->fd, (struct sockaddr *)&address, size) < 0 ||
	    listen(server->fd, 512) < 0 ||
	    getsockname(server->fd, (struct sockaddr *)&address, &size) < 0)
		abort();
	server->port = ntohs(address.sin_port);
	snprintf(server->url, sizeof(server->url), "http://127.0.0.1:%d",
	    server->port);
	pthread_create(&server->acceptor, NULL, server_accept, server);
	return server;
}

/* Call it when the client's side is closed: connections must end. */
static inline void
server_close(struct server *server)
{
	int i;

	shutdown(server->fd, SHUT_RDWR);
	pthread_join(server->acceptor, NULL);
	close(server->fd);
	for (i = 0; i < atomic_load(&server->connections); i++)
		pthread_join(server->threads[i], NULL);
	free(server);
}

#endif
