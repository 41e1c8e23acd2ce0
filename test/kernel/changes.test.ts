/** What others do to interfaces and rules is told, once; what keepers do is not. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { type ChangeListener, type Changes, listenForChanges } from "../../src/kernel/changes.ts";
import { PlanFile, runCleaning, runErrand } from "../../src/kernel/errand.ts";
import { borrowHolder, type Holder } from "../../src/kernel/holder.ts";
import { tableChanges } from "../../src/network/firewall.ts";
import { firewallStep } from "../../src/network/steps.ts";
import { cannotKeep, keeperProgram } from "./keepers.ts";
import { noWorld } from "./netlink-world.ts";

describe("changes of the host's networking", { skip: cannotKeep || noWorld }, () => {
  const directory = mkdtempSync(join(tmpdir(), "pier-changes-"));
  const table = `pier-changes-${process.pid}`;
  let holder: Holder;
  let letGo: () => void;
  let listener: ChangeListener;
  const all: Changes[] = [];
  let wake: () => void = () => {};

  const host = (command: string): string => execFileSync("sh", ["-ec", command], { encoding: "utf8" }).trim();
  const indexOf = (name: string): number => Number(readFileSync(`/sys/class/net/${name}/ifindex`, "utf8"));
  /** Everything up to the change that is waited for. */
  const heard = async (isIt: (changes: Changes) => boolean): Promise<Changes[]> => {
    while (!all.some(isIt)) await new Promise<void>((resolve) => (wake = resolve));
    return all.splice(0);
  };
  /** Whatever was done before has been told when this has. */
  const settled = async (): Promise<Changes[]> => {
    host(`nft add table ip ${table}-other`);
    const told = await heard(({ otherRules }) => otherRules);
    host(`nft delete table ip ${table}-other`);
    await heard(({ otherRules }) => otherRules);
    return told;
  };

  before(async () => {
    ({ holder, letGo } = await borrowHolder(keeperProgram));
    listener = listenForChanges(holder, directory, table, (changes) => {
      all.push(changes);
      wake();
    });
    await heard(({ links, anyLink, ownRules, otherRules }) => {
      return links.size === 0 && !anyLink && !ownRules && !otherRules;
    });
  });
  after(async () => {
    listener.close();
    await listener.ended;
    letGo();
    rmSync(directory, { recursive: true });
  });

  test("an interface that is deleted, taken down, or leaves its bridge is told by its number", async () => {
    host(
      "ip link add changes0 type bridge; ip link set changes0 up; ip link add changes1 type veth peer name changes2",
    );
    host("ip link set changes1 master changes0 up");
    const [bridge, port] = [indexOf("changes0"), indexOf("changes1")];
    const told = await settled();
    assert.ok(!told.some(({ links }) => links.has(bridge) || links.has(port)), "what is new is nobody's loss");
    for (const [harm, index] of [
      ["ip link set changes1 nomaster", port],
      ["ip link set changes1 down", port],
      ["ip link set changes0 down", bridge],
      ["ip link delete changes1", port],
      ["ip link delete changes0", bridge],
    ] as const) {
      host(harm);
      await heard(({ links }) => links.has(index));
    }
  });

  test("rules of the table are told apart from others', and from those that a keeper writes", async () => {
    const steps = [firewallStep("a table", tableChanges({ family: "ip", name: table }))];
    await runErrand(holder, directory, { outside: steps, inside: [], after: [] });
    assert.ok((await settled()).every(({ ownRules }) => !ownRules));
    using file = PlanFile.ofErrand(directory, { outside: [], inside: [], after: steps });
    await runCleaning(holder, file.path);
    assert.ok(
      (await settled()).every(({ ownRules }) => !ownRules),
      "one that cleans after another is a keeper, too",
    );
    for (const harm of ["flush chain ip TABLE forward", "flush table ip TABLE", "delete table ip TABLE"]) {
      host(`nft ${harm.replace("TABLE", table)}`);
      await heard(({ ownRules }) => ownRules);
    }
  });
});
