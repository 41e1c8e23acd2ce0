/** `pier exec` */
import type { Client } from "../../api/client.ts";
import type { ExecCreateBody } from "../../api/types.ts";
import { type Call, command } from "../command.ts";
import { checkVariable, gatherVariables } from "../create/env-files.ts";
import { flag } from "../flags.ts";
import { parseDetachKeys } from "../streams/detach-keys.ts";
import { runSession } from "../streams/session.ts";
import { checkTerminal, openRawTerminal, terminalSize } from "../streams/terminal.ts";
import { WindowWatch } from "../streams/window.ts";
import { boolean, list, text, texts } from "../values/kinds.ts";

const flags = {
  detach: flag(boolean(), "Detached mode: run command in the background", { short: "d" }),
  "detach-keys": flag(text(), "Override the key sequence for detaching a container"),
  env: flag(list(checkVariable), "Set environment variables", { short: "e" }),
  "env-file": flag(texts, "Read in a file of environment variables"),
  interactive: flag(boolean(), "Keep STDIN open even if not attached", { short: "i" }),
  privileged: flag(boolean(), "Give extended privileges to the command"),
  tty: flag(boolean(), "Allocate a pseudo-TTY", { short: "t" }),
  user: flag(text(), 'Username or UID (format: "<name|uid>[:<group|gid>]")', { short: "u" }),
  workdir: flag(text(), "Working directory inside the container", { short: "w" }),
} as const;

type ExecCall = Call<typeof flags>;

export const exec = command({
  usage: "[OPTIONS] CONTAINER COMMAND [ARG...]",
  flags,
  least: 2,
  most: Number.POSITIVE_INFINITY,
  stopAtFirst: true,
  run: async (call) => {
    const { values, positional, client } = call;
    const detachKeys = parseDetachKeys(values["detach-keys"]);
    const json = planExec(call);
    if (!values.detach) checkTerminal(values.interactive, values.tty);
    const sent = () => void (values.detach || client.prepare(1));
    const { Id: id } = await client.get("execCreate", { id: positional[0]! }, { json, sent });
    if (!values.detach) return await runExec(client, id, values, detachKeys);
    await client.text("execStart", { id }, { json: { Detach: true, Tty: values.tty } });
    return 0;
  },
});

/** The body of the request, as Docker's command line sends it. */
export const planExec = ({ values, positional }: Pick<ExecCall, "values" | "positional">): ExecCreateBody => {
  const variables = gatherVariables(values["env-file"], values.env);
  return {
    User: values.user,
    Privileged: values.privileged,
    Tty: values.tty,
    ...consoleSize(values.tty),
    AttachStdin: values.interactive && !values.detach,
    AttachStderr: !values.detach,
    AttachStdout: !values.detach,
    Detach: values.detach,
    DetachKeys: values["detach-keys"],
    Env: variables.length === 0 ? null : variables,
    WorkingDir: values.workdir,
    Cmd: positional.slice(1),
  };
};

const consoleSize = (tty: boolean) => {
  const [rows, columns] = tty ? terminalSize() : [0, 0];
  return rows === 0 && columns === 0 ? {} : { ConsoleSize: [rows, columns] };
};

const runExec = async (
  client: Client,
  id: string,
  values: ExecCall["values"],
  detachKeys: Uint8Array,
): Promise<number> => {
  const { tty, interactive } = values;
  const json = { Detach: false, Tty: tty, ...consoleSize(tty) };
  const stream = await client.hijack("execStart", { id }, { json });
  using _terminal = tty && interactive ? await openRawTerminal() : undefined;
  using window = tty ? new WindowWatch(client, "execResize", id) : undefined;
  void window?.resize().catch(() => undefined);
  if ((await runSession(stream, { tty, input: interactive, output: true, detachKeys })) === "detached") return 0;
  const { ExitCode } = await client.get("execInspect", { id });
  return ExitCode ?? 0;
};
