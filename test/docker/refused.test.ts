/** What is not supported yet, or makes no sense, is refused with a sentence and leaves no trace. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { cannotRun, Engine } from "../engine.ts";
import { busybox, said } from "./containers.ts";
import { Runner } from "./run.ts";

describe("what is refused", { skip: cannotRun() }, () => {
  let engine: Engine;
  let runner: Runner;
  before(async () => {
    engine = await Engine.launch();
    runner = new Runner(engine);
    await engine.load();
  });
  after(() => engine.stop());

  const flags: readonly (readonly [sentence: RegExp, ...flags: string[]])[] = [
    [/invalid restart policy: unknown policy 'sometimes'/, "--restart=sometimes"],
    [/plugin "other" not found/, "--volume-driver=other", "-v", "data:/data"],
    [/a mount of type "image" is not supported/, "--mount", "type=image,source=data,target=/data"],
    [/the logging driver fluentd is not supported/, "--log-driver=fluentd"],
    [/unknown or invalid runtime name: other/, "--runtime=other"],
    [/a storage option is not supported/, "--storage-opt=size=1g"],
    [/could not select device driver|GPU|device request/i, "--gpus=all"],
    [/invalid userns mode|--userns: invalid USER mode/i, "--userns=bogus"],
    [/invalid isolation/i, "--isolation=hyperv"],
    [/the image is for linux\/amd64, not for linux\/s390x/, "--platform=linux/s390x"],
    [/invalid signal: BOGUS/i, "--stop-signal=BOGUS"],
    [/user specified IP address is supported on user defined networks only|IP/, "--ip=192.0.2.1"],
    [/network-scoped alias/i, "--network-alias=x"],
  ];
  for (const [sentence, ...given] of flags)
    test(given.join(" "), () =>
      runner.refuses(sentence, "--restart=no", ...given, busybox, "true").catch(async (error: unknown) => {
        // A restart policy and --rm contradict each other: without --rm.
        if (!given[0]?.startsWith("--restart")) throw error;
        const ran = await engine.docker(["run", ...given, busybox]);
        assert.equal(ran.code, 125);
        assert.match(ran.stderr, sentence);
      }),
    );

  test("networks that are not there", async () => {
    for (const [sentence, network] of [
      [/network other not found/, "other"],
      [/No such container: other/, "container:other"],
    ] as const) {
      const ran = await engine.docker(["run", "--rm", "--network", network, busybox]);
      assert.equal(ran.code, 125);
      assert.match(ran.stderr, sentence);
    }
  });

  test("bodies that are no request", async () => {
    const create = (body: string) => engine.request("POST", "/v1.51/containers/create", body);
    const image = `"Image":"${busybox}"`;
    for (const body of [
      "",
      "{",
      "null",
      "[]",
      `{${image},"Cmd":{}}`,
      `{${image},"Env":"A=1"}`,
      `{${image},"Env":[1]}`,
      `{${image},"Tty":"yes"}`,
      `{${image},"User":7}`,
      `{${image},"Cmd":["a\\u0000b"]}`,
      `{${image},"HostConfig":[]}`,
      `{${image},"HostConfig":{"Memory":9007199254740993}}`,
      `{${image},"HostConfig":{"Memory":1e400}}`,
      `{${image},"HostConfig":{"Memory":"64m"}}`,
      `{${image},"HostConfig":{"PidsLimit":1.5}}`,
      `{${image},"HostConfig":{"Binds":["/tmp"]  ,"CapAdd":[{}]}}`,
      `{${image},"StopTimeout":1e30}`,
      `{"Cmd":["true"]}`,
    ]) {
      const { status, body: answer } = await create(body);
      assert.equal(status, 400, `${body} → ${status} ${answer}`);
      assert.notEqual((JSON.parse(answer) as { message: string }).message, "");
    }
    const polluted = await create(
      `{${image},"Cmd":["true"],"__proto__":{"Tty":true},"Labels":{"__proto__":"x","constructor":"y"}}`,
    );
    assert.ok([201, 400].includes(polluted.status), polluted.body);
    assert.equal(({} as { Tty?: unknown }).Tty, undefined);
    if (polluted.status === 201) await said(engine, "rm", (JSON.parse(polluted.body) as { Id: string }).Id);
  });

  test("of all that nothing is left", async () => {
    assert.equal(await said(engine, "ps", "-aq"), "");
  });
});
