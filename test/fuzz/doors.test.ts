/**
 * What comes in through the daemon's and the command's doors: texts that were right once and had something done to them.
 * Each is taken, or refused with a sentence of ours; nothing else may happen. Archives and indexes have tests like this in
 * test/format, bodies of requests in test/escape. PIER_LONG=1 tries a hundred times as many.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { PierError } from "../../src/base/errors.ts";
import { CallError, TemplateError } from "../../src/cli/template/errors.ts";
import { anyFromJson, readJson } from "../../src/cli/template/json.ts";
import { Template } from "../../src/cli/template/template.ts";
import { LogEncoder } from "../../src/container/logs-record.ts";
import { parseLogTime } from "../../src/container/logs-time.ts";
import { homeOf, resolveUser } from "../../src/container/users.ts";
import { Filters } from "../../src/daemon/filters.ts";
import { FrameDecoder } from "../../src/format/raw-stream.ts";
import { applyChanges } from "../../src/image/changes.ts";
import { emptyConfig, parseConfig } from "../../src/image/config.ts";
import { parseArchiveManifest, parseIndex, parseManifest } from "../../src/image/manifest.ts";
import { canonicalName, parseName } from "../../src/image/reference.ts";
import { parseProfile } from "../../src/kernel/seccomp/parse.ts";

const numRuns = process.env.PIER_LONG === "1" ? 100_000 : 1_000;
const digest = `sha256:${"ab".repeat(32)}`;
const bytes = (text: string): Buffer => Buffer.from(text, "latin1");

/** What belongs to somebody's syntax, or is at somebody's limit. */
const telling = [
  ...[
    "",
    "{",
    "}",
    "[",
    "]",
    '"',
    ":",
    ",",
    "\\",
    "\n",
    "\r",
    "\0",
    "=",
    "/",
    "@",
    ".",
    "..",
    "-1",
    "0",
    "1e999",
    "null",
  ],
  ...[
    "9007199254740993",
    "18446744073709551616",
    "__proto__",
    "constructor",
    "\\ud800",
    "\ufeff",
    "\u2028",
    "ÿ",
    "{{",
    "}}",
  ],
  ...["| ", "range", "end", "%s", "%!", "true", " ", "A".repeat(5_000), "[".repeat(500), "(".repeat(500)],
];

/** A sample, with a few pieces cut out, put in, repeated or taken from another one. */
const changed = (samples: readonly string[]): fc.Arbitrary<string> =>
  fc
    .tuple(
      fc.constantFrom(...samples),
      fc.array(fc.tuple(fc.nat(), fc.nat({ max: 12 }), fc.constantFrom(...telling, ...samples), fc.nat({ max: 3 })), {
        maxLength: 4,
      }),
    )
    .map(([sample, edits]) =>
      edits.reduce((text, [place, length, piece, kind]) => {
        const at = text.length === 0 ? 0 : place % text.length;
        const put = ["", piece, piece, text.slice(at, at + length).repeat(2)][kind]!;
        return text.slice(0, at) + put + text.slice(at + length);
      }, sample),
    );

const isRefusal = (error: unknown): boolean =>
  (error instanceof PierError && error.status < 500) || error instanceof TemplateError || error instanceof CallError;

/** Whatever comes in, what goes on is taken or refused; it answers how many were taken. */
const tryAll = (samples: readonly string[], take: (text: string) => void): number => {
  let taken = 0;
  for (const sample of samples) take(sample);
  fc.assert(
    fc.property(changed(samples), (text) => {
      try {
        take(text);
        taken++;
      } catch (error) {
        if (!isRefusal(error)) throw error;
      }
    }),
    { numRuns, seed: 11 },
  );
  return taken;
};

const passwd = "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000::/home/app:/bin/sh\n# no\n+::::::\n";
const group = "root:x:0:\nwheel:x:10:app,root\napp:x:1000:app\n";
const config = JSON.stringify({
  architecture: process.arch === "arm64" ? "arm64" : "amd64",
  os: "linux",
  config: {
    Env: ["A=b"],
    Cmd: ["sh"],
    Labels: { a: "b" },
    ExposedPorts: { "80/tcp": {} },
    Healthcheck: { Interval: 1e9 },
  },
  rootfs: { type: "layers", diff_ids: [digest] },
  history: [{ created: "2026-01-01T00:00:00Z", created_by: "x", empty_layer: true }],
});
const manifest = JSON.stringify({
  schemaVersion: 2,
  mediaType: "application/vnd.oci.image.manifest.v1+json",
  config: { mediaType: "application/vnd.oci.image.config.v1+json", digest, size: 2 },
  layers: [{ mediaType: "application/vnd.oci.image.layer.v1.tar+gzip", digest, size: 3 }],
});
const index = JSON.stringify({
  schemaVersion: 2,
  manifests: [{ mediaType: "application/vnd.oci.image.manifest.v1+json", digest, size: 7, platform: { os: "linux" } }],
});
const records = [
  '{"log":"one\\n","stream":"stdout","time":"2026-01-01T00:00:00.5Z"}\n{"log":"\\u003c\\ud83d\\n","stream":"stderr","time":"2026-01-01T00:00:01Z"}\n',
  '{"log":"half","stream":"stdout","attrs":{"a":"b"},"time":"2026-01-01T00:00:00+02:00"}\n',
];

