/* SPDX-License-Identifier: ISC */
/*
 * Any bytes as a journal: what is refused is refused with a reason, what is
 * taken can be planned, looked at and gone on with. tests/unit/agent/
 * test_journal makes changes of its own, which know what an event is.
 */
#include <stdio.h>

#include "tests/fuzz/fuzz.h"
#include "tests/unit/agent/agent_driver.h"

static void
insist(bool holds, const struct driver *driver, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "%s: %s; %s\n", what,
	    driver->fault ? driver->fault : "no fault", driver->fail.message);
	abort();
}

/* Refusals have one of these types: nothing else tells a reader what to do. */
static bool
is_refusal(const struct fail *fail)
{
	return fail->kind == FAIL_NEVER &&
	    (strcmp(fail->type, "invalid_journal") == 0 ||
		strcmp(fail->type, "invalid_event") == 0 ||
		strcmp(fail->type, "unknown_event") == 0);
}

static void
look_at(struct driver *driver)
{
	struct agent_summary summary;
	struct plan plan;
	struct fail fail;
	char *dump;

	agent_summary(driver->agent, &summary);
	if (agent_task(driver->agent)) {
		(void)agent_accepts(driver->agent, "approve",
		    (struct span){ "", 0 }, &fail);
		dump = agent_dump(driver->agent);
		free(dump);
	}
	agent_next(driver->agent, driver->now + 3600000, &plan);
	plan_release(&plan);
	insist(driver_settle(driver, &plan) == 0 && !driver->fault, driver,
	    "a decision is refused");
	agent_summary(driver->agent, &summary);
	if (summary.state == TASK_RUNNING)
		insist(driver_begin(driver, &plan) == 0 && !driver->fault,
		    driver, "an intent is refused");
	plan_release(&plan);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct driver *driver = driver_open();
	const char *line = (const char *)data, *end = line + size, *stop;

	for (; line < end; line = stop + 1) {
		stop = memchr(line, '\n', (size_t)(end - line));
		if (!stop)
			stop = end;
		if (driver_apply(driver, line, (size_t)(stop - line)) < 0) {
			insist(is_refusal(&driver->fail), driver,
			    "not a refusal");
			driver_close(driver);
			return 0;
		}
		insist(!driver->fault || strstr(driver->fault, "repeated"),
		    driver, "an event");
		driver->fault = NULL;
	}
	look_at(driver);
	driver_close(driver);
	return 0;
}
