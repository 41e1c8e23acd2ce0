/** `pier tag` */
import { command } from "../command.ts";
import { cliError } from "../errors.ts";
import { quote } from "../values/quote.ts";
import { parseReference } from "../values/reference.ts";

export const tag = command({
  usage: "SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]",
  flags: {},
  least: 2,
  most: 2,
  run: async ({ positional, client }) => {
    const [source = "", target = ""] = positional;
    if (!isId(source)) readName(source);
    const { name, tag: wanted = "latest", digest } = readName(target);
    if (digest !== undefined) throw cliError("tagWithDigest", {});
    await client.text("imageTag", { name: source }, { query: { repo: name, tag: wanted } });
  },
});

const isId = (text: string): boolean => /^(sha256:)?[0-9a-f]{64}$/.test(text);

const readName = (text: string): ReturnType<typeof parseReference> => {
  try {
    if (/^[0-9a-f]{64}$/.test(text)) throw cliError("nameIsId", { name: text });
    return parseReference(text);
  } catch (cause) {
    throw cliError("notATag", { name: quote(text), reason: (cause as Error).message }, cause);
  }
};
