/** `pier system check` */
import { jsonLines } from "../../api/client.ts";
import { command } from "../command.ts";
import { print } from "../streams/output.ts";

interface Damage {
  readonly kind: string;
  readonly digest: string;
  readonly reason: string;
}

export const systemCheck = command({
  usage: "",
  flags: {},
  least: 0,
  most: 0,
  run: async ({ client }) => {
    const { body } = await client.send("storeCheck", {});
    let count = 0;
    for await (const { kind, digest, reason } of jsonLines<Damage>(body)) {
      count++;
      print(`damaged ${kind}${digest === "" ? "" : ` of ${digest}`}: ${reason}\n`);
    }
    print(
      count === 0 ? "everything is as it was stored\n" : "pull or load the images again: what is damaged is replaced\n",
    );
    return count === 0 ? 0 : 1;
  },
});
