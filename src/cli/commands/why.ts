/** `pier why`: in one screen, why a container stands as it does. */
import type { Client } from "../../api/client.ts";
import { FrameDecoder } from "../../format/raw-stream.ts";
import { command } from "../command.ts";
import { flag } from "../flags.ts";
import { shortId } from "../output/table.ts";
import { harmless, print } from "../streams/output.ts";
import { boolean } from "../values/kinds.ts";

const lastLines = 8;

export const why = command({
  usage: "[OPTIONS] CONTAINER",
  flags: { json: flag(boolean(), "Print it as JSON") },
  least: 1,
  most: 1,
  run: async ({ values: { json }, positional, client }) => {
    const id = positional[0]!;
    const answer = await client.get("why", { id });
    if (json) {
      print(`${JSON.stringify(answer)}\n`);
      return;
    }
    const { Id, Name, Headline, Reasons, Try } = answer;
    const said = await lastWords(client, Id);
    const parts = [
      `${Name} (${shortId(Id)}) ${Headline}.`,
      ...Reasons.map((reason) => `  ${reason}`),
      ...(said.length === 0 ? [] : ["", "Its last words:", ...said.map((line) => `  ${line}`)]),
      ...(Try.length === 0 ? [] : ["", ...Try.map((words) => `Try: ${words}`)]),
    ];
    print(harmless(`${parts.join("\n")}\n`));
  },
});

/** The end of its log; nothing where none is kept. */
const lastWords = async (client: Client, id: string): Promise<readonly string[]> => {
  const { Config } = await client.get("containerInspect", { id });
  const query = { stdout: true, stderr: true, tail: String(lastLines) };
  try {
    const { body } = await client.send("containerLogs", { id }, { query });
    const decoder = new FrameDecoder();
    const chunks: Uint8Array[] = [];
    for await (const chunk of body)
      chunks.push(...(Config.Tty ? [chunk] : decoder.push(chunk).map(({ data }) => data)));
    return Buffer.concat(chunks)
      .toString()
      .split(/\r?\n/)
      .filter((line) => line !== "");
  } catch {
    return [];
  }
};
