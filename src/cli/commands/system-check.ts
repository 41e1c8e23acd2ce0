/** `pier system check` */
import { jsonLines } from "../../api/client.ts";
import { command } from "../command.ts";
import { print } from "../streams/output.ts";

interface Damage {
  readonly kind: string;
  readonly digest: string;
  readonly reason: string;
  readonly isMended?: boolean;
}

export const systemCheck = command({
  usage: "",
  flags: {},
  least: 0,
  most: 0,
  run: async ({ client }) => {
    const { body } = await client.send("storeCheck", {});
    const counts = { damaged: 0, mended: 0 };
    for await (const { kind, digest, reason, isMended } of jsonLines<Damage>(body)) {
      const word = isMended ? "mended" : "damaged";
      counts[word]++;
      print(`${word} ${kind}${digest === "" ? "" : ` of ${digest}`}: ${reason}\n`);
    }
    print(`${verdictOf(counts)}\n`);
    return counts.damaged + counts.mended === 0 ? 0 : 1;
  },
});

const verdictOf = ({ damaged, mended }: { readonly damaged: number; readonly mended: number }): string => {
  if (damaged > 0) return "pull or load the images again: what is damaged is replaced";
  return mended > 0 ? "what was damaged has been made anew" : "everything is as it was stored";
};