describe("what comes in is taken or refused with a sentence", () => {
  test("users and groups of an image", () => {
    const files = [passwd, group, `${passwd}${group}`];
    const taken = tryAll(files, (text) => {
      const file = bytes(text);
      assert.ok(homeOf(1000, file).length > 0);
      const { uid, gid, groups } = resolveUser("0:0", { passwd: file, group: file }, ["10"]);
      for (const id of [uid, gid, ...groups]) assert.ok(Number.isSafeInteger(id) && id >= 0);
    });
    assert.ok(taken > 0);
    tryAll(["root", "app:wheel", "1000:1000", ":10", "0"], (spec) => {
      const { uid, gid } = resolveUser(spec, { passwd: bytes(passwd), group: bytes(group) });
      assert.ok(uid >= 0 && uid < 2 ** 31 && gid >= 0 && gid < 2 ** 31);
    });
  });

  test("documents of images", () => {
    const archive = JSON.stringify([{ Config: "c.json", RepoTags: ["a:1"], Layers: ["l/layer.tar"] }]);
    for (const [samples, parse] of [
      [[config], (text: string) => parseConfig(Buffer.from(text))],
      [[archive], (text: string) => parseArchiveManifest(Buffer.from(text))],
      [[index], (text: string) => parseIndex("index.json", Buffer.from(text))],
      [[manifest], (text: string) => parseManifest("m", Buffer.from(text))],
    ] as const)
      tryAll(samples, (text) => void parse(text));
  });

  test("names of images: what is taken is its own canonical name", () => {
    const samples = ["debian", "localhost:5000/a/b:tag", `docker.io/library/x@${digest}`, "a__b/c-d.e:T_1"];
    const taken = tryAll(samples, (text) => {
      const name = canonicalName(parseName(text));
      assert.equal(canonicalName(parseName(name)), name);
    });
    assert.ok(taken > 0);
  });

  test("changes of an import", () => {
    const samples = [
      'CMD ["a", "b"]',
      'ENV A=b C="d e"',
      "LABEL a=b c='d'",
      "EXPOSE 80/tcp 90-92",
      "VOLUME /a",
      "USER a:b",
    ];
    tryAll(samples, (text) => void applyChanges(emptyConfig, [text]));
  });

  test("filters", () => {
    tryAll(['{"status":["running"]}', '{"label":{"a=b":true}}', "{}"], (text) => {
      const filters = Filters.parse(text, ["status", "label"]);
      assert.equal(typeof filters.labels({ a: "b" }), "boolean");
      assert.equal(Object.hasOwn(Object.prototype, "status"), false);
    });
  });

  test("seccomp profiles", () => {
    const syscalls = [{ names: ["read"], action: "SCMP_ACT_ALLOW", args: [{ index: 0, value: 1, op: "SCMP_CMP_EQ" }] }];
    const profile = {
      defaultAction: "SCMP_ACT_ERRNO",
      defaultErrnoRet: 1,
      architectures: ["SCMP_ARCH_X86_64"],
      syscalls,
    };
    tryAll([JSON.stringify(profile)], (text) => void parseProfile(text));
  });

  test("templates, with a value from anywhere", () => {
    const samples = [
      "{{.Name}} {{json .}} {{range $i, $x := .List}}{{$i}}={{$x}}{{else}}none{{end}}",
      '{{if eq .Name "x"}}{{printf "%-5s|%5.2f|%q|%v" .Name 1.5 .Name .}}{{else if and .B (not .C)}}x{{end}}',
      '{{with .Map}}{{index . "k"}}{{len .}}{{end}}{{slice .Name 1 2}}{{/* no */}}{{- "a" -}} {{`b`}}',
    ];
    const value = '{"Name":"näme","List":[1,"a",null,{}],"A":1,"B":true,"C":0,"Map":{"k":[1.5e3]}}';
    tryAll(samples, (text) => void new Template(text).fill(anyFromJson(readJson(value))));
    assert.throws(() => readJson("{"));
  });

  test("times, and records of a log that somebody else wrote", () => {
    tryAll(
      ["2026-01-01T00:00:00.123Z", "2026-01-01T00:00:00+02:00", "1767225600.5"],
      (text) => void parseLogTime(text),
    );
    const all = { stdout: true, stderr: true, timestamps: true, details: true, since: 0n };
    for (const [raw, gathers] of [
      [true, false],
      [false, false],
      [false, true],
    ] as const)
      tryAll(records, (text) => {
        const encoder = new LogEncoder({ ...all, raw }, gathers);
        const file = Buffer.from(text);
        let start = 0;
        for (let end = file.indexOf(10); end !== -1; end = file.indexOf(10, start)) {
          encoder.push(file, start, end);
          start = end + 1;
        }
        const out = Buffer.concat(encoder.take(true));
        // What is given on is whole frames.
        if (!raw && out.length > 0) assert.ok([...new FrameDecoder().push(out)].length > 0);
      });
  });
});
