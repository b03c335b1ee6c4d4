/* SPDX-License-Identifier: ISC */
/*
 * cli: which setting wins, and where the store is.
 */
#include "common/cli/cli.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/base/file.h"

static const char *const variables[] = {
	"AGENT_STORE",
	"AGENT_ENGINE",
	"AGENT_CONFIG",
	"XDG_STATE_HOME",
	"XDG_CONFIG_HOME",
	"HOME",
	"ANTHROPIC_BASE_URL",
	"COMPOSIO_BASE_URL",
};

static char folder[] = "/tmp/agent-test-cli.XXXXXX";

static int
no_environment(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(variables) / sizeof(variables[0]); i++)
		unsetenv(variables[i]);
	return 0;
}

static const char *
write_config(const char *text)
{
	static char path[200];
	struct fail fail;

	snprintf(path, sizeof(path), "%s/agent.yaml", folder);
	if (file_replace(path, text, strlen(text), &fail) < 0)
		fail_msg("%s", fail.message);
	return path;
}

static void
settings(struct cli *cli)
{
	struct fail fail;

	if (cli_settings(cli, &fail) < 0)
		fail_msg("%s", fail.message);
}

static void
options_beat_environment_beats_file(void **state)
{
	struct cli cli = { .program = "test" };

	(void)state;
	cli.config_path = write_config(
	    "store: /file\nengine: a\n"
	    "composio: {url: 'http://127.0.0.1:1'}\n");
	settings(&cli);
	assert_string_equal(cli_store(&cli), "/file");
	assert_string_equal(cli.engine, "a");
	assert_string_equal(cli.config.composio_url, "http://127.0.0.1:1");
	config_release(&cli.config);

	setenv("AGENT_STORE", "/environment", 1);
	setenv("AGENT_ENGINE", "b", 1);
	setenv("COMPOSIO_BASE_URL", "http://127.0.0.1:2/", 1);
	cli.engine = NULL;
	settings(&cli);
	assert_string_equal(cli_store(&cli), "/environment");
	assert_string_equal(cli.engine, "b");
	assert_string_equal(cli.config.composio_url, "http://127.0.0.1:2");
	config_release(&cli.config);

	cli.store = "/option";
	cli.engine = "c";
	settings(&cli);
	assert_string_equal(cli_store(&cli), "/option");
	assert_string_equal(cli.engine, "c");
	config_release(&cli.config);
}

static void
an_empty_variable_is_none(void **state)
{
	struct cli cli = { .program = "test" };

	(void)state;
	setenv("AGENT_STORE", "", 1);
	setenv("ANTHROPIC_BASE_URL", "", 1);
	setenv("XDG_STATE_HOME", "/state", 1);
	settings(&cli);
	assert_string_equal(cli_store(&cli), "/state/agent-utils");
	assert_string_equal(cli.config.anthropic_url,
	    "https://api.anthropic.com");
	config_release(&cli.config);
}

static void
the_store_without_a_setting(void **state)
{
	struct cli cli = { .program = "test" };

	(void)state;
	setenv("HOME", "/home/someone", 1);
	settings(&cli);
	assert_string_equal(cli_store(&cli),
	    geteuid() == 0 ? "/var/lib/agent-utils"
			   : "/home/someone/.local/state/agent-utils");
	config_release(&cli.config);
	unsetenv("HOME");
	settings(&cli);
	assert_non_null(cli_store(&cli));
	config_release(&cli.config);
}

static void
faults(void **state)
{
	struct cli cli = { .program = "test" };
	struct fail fail;

	(void)state;
	cli.config_path = "/nonexistent/agent.yaml";
	assert_int_equal(cli_settings(&cli, &fail), -1);
	assert_int_equal(fail.kind, FAIL_NEVER);
	assert_non_null(strstr(fail.message, "/nonexistent/agent.yaml"));
	cli.config_path = NULL;
	setenv("ANTHROPIC_BASE_URL", "gopher://x", 1);
	assert_int_equal(cli_settings(&cli, &fail), -1);
	assert_int_equal(fail.kind, FAIL_NEVER);
	assert_non_null(strstr(fail.message, "ANTHROPIC_BASE_URL"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(options_beat_environment_beats_file,
		    no_environment),
		cmocka_unit_test_setup(an_empty_variable_is_none,
		    no_environment),
		cmocka_unit_test_setup(the_store_without_a_setting,
		    no_environment),
		cmocka_unit_test_setup(faults, no_environment),
	};
	char path[200];
	int failed;

	cmocka_set_message_output(CM_OUTPUT_TAP);
	if (mkdtemp(folder) == NULL)
		return 1;
	failed = cmocka_run_group_tests_name("cli", tests, NULL, NULL);
	snprintf(path, sizeof(path), "%s/agent.yaml", folder);
	unlink(path);
	rmdir(folder);
	return failed;
}
