/* SPDX-License-Identifier: ISC */
/*
 * The table's columns are as wide as scripts/bench's heading. Every number is
 * a median, with the least and the greatest sample behind it.
 */
#include "tests/bench/measure.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

double
seconds(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

void
die(const char *format, ...)
{
	const char *reason = strerror(errno);
	va_list arguments;

	fprintf(stderr, "bench: ");
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fprintf(stderr, ": %s\n", reason);
	exit(111);
}

/* ---- samples ---- */

void
add(struct samples *samples, double value)
{
	if (samples->count < sizeof(samples->at) / sizeof(samples->at[0]))
		samples->at[samples->count++] = value;
}

static int
compare(const void *a, const void *b)
{
	double first = *(const double *)a, second = *(const double *)b;

	return (first > second) - (first < second);
}

static struct samples
sorted(const struct samples *samples)
{
	struct samples result = *samples;

	if (result.count == 0)
		die("a figure without a sample");
	qsort(result.at, result.count, sizeof(result.at[0]), compare);
	return result;
}

double
median(const struct samples *samples)
{
	struct samples order = sorted(samples);

	return (order.at[(order.count - 1) / 2] + order.at[order.count / 2]) /
	    2;
}

static void
describe(const struct samples *samples, double scale, int decimals,
    const char *unit, char *text, size_t size)
{
	struct samples order = sorted(samples);

	if (order.count == 1)
		snprintf(text, size, "%.*f%s", decimals, order.at[0] * scale,
		    unit);
	else
		snprintf(text, size, "%.*f%s (%.*f-%.*f)", decimals,
		    median(samples) * scale, unit, decimals,
		    order.at[0] * scale, decimals,
		    order.at[order.count - 1] * scale);
}

void
report(const struct figure *figure)
{
	char measured[80], floor[80] = "-", ratio[80] = "-", target[80] = "-";
	double judged;
	const char *verdict = "-";

	describe(figure->measured, figure->scale, figure->decimals,
	    figure->unit, measured, sizeof(measured));
	if (figure->floor)
		describe(figure->floor, figure->scale, figure->decimals,
		    figure->unit, floor, sizeof(floor));
	if (figure->ratio)
		describe(figure->ratio, 1, 2, "", ratio, sizeof(ratio));
	if (figure->target > 0) {
		judged = figure->ratio
		    ? median(figure->ratio)
		    : median(figure->measured) * figure->scale;
		snprintf(target, sizeof(target), "%s %g%s",
		    figure->at_least ? ">=" : "<=", figure->target,
		    figure->ratio ? "" : figure->unit);
		verdict = (figure->at_least ? judged >= figure->target
					    : judged <= figure->target)
		    ? "met"
		    : "missed";
	}
	printf("%-48s %-26s %-26s %-20s %-10s %s\n", figure->name, measured,
	    floor, ratio, target, verdict);
	fflush(stdout);
}

/* ---- processes ---- */

static void
place(int fd, int target)
{
	if (fd < 0)
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (fd == target)
		fcntl(fd, F_SETFD, 0);
	else if (dup2(fd, target) < 0)
		_exit(111);
}

/* execvp does not change the strings; its type is older than const. */
static void
execute(const char *const *argv)
{
	union {
		const char *const *from;
		char *const *to;
	} pointer = { .from = argv };

	execvp(argv[0], pointer.to);
}

pid_t
launch(const char *const *argv, int in, int out, int err)
{
	pid_t pid = fork();

	if (pid < 0)
		die("cannot fork");
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		place(in, 0);
		place(out, 1);
		place(err, 2);
		execute(argv);
		_exit(127);
	}
	return pid;
}

static void
await_success(pid_t pid, const char *name)
{
	int status;

	if (waitpid(pid, &status, 0) < 0 || !WIFEXITED(status) ||
	    WEXITSTATUS(status) != 0)
		die("%s ended with %d", name, WEXITSTATUS(status));
}

