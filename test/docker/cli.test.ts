import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { cannotRun, Engine, fixture } from "../engine.ts";
import type { Ran } from "../execute.ts";
import { busybox } from "./containers.ts";

const archive = fixture("busybox.docker-archive.tar");

/** Docker says `See` here and `Run` there, and has letters of both in one place. */
const plain = (text: string): string =>
  text.replaceAll("docker", "pier").replace(/^\w+ 'pier (.* )?--help'/m, "Run 'pier $1--help'");

const told = ({ code, stdout, stderr }: Ran) => ({
  code,
  stdout: stdout.replaceAll(/0xc[0-9a-f]+/g, "0xc"),
  stderr: plain(stderr),
});

/** Templates have spaces: words are parted by `¦` where there are any. */
const wordsOf = (line: string): string[] =>
  (line.includes("¦") ? line.split("¦") : line.split(" ")).map((word) => word.trim());

describe("what pier prints is what docker prints", { skip: cannotRun() }, () => {
  let engine: Engine;
  let directory: string;

  before(async () => {
    directory = mkdtempSync(join(tmpdir(), "pier-cli-"));
    engine = await Engine.launch();
    await engine.load();
    const labels = ["--label", "x=y", "--label", "com.example.my-label=<b>&"];
    const ports = ["-p", "127.0.0.1:47113:80", "-p", "127.0.0.1:47114:443/udp", "--expose", "90-92"];
    const script = "echo one; echo two >&2; echo three; while true; do sleep 100; done";
    for (const args of [
      ["run", "--detach", "--name", "web", ...labels, ...ports, "--env", "A=b", busybox, "sh", "-c", script],
      ["run", "--name", "over", "--network", "none", busybox, "sh", "-c", "echo done; exit 3"],
      ["create", "--name", "born", "--tty", busybox, "true"],
      ["tag", busybox, "other/name:v1"],
    ]) {
      const { code, stderr } = await engine.docker(args);
      assert.equal(code, args.includes("over") ? 3 : 0, stderr);
    }
  });

  after(async () => {
    rmSync(directory, { recursive: true, force: true });
    await engine.stop();
  });

  /**
   * Both commands answer alike, to the byte. Docker does not always answer like itself: ages pass a second, and the names of
   * one image come in the order of a Go map, anew each time. So it is asked on both sides, and both are asked again
   * before it is a difference.
   */
  const assertSame = async (words: readonly string[], input?: string): Promise<void> => {
    const options = input === undefined ? {} : { input };
    for (let asked = 1; ; asked += 1) {
      const earlier = told(await engine.docker(words, options));
      const pier = told(await engine.pier(words, options));
      if (isDeepStrictEqual(pier, earlier)) return;
      const later = told(await engine.docker(words, options));
      if (isDeepStrictEqual(pier, later)) return;
      if (asked === 5) assert.deepEqual(pier, later, words.join(" "));
    }
  };

  const assertAllSame = async (lines: readonly string[]): Promise<void> => {
    for (const line of lines) await assertSame(wordsOf(line));
  };

  test("lists of containers", () =>
    assertAllSame([
      ..."ps|ps -a|ps -aq|ps -q --no-trunc|ps -a --no-trunc|ps -n 1|ps -n 0|ps -l|ps -n -1|container ls -a|container list".split(
        "|",
      ),
      ..."ps --format json|ps --format raw|ps -q --format raw|ps -q --format json|ps --format table|ps --format tablefoo|ps --format pretty".split(
        "|",
      ),
      "ps -a --filter name=ov --filter status=exited",
      "ps -s",
      "ps ¦--format¦{{json .}}",
      "ps¦-a¦--size=false¦--format¦{{json .}}",
      "ps¦-q¦--format¦{{.Names}}",
      "ps¦--format¦table {{.ID}}\\t{{.Names}}",
      'ps¦--format¦table {{.ID}}|{{.Label "x"}}|{{.Label "com.example.my-label"}}|{{upper .Names}}',
      "ps¦--format¦table {{.ID}}\\t{{len .Names}}\\t{{slice .Names 1}}",
      "ps¦--format¦{{.Ports}}|{{.Mounts}}|{{.LocalVolumes}}|{{.Networks}}|{{.Labels}}|{{.CreatedAt}}|{{.State}}|{{.Platform}}|{{.Command}}|{{.Image}}",
      "ps¦-a¦--no-trunc¦--format¦{{.Command}} {{.Image}} {{.Names}} {{json .Labels}}",
    ]));

  test("lists of images, and their history", () =>
    assertAllSame([
      ..."images|images -a|images --digests|images --no-trunc|images -q|images -q --no-trunc|images other/name|images nope|image ls|image list".split(
        "|",
      ),
      ..."images --format json|images --format raw|images --format raw --digests|images -q --format raw|images -f dangling=true".split(
        "|",
      ),
      "images¦--format¦{{.Digest}}|{{.CreatedAt}}|{{.VirtualSize}}|{{.SharedSize}}|{{.UniqueSize}}|{{.Containers}}",
      "images¦--digests¦--format¦table {{.ID}}",
      "images¦--format¦table {{json .ID}}\\t{{lower .Repository}}",
      "images¦nope¦--format¦table {{.ID}}\\t{{.Foo}}",
      ...["", "-q ", "--no-trunc ", "-q --no-trunc ", "-H=false ", "--format json ", "--format raw "].map(
        (flags) => `history ${flags}${busybox}`,
      ),
      `history¦--format¦table {{.ID}} {{.Size}} {{.CreatedBy}}¦${busybox}`,
      `image history --platform linux/arm64 ${busybox}`,
    ]));

  test("inspections", () =>
    assertAllSame([
      `inspect web over ${busybox} bridge`,
      "inspect web nope",
      "inspect nope",
      "inspect -f json web over",
      "inspect -f json nope",
      "inspect --type image web",
      "inspect --type network bridge",
      "inspect -s web",
      "container inspect nope",
      "container inspect born",
      "image inspect nope",
      `image inspect --platform linux/amd64 ${busybox}`,
      ...["web", busybox, "bridge"].map((name) => `inspect¦-f¦{{json .}}¦${name}`),
      "inspect¦-f¦{{.Name}} {{.Id}}¦web¦over¦nope¦bridge",
    ]));

  test("templates of an inspection", () =>
    assertAllSame(
      [
        "{{.}}",
        "{{.ID}} {{.Config}} {{.State}} {{.HostConfig}} {{.NetworkSettings}} {{.GraphDriver}}",
        "{{.Id}} {{.HostConfig.Binds}} {{.Config.Labels}}",
        "{{.HostConfig.Binds}} {{json .HostConfig.Binds}} {{.HostConfig.PidsLimit}} {{.HostConfig.Init}} {{.HostConfig.PortBindings}}",
        '{{range $p, $conf := .NetworkSettings.Ports}} {{$p}} -> {{(index $conf 0).HostPort}} {{end}}{{index .Config.Labels "x"}}',
        '{{(index (index .NetworkSettings.Ports "80/tcp") 0).HostPort}}',
        "{{range .Config.Env}}{{println .}}{{end}}{{with .State.Health}}{{.Status}}{{else}}none{{end}}",
        '{{join .Config.Cmd " "}} {{title "ab cd"}} {{split "a:b" ":"}} {{pad "x" 1 2}}{{truncate "hello" 3}}',
        '{{if and .State.Running (eq .Name "/web")}}yes{{else}}no{{end}} {{len .Args}} {{printf "%-6s|%05d|%q" "a" 42 "b"}}',
        "{{.State.Foo}}",
        "{{.Foo}}",
        "{{.State.Health.Status}}",
        '{{.Config.Labels.nope}}|{{index .Config.Labels "nope"}}',
        "{{index .Config.Env 9}}",
        "{{upper 3}}",
        "{{.Name",
        "{{foo}}",
        "{{if .Name}}",
        "{{.Name}",
      ].map((template) => `inspect¦-f¦${template}¦web`),
    ));

  test("the daemon's version and facts", () =>
    assertAllSame([
      "version¦-f¦{{.Server.Version}} {{.Server.APIVersion}} {{json .Server}} {{.Server.Components}}",
      "version¦-f¦{{.Foo}}",
      "version¦-f¦{{.",
      "info¦-f¦{{.ServerVersion}} {{.Foo}}",
      "info¦-f¦{{.ID}} {{.Driver}} {{.DriverStatus}} {{.Plugins}} {{json .Runtimes}} {{json .Swarm}} {{.SecurityOptions}} {{.CPUCfsQuota}}",
      "info¦-f¦{{nope}}",
    ]));

  test("processes and ports", () =>
    assertAllSame([
      ..."top web|top web -o pid,comm|top over|top nope|top|port web|port web 80|port web 80/tcp|port web 443/udp|port web 443".split(
        "|",
      ),
      ..."port web 80/foo|port web abc|port web 80/|port web 99999|port nope|port over|container port web".split("|"),
    ]));

  test("logs", () =>
    assertAllSame(
      [
        "",
        "-t ",
        "--details ",
        "-n 0 ",
        "-n 1 ",
        "-n foo ",
        "--since foo ",
        "--since 1h ",
        "--until 1h ",
        "--until 2020-01-01 ",
        "--tail -1 ",
        "-f --until 1s ",
      ]
        .map((flags) => `logs ${flags}${flags.startsWith("-f") ? "over" : "web"}`)
        .concat("logs nope", "logs", "logs -f over"),
    ));

  test("events", () =>
    assertAllSame([
      ...["", "--format json ", "--filter type=container "].map(
        (flags) => `events --since 1h --until 0s ${flags}--filter event=create --filter event=tag`,
      ),
      ...["{{json .}}", "{{.}}", "{{.TimeNano}} {{.Actor.Attributes.name}} {{.ID}} {{.From}}", "{{.Foo}}", "{{"].map(
        (template) => `events¦--since¦1h¦--until¦0s¦--filter¦event=create¦--format¦${template}`,
      ),
      "events --since foo",
      "events --filter foo=bar --until 0s",
    ]));

  test("tags and removals", async () => {
    await assertAllSame([
      "tag nope foo",
      `tag ${busybox} FOO`,
      `tag ${busybox}`,
      `tag ${busybox} foo@sha256:${"0".repeat(64)}`,
      `tag ${busybox} ${"0".repeat(64)}`,
      "tag a:b:c foo",
      `tag ${busybox} again:1`,
      "rmi -f nope",
      "rmi nope nope2",
      "rmi UPPER",
      "image rm --platform x!/y nope",
    ]);
    for (const client of ["docker", "pier"] as const) {
      assert.equal((await engine[client](["tag", busybox, "again:1"])).code, 0);
      assert.equal((await engine[client](["rmi", "again:1"])).stdout, "Untagged: again:1\n");
    }
  });

  test("loads and imports", async () => {
    await assertAllSame([
      `load -i ${archive}`,
      `load -q -i ${archive}`,
      "load -i /nope",
      "load",
      "load foo",
      `load --platform x/y/z/w -i ${archive}`,
      "import /nope",
      `import ${archive} BAD`,
      `import -c FOO ${archive}`,
    ]);
    await assertSame(["load"], "no archive at all");
    await assertSame(["import", "-"], "no archive at all");
    const file = join(directory, "empty.tar");
    writeFileSync(file, Buffer.alloc(1024));
    const imported = await engine.pier(["import", "--message", "why", "--change", 'CMD ["/x"]', file, "imported:1"]);
    assert.match(imported.stdout, /^sha256:[0-9a-f]{64}\n$/, imported.stderr);
    await assertSame(["inspect", "-f", "{{.Comment}} {{.Config.Cmd}} {{.RepoTags}}", "imported:1"]);
  });

  test("lists that cannot be asked for", () =>
    assertAllSame([
      "ps --filter foo",
      "ps --filter foo=bar",
      "ps -f status=nope",
      "ps --nope",
      "ps x",
      "ps¦--format¦{{.ID",
      "ps¦--format¦{{.Foo}}",
      "ps¦--format¦table {{.Foo}}",
      "ps¦--format¦{{.Label}}",
      "images a b",
      "images -f foo=bar",
      "images¦--format¦{{.Foo}}",
      "images¦--format¦{{.ID} ",
      "history",
      "history nope",
      `history¦--format¦{{.Foo}}¦${busybox}`,
    ]));
});
