/** Questions and tables of names, for the fuzzers of their readers to begin with. */
import fc from "fast-check";
import { encodeEntries, encodeNameTable, ownTypes } from "../../src/kernel/name-table.ts";
import { encodeName, recordTypes } from "../../src/network/dns/wire.ts";

const names = fc.constantFrom("a", "web", "db.backend", "2.0.18.172.in-addr.arpa", "example.org");
const wireNames = names.map((name) => encodeName(name)!);
const types = fc.constantFrom<number>(...Object.values(recordTypes), ...Object.values(ownTypes));

const questions = fc
  .record({ id: fc.integer({ min: 0, max: 255 }), name: wireNames, type: types, recursive: fc.boolean() })
  .map(({ id, name, type, recursive }) =>
    Uint8Array.of(id, 7, recursive ? 1 : 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, ...name, type >>> 8, type & 255, 0, 1),
  );

const tables = fc
  .array(
    fc.record({ name: wireNames, type: types, values: fc.array(fc.uint8Array({ maxLength: 20 }), { maxLength: 4 }) }),
    { maxLength: 5 },
  )
  .map((entries) => encodeNameTable([encodeEntries(entries)]));

/** What `test/fuzz/answer.c` reads: whose turn it is, the room, a question, a table. */
export const answerInputs = fc
  .record({ turn: fc.integer({ min: 0, max: 6 }), question: questions, table: tables })
  .map(({ turn, question, table }) => Uint8Array.of(turn, 100, question.length, ...question, ...table));

/** What `test/fuzz/names.c` reads: somebody asks, the daemon and the server say something, time passes. */
export const nameScripts = fc
  .array(
    fc.oneof(
      fc
        .record({ how: fc.constantFrom(0, 1, 2, 16, 18), question: questions })
        .map(({ how, question }) => [how, 1, question.length, ...question]),
      fc.constantFrom([3, 1, 0, 0], [4, 1, 0, 0], [4, 1, 1, 0, 0], [5], [6], [14], [7]),
    ),
    { minLength: 1, maxLength: 12 },
  )
  .map((acts) => Uint8Array.from(acts.flat()));
