/** A further process in a container that another runtime has made: only that one knows the way in. Pure. */
import { join } from "node:path";
import { noSlot, type Plan } from "../kernel/steps.ts";
import { type ExecPlace, planSession } from "./exec-plan.ts";
import { encodeProcess } from "./oci/config-json.ts";
import type { OciProcess } from "./oci/spec.ts";
import { planScore } from "./plan.ts";
import { consoleSocket, createFile, pidFile, planCommand, type RuntimePlace, terminalSlot } from "./runtime-plan.ts";

/** The commit point comes first: what the runtime brings in runs at once. */
export const planExecByRuntime = (process: OciProcess, place: ExecPlace, runtime: RuntimePlace): Plan => {
  const { bundle } = runtime;
  const { terminal } = process;
  const file = join(bundle, "process.json");
  return {
    outside: [
      ...planSession(place),
      { step: "adoptOrphans", why: "the runtime leaves us the process" },
      { step: "makeDirectory", path: bundle, mode: 0o700, why: "what the runtime reads and writes" },
      createFile(file, encodeProcess(process)),
      { step: "clone", namespaces: 0, cgroup: noSlot },
    ],
    inside: [
      { step: "dieWithParent" },
      planScore(process),
      ...(terminal ? [{ step: "listenTerminal", slot: terminalSlot, path: consoleSocket(bundle) } as const] : []),
      { step: "start" },
      planCommand(
        runtime,
        [
          ...["exec", "--detach", "--process", file, "--pid-file", pidFile(bundle)],
          ...(terminal ? ["--console-socket", consoleSocket(bundle)] : []),
          place.container,
        ],
        "it runs from here on",
      ),
      { step: "adopt", pidFile: pidFile(bundle), terminal: terminal ? terminalSlot : noSlot },
    ],
    after: [],
  };
};
