import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeMessages, firstProcess, flags, text, u8, u32 } from "./message.ts";
import { addVeth, encodeRoute, setUp } from "./rtnetlink.ts";

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

test("a message is its length, type, flags, number, header and attributes, each padded to four bytes", () => {
  const { messages, pidAt } = encodeMessages([
    {
      type: 0x1234,
      flags: flags.create,
      header: Uint8Array.of(9),
      attributes: [
        [3, text("ab")],
        [4, u8(7)],
      ],
    },
  ]);
  assert.equal(
    hex(messages),
    "24000000341201040100000000000000" + "09000000" + "0700030061620000" + "0500040007000000",
  );
  assert.deepEqual(pidAt, []);
});

test("a nest says so and holds its attributes, after a header of its own where it has one", () => {
  const { messages } = encodeMessages([
    {
      type: 1,
      flags: 0,
      header: new Uint8Array(0),
      attributes: [
        [1, [[2, u32(3)]]],
        [4, { header: u8(5), attributes: [] }],
        [6, []],
      ],
    },
  ]);
  assert.equal(hex(messages.subarray(16)), "0c000180" + "0800020003000000" + "0800048005000000" + "04000680");
});

test("messages are numbered and follow each other", () => {
  const { messages } = encodeRoute([setUp(1), setUp(2)]);
  const view = new DataView(messages.buffer, messages.byteOffset, messages.length);
  const first = view.getUint32(0, true);
  assert.equal(view.getUint32(8, true), 1);
  assert.equal(view.getUint32(first, true), messages.length - first);
  assert.equal(view.getUint32(first + 8, true), 2);
});

test("the places of the first process's pid are where its attribute lies", () => {
  const pair = addVeth({ name: "a", index: 5, master: 6 }, { name: "b", index: 7 });
  const { messages, pidAt } = encodeRoute([setUp(1), pair]);
  const netnsPid = "08001300";
  assert.equal(pidAt.length, 1);
  assert.equal(hex(messages.subarray(pidAt[0]! - 4, pidAt[0]! + 4)), `${netnsPid}00000000`);
  assert.equal(encodeMessages([{ type: 1, flags: 0, header: u8(0), attributes: [[1, firstProcess]] }]).pidAt[0], 24);
});
