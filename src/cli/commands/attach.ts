/** `pier attach` */
import { command } from "../command.ts";
import { cliError } from "../errors.ts";
import { flag } from "../flags.ts";
import { openAttachment, openWait, runAttached } from "../foreground.ts";
import { parseDetachKeys } from "../streams/detach-keys.ts";
import { SignalProxy } from "../streams/signals.ts";
import { checkTerminal } from "../streams/terminal.ts";
import { WindowWatch } from "../streams/window.ts";
import { boolean, text } from "../values/kinds.ts";

export const attach = command({
  usage: "[OPTIONS] CONTAINER",
  flags: {
    "detach-keys": flag(text(), "Override the key sequence for detaching a container"),
    "no-stdin": flag(boolean(), "Do not attach STDIN"),
    "sig-proxy": flag(boolean(true), "Proxy all received signals to the process"),
  },
  least: 1,
  most: 1,
  run: async ({ values: flags, positional, client }) => {
    const detachKeys = parseDetachKeys(flags["detach-keys"]);
    const name = positional[0]!;
    // The wait comes first: a container that ends meanwhile still tells its exit code.
    const wait = openWait(client, name, "");
    wait.catch(() => undefined);
    const { Id: id, State, Config } = await client.get("containerInspect", { id: name });
    if (!State.Running) throw cliError("attachStopped", {});
    if (State.Paused) throw cliError("attachPaused", {});
    if (State.Restarting) throw cliError("attachRestarting", {});
    const tty = Config.Tty ?? false;
    const stdin = !flags["no-stdin"] && (Config.OpenStdin ?? false);
    checkTerminal(stdin, tty);
    using signals = flags["sig-proxy"] && !tty ? new SignalProxy() : undefined;
    signals?.connect(client, id);
    const options = { stdin, stdout: true, stderr: true, tty, detachKeys, detachKeysText: flags["detach-keys"] };
    const stream = await openAttachment(client, id, options);
    // A size that changes makes a program draw its screen anew, also when ours is what it was before.
    const nudge = tty ? nudgeTerminal(new WindowWatch(client, "containerResize", id)) : Promise.resolve();
    const how = await runAttached(client, id, stream, options, nudge);
    return how === "detached" ? 0 : await (await wait).exitCode;
  },
});

const nudgeTerminal = async (window: WindowWatch): Promise<void> => {
  using watch = window;
  await watch.resize(1).catch(() => undefined);
};
