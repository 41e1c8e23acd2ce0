/** `POST /build?version=2`: a build whose steps are told as BuildKit's vertices, and whose outputs go to a session. */
import { randomBytes } from "node:crypto";
import { buildLineIds } from "../../api/answers/builds.ts";
import { decodeJson, list, map, string } from "../../api/shape.ts";
import type { AskedBuild, BuildOutcome, BuildSource } from "../../build/builds.ts";
import { agentsOf } from "../buildkit/agents.ts";
import { exportsOf, importsOf, parseEntries } from "../buildkit/caches.ts";
import { contextsOf } from "../buildkit/contexts.ts";
import { decodeEntries, type Entry } from "../buildkit/entries.ts";
import { outputsOf, responseOf } from "../buildkit/exporters.ts";
import { Progress } from "../buildkit/progress.ts";
import { answerQuestion } from "../buildkit/questions.ts";
import type { Session } from "../buildkit/session.ts";
import { fetchCredentials, fetchSecrets, readSource } from "../buildkit/sources.ts";
import type { Call } from "../call.ts";
import { daemonError } from "../errors.ts";
import type { Query } from "../query.ts";

const images = ["moby", "image", "registry", "docker", "oci"];

/** What is asked for; an image that has names as the tags say, where nothing is. */
const exportersOf = (query: Query): readonly Entry[] => {
  const tags = query.list("t").filter((name) => name !== "");
  const named = (type: string, attributes: Entry["attributes"]): Entry => ({
    type,
    attributes:
      images.includes(type) && tags.length > 0 ? new Map([...attributes, ["name", tags.join(",")]]) : attributes,
  });
  const text = query.text("outputs");
  if (text === "" || text === "[]" || text === "null") return [named("moby", new Map())];
  try {
    // What clients call the output that is none.
    return decodeEntries(text)
      .filter(({ type }) => type !== "cacheonly")
      .map(({ type, attributes }) => named(type, attributes));
  } catch (cause) {
    throw daemonError("invalidJson", { name: "outputs" }, cause);
  }
};

const sessionOf = async ({ services, query, signal }: Call): Promise<Session | undefined> => {
  const id = query.text("session");
  return id === "" ? undefined : await services.buildkit.sessions.find(id, signal);
};

/** Docker's list of names, and pier's own of what BuildKit's clients can say. */
const cacheImports = (query: Query): readonly Entry[] => {
  const named = query.text("cachefrom");
  const refs = named === "" || named === "null" ? [] : list(string)(decodeJson(Buffer.from(named)), "cachefrom");
  return [
    ...refs.map((ref) => ({ type: "registry", attributes: new Map([["ref", ref]]) })),
    ...parseEntries(query.text("cacheimports")),
  ];
};

/** The body, what the session has, or what we fetch by ourselves. */
const sourceOf = async (
  { request, query, signal }: Call,
  session: Session | undefined,
  progress: Progress,
): Promise<BuildSource> => {
  const dockerfile = query.text("dockerfile") || "Dockerfile";
  const remote = query.text("remote");
  if (remote !== "client-session") return { archive: remote || request, dockerfile };
  if (session === undefined) throw daemonError("noSession", {});
  return await readSource(session, dockerfile, progress, signal);
};

const contextTexts = map(string);

/** `{"NAME":"ADDRESS"}`, which is pier's own: Docker's clients say it in BuildKit's protocol alone. */
const parseContexts = (query: Query): readonly (readonly [string, string])[] => {
  const text = query.text("contexts");
  try {
    return text === "" ? [] : Object.entries(contextTexts(decodeJson(Buffer.from(text)), "contexts"));
  } catch (cause) {
    throw daemonError("invalidJson", { name: "contexts" }, cause);
  }
};

/** Holds afterwards: what was built is where it was asked for; rejects with why it is not. */
export const runTracedBuild = async (call: Call, asked: AskedBuild, write: (line: unknown) => void): Promise<void> => {
  const { services, query, signal } = call;
  const exporters = exportersOf(query);
  const session = await sessionOf(call);
  const progress = new Progress(randomBytes(8).toString("hex"));
  const cacheTo = parseEntries(query.text("cacheexports"));
  const telling = tell(progress, write);
  const credentials: AskedBuild["credentials"] = async (domain) =>
    (await asked.credentials(domain)) ?? (session === undefined ? undefined : await fetchCredentials(session, domain));
  const secrets: AskedBuild["secrets"] = async (ids) => {
    const given = await asked.secrets(ids);
    const missing = ids.filter((id) => !given.has(id));
    return session === undefined ? given : new Map([...given, ...(await fetchSecrets(session, missing))]);
  };
  const run = async (): Promise<BuildOutcome | undefined> => {
    // What is wrong with what was asked for is said before anything is read.
    const whole: AskedBuild = {
      ...{ ...asked, credentials, secrets, contexts: contextsOf(parseContexts(query), session) },
      ...{ outputs: outputsOf(exporters, session), cacheTo: exportsOf(cacheTo, session) },
      ...(session === undefined ? {} : { agents: agentsOf(session) }),
      cacheFrom: importsOf(cacheImports(query), session),
    };
    const source = await sourceOf(call, session, progress);
    const question = query.text("call");
    if (question !== "") {
      const answer = await answerQuestion(services, question, async () => ({ asked: whole, source }), signal);
      write({ id: buildLineIds.answer, aux: answer });
      return undefined;
    }
    return await services.builds.build(whole, source, {
      signal,
      listener: (event) => progress.hear(event),
      failed: ({ excerpt }) => {
        if (excerpt !== "") write({ id: buildLineIds.source, aux: excerpt });
      },
    });
  };
  try {
    const outcome = await run();
    if (outcome === undefined) return;
    write({ id: buildLineIds.image, aux: { ID: outcome.id } });
    write({ id: buildLineIds.response, aux: Object.fromEntries(responseOf(outcome)) });
  } finally {
    progress.end();
    await telling;
  }
};

const tell = async (progress: Progress, write: (line: unknown) => void): Promise<void> => {
  for await (const bytes of progress.messages())
    write({ id: buildLineIds.trace, aux: Buffer.from(bytes).toString("base64") });
};
