/** `pier manifest inspect` */
import { command } from "../command.ts";
import { flag } from "../flags.ts";
import { authHeaders } from "../registry/auth.ts";
import { print } from "../streams/output.ts";
import { boolean } from "../values/kinds.ts";
import { familiarName, parseReference } from "../values/reference.ts";

export const manifestInspect = command({
  usage: "[OPTIONS] MANIFEST",
  flags: {
    insecure: flag(boolean(), "Allow communication with an insecure registry (the daemon decides)"),
    verbose: flag(boolean(), "Output additional info including the digest and media type", { short: "v" }),
  },
  least: 1,
  most: 1,
  run: async ({ values: flags, positional, client }) => {
    const { name, tag = "latest", digest } = parseReference(positional[0]!);
    const whole = `${familiarName(name)}${digest === undefined ? `:${tag}` : `@${digest}`}`;
    const found = await client.get("manifestInspect", { name: whole }, { headers: await authHeaders(name) });
    if (!flags.verbose) {
      print(`${found.Manifest.trimEnd()}\n`);
      return;
    }
    const { Digest, MediaType, Manifest } = found;
    const size = Buffer.byteLength(Manifest);
    const descriptor = { mediaType: MediaType, digest: Digest, size };
    const verbose = { Ref: whole, Descriptor: descriptor, Manifest: JSON.parse(Manifest) as unknown };
    print(`${JSON.stringify(verbose, undefined, "\t")}\n`);
  },
});