static int
memory_file(const char *text, size_t length)
{
	int fd = memfd_create("input", MFD_CLOEXEC);

	if (fd < 0 || write(fd, text, length) != (ssize_t)length ||
	    lseek(fd, 0, SEEK_SET) < 0)
		die("cannot make the input");
	return fd;
}

double
run(const char *const *argv, const char *text, size_t length)
{
	int in = memory_file(text, length);
	double start = seconds(), end;

	await_success(launch(argv, in, -1, 2), argv[0]);
	end = seconds();
	close(in);
	return end - start;
}

double
run_and_read(const char *const *argv, const char *text, size_t length,
    char *ret_output, size_t size)
{
	int in = memory_file(text, length), out = memory_file("", 0);
	double start = seconds(), end;
	ssize_t got;

	await_success(launch(argv, in, out, 2), argv[0]);
	end = seconds();
	got = pread(out, ret_output, size - 1, 0);
	if (got < 0)
		die("cannot read what %s printed", argv[0]);
	ret_output[got] = '\0';
	close(in);
	close(out);
	return end - start;
}

void
finish(pid_t pid)
{
	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0)
		;
}

void
await_lines(int fd, const char *word, size_t count, double *ret_first)
{
	static char text[1 << 16];
	struct pollfd waiting = { .fd = fd, .events = POLLIN };
	size_t length = 0, seen = 0;
	char *line, *end;
	ssize_t got;

	while (seen < count) {
		/* A worker drops lines rather than wait for who reads them. */
		if (poll(&waiting, 1, 60000) != 1)
			die("no \"%s\" within a minute", word);
		got = read(fd, text + length, sizeof(text) - 1 - length);
		if (got <= 0)
			die("a worker ended before \"%s\"", word);
		length += (size_t)got;
		text[length] = '\0';
		for (line = text; (end = strchr(line, '\n')); line = end + 1) {
			*end = '\0';
			if (!strstr(line, word))
				continue;
			if (seen++ == 0 && ret_first)
				*ret_first = seconds();
		}
		length -= (size_t)(line - text);
		memmove(text, line, length);
	}
}

void
make_empty(const char *store)
{
	const char *const worker[] = { "agent-worker", "--exit-when-idle",
		"--store", store, NULL };

	await_success(launch(worker, -1, -1, -1), worker[0]);
}

void
await_probe(const char *store, const char *name, int number)
{
	const char *const argv[] = { "agent-scale-probe", "--store", store,
		NULL };
	const struct timespec pause = { 0, 5000000 };
	char output[4096], wanted[80];
	int tries;

	snprintf(wanted, sizeof(wanted), "\"%s\":%d,", name, number);
	for (tries = 0; tries < 2000; tries++) {
		run_and_read(argv, "", 0, output, sizeof(output));
		if (strstr(output, wanted))
			return;
		nanosleep(&pause, NULL);
	}
	die("agent-scale-probe never told %s: %s", wanted, output);
}

/* ---- files and sockets ---- */

double
file_bytes(const char *path)
{
	struct stat file;

	if (stat(path, &file) < 0)
		die("cannot look at %s", path);
	return (double)file.st_size;
}

char *
read_text(const char *path, size_t *ret_length)
{
	size_t size = (size_t)file_bytes(path);
	char *text = malloc(size + 1);
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (!text || fd < 0 || read(fd, text, size) != (ssize_t)size)
		die("cannot read %s", path);
	text[size] = '\0';
	close(fd);
	*ret_length = size;
	return text;
}

int
listen_here(char *ret_url, size_t size)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (void *)&address, length) < 0 ||
	    listen(fd, 4096) < 0 ||
	    getsockname(fd, (void *)&address, &length) < 0)
		die("cannot listen");
	snprintf(ret_url, size, "http://127.0.0.1:%u",
	    (unsigned)ntohs(address.sin_port));
	return fd;
}
