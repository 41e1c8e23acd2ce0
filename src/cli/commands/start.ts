/** `pier start` */
import type { Client } from "../../api/client.ts";
import { type Call, command } from "../command.ts";
import { forEach } from "../each.ts";
import { cliError } from "../errors.ts";
import { flag } from "../flags.ts";
import { openAttachment, openWait, runAttached } from "../foreground.ts";
import { parseDetachKeys } from "../streams/detach-keys.ts";
import { SignalProxy } from "../streams/signals.ts";
import { checkTerminal } from "../streams/terminal.ts";
import { boolean, text } from "../values/kinds.ts";

const flags = {
  attach: flag(boolean(), "Attach STDOUT/STDERR and forward signals", { short: "a" }),
  "detach-keys": flag(text(), "Override the key sequence for detaching a container"),
  interactive: flag(boolean(), "Attach container's STDIN", { short: "i" }),
} as const;

export const start = command({
  usage: "[OPTIONS] CONTAINER [CONTAINER...]",
  flags,
  least: 1,
  most: Number.POSITIVE_INFINITY,
  run: async (call) => {
    const { values, positional, client } = call;
    if (values.attach || values.interactive) return await startAttached(call);
    const ending = "Error: failed to start containers: ";
    await forEach(positional, (id) => startOne(client, id), { atOnce: 1, ending });
    return 0;
  },
});

const startOne = async (client: Client, id: string): Promise<void> =>
  void (await client.text("containerStart", { id }));

const startAttached = async ({ values, positional, client }: Call<typeof flags>): Promise<number> => {
  if (positional.length > 1) throw cliError("startAndAttach", {});
  const detachKeys = parseDetachKeys(values["detach-keys"]);
  const { Id: id, Config, HostConfig } = await client.get("containerInspect", { id: positional[0]! });
  const tty = Config.Tty ?? false;
  const stdin = values.interactive && (Config.OpenStdin ?? false);
  checkTerminal(stdin, tty);
  using signals = tty ? undefined : new SignalProxy();
  const options = { stdin, stdout: true, stderr: true, tty, detachKeys, detachKeysText: values["detach-keys"] };
  const [stream, wait] = await Promise.all([
    openAttachment(client, id, options),
    openWait(client, id, HostConfig.AutoRemove ? "removed" : "next-exit"),
  ]);
  const started = startOne(client, id);
  const session = runAttached(client, id, stream, options, started);
  session.catch(() => undefined);
  try {
    await started;
  } catch (error) {
    stream.socket.destroy();
    throw error;
  }
  signals?.connect(client, id);
  return (await session) === "detached" ? 0 : await wait.exitCode;
};
