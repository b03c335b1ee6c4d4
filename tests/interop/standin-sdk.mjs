// SPDX-License-Identifier: ISC
// The official TypeScript SDKs of both services against agent-standin: they are
// in the folder that is the argument. Prints TAP; the environment is that of
// standin-sdk.py.
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const require = createRequire(`${process.argv[2]}/package.json`);
const load = (name) => import(pathToFileURL(require.resolve(name)).href);
const { default: Anthropic } = await load("@anthropic-ai/sdk");
const { Composio } = await load("@composio/core");
const { betaTool } = await load("@anthropic-ai/sdk/helpers/beta/json-schema");

let count = 0;
const ok = (passed, name, detail) => {
  count += 1;
  console.log(`${passed ? "ok" : "not ok"} ${count} - ${name}`);
  if (!passed) console.log(`# ${JSON.stringify(detail)}`);
};
const refused = async (call, fits, name) => {
  try {
    ok(false, name, await call());
  } catch (error) {
    ok(fits(error), name, String(error));
    return error;
  }
};
// What an SDK only warns of is wrong, too.
const warnings = [];
for (const level of ["warn", "error"]) {
  console[level] = (...words) => warnings.push(words.join(" "));
}

const tools = [{
  name: "TEST_ECHO",
  description: "says it again",
  input_schema: { type: "object", properties: { text: { type: "string" } } },
}];
const ask = {
  model: "claude-opus-5-5", max_tokens: 2000, tools,
  thinking: { type: "adaptive", display: "summarized" },
  messages: [{ role: "user", content: "use the echo" }],
};

async function claude() {
  const client = new Anthropic({ maxRetries: 0 });
  const message = await client.messages.create(ask);
  ok(message.stop_reason === "tool_use" && message._request_id, "messages.create", message);
  const streamed = await client.messages.stream(ask).finalMessage();
  const bare = (blocks) => JSON.stringify(blocks.map(({ type, text, input, thinking, signature }) =>
    ({ type, text, input, thinking, signature })));
  ok(bare(streamed.content) === bare(message.content), "messages.stream gives the same", streamed);
  ok((await client.models.retrieve("claude-opus-5-5")).max_tokens > 0, "models.retrieve");
  const models = [];
  for await (const model of client.models.list()) models.push(model.id);
  ok(models.length > 10, "models.list", models);
  const counted = await client.messages.countTokens({ model: ask.model, messages: ask.messages, tools });
  ok(counted.input_tokens > 0, "messages.countTokens", counted);

  const echo = betaTool({
    name: "TEST_ECHO", description: "says it again",
    inputSchema: { type: "object", properties: { text: { type: "string" } }, required: ["text"] },
    run: ({ text }) => JSON.stringify({ said: `you said ${text}` }),
  });
  const last = await client.beta.messages.toolRunner({
    model: ask.model, max_tokens: 2000, tools: [echo], messages: ask.messages,
  });
  ok(last.content.at(-1).text.startsWith("Heard you said"), "the tool runner finishes", last);

  await refused(() => client.messages.create({ ...ask, model: "no-such" }),
    (error) => error instanceof Anthropic.NotFoundError, "an unknown model is NotFoundError");
  await refused(() => client.messages.create({ ...ask, temperature: 1 }),
    (error) => error instanceof Anthropic.BadRequestError, "temperature is BadRequestError");
  await refused(() => new Anthropic({ apiKey: "wrong", maxRetries: 0 }).messages.create(ask),
    (error) => error instanceof Anthropic.AuthenticationError, "a wrong key is AuthenticationError");
  const next = {
    ...ask, messages: [...ask.messages, { role: "assistant", content: message.content }, {
      role: "user",
      content: message.content.filter((block) => block.type === "tool_use")
        .map((block) => ({ type: "tool_result", tool_use_id: block.id, content: "x" })),
    }],
  };
  await refused(() => client.messages.create({ ...next, system: "other" }),
    (error) => error instanceof Anthropic.BadRequestError && /bound to a different conversation/.test(error.message),
    "a changed prefix is BadRequestError");
  ok((await client.messages.create(next)).stop_reason === "end_turn", "unchanged, it goes on");
}

async function composio() {
  const client = new Composio({
    apiKey: process.env.COMPOSIO_API_KEY, baseURL: process.env.COMPOSIO_BASE_URL,
    allowTracking: false, disableVersionCheck: true, toolkitVersions: { gmail: "20261101_00" },
  });
  const page = await client.connectedAccounts.list({ userIds: ["u1"], toolkitSlugs: ["gmail", "linear"], limit: 100 });
  ok(page.items.map((item) => item.id).sort().join() === "ca_gmail1,ca_gmail_off,ca_linear1,ca_linear_all"
    && !page.nextCursor, "connectedAccounts.list", page);
  ok((await client.connectedAccounts.get("ca_gmail1")).toolkit.slug === "gmail", "connectedAccounts.get");
  const raw = await client.tools.getRawComposioTools({ tools: ["GMAIL_FETCH_EMAILS"] });
  ok(raw.map((tool) => `${tool.slug} ${tool.toolkit?.slug} ${tool.version}`).join()
    === "GMAIL_FETCH_EMAILS gmail 20261101_00", "tools by slug", raw);
  ok((await client.toolkits.get("gmail")).slug === "gmail", "toolkits.get");
  const wanted = { userId: "u1", connectedAccountId: "ca_gmail1", version: "20261101_00" };
  let done = await client.tools.execute("GMAIL_FETCH_EMAILS",
    { ...wanted, arguments: { query: "newer_than:3d", max_results: 3 } });
  ok(done.successful && done.error === null && done.data.messages.length === 3, "tools.execute", done);
  done = await client.tools.execute("GMAIL_CREATE_EMAIL_DRAFT",
    { ...wanted, arguments: { recipient_email: "x", subject: "s", body: "b" } });
  ok(!done.successful && /Invalid To/.test(done.error), "a tool that fails", done);
  await refused(() => client.tools.getRawComposioToolBySlug("NO_SUCH_TOOL"),
    (error) => /NO_SUCH_TOOL|not found/i.test(String(error)), "an unknown tool is an error");
  await refused(() => client.tools.execute("GMAIL_GET_PROFILE", { ...wanted, userId: "u2", arguments: {} }),
    () => true, "somebody else's account is an error");
  const link = await client.connectedAccounts.link("u7", "ac_gmail");
  ok(link.redirectUrl.startsWith("http") && link.id, "connectedAccounts.link", link);
  const configs = await client.authConfigs.list({ toolkit: "gmail" });
  ok(configs.items.length === 1, "authConfigs.list", configs);
}

await claude();
await composio();
const wrong = warnings.filter((line) => /Transform validation failed|Required|Invalid/.test(line));
ok(wrong.length === 0, "neither finds a fault in an answer", wrong);
console.log(`1..${count}`);
