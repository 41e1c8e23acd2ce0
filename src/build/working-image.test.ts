// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables of Dockerfiles are what is tested
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseDockerfile } from "./dockerfile/stages.ts";
import { hostPlatform } from "./platform.ts";
import { afterChange, applyMetadata, encodeImage, isMetadata, scratchImage, variablesOf } from "./working-image.ts";

const created = "2020-01-01T00:00:00.000Z";
const apply = (lines: string) =>
  parseDockerfile(`FROM scratch\n${lines}`).stages[0]!.instructions.reduce((image, instruction) => {
    assert.ok(isMetadata(instruction));
    const change = applyMetadata(image, instruction, variablesOf(image.config), "\\");
    return afterChange(image, change, created, true);
  }, scratchImage(hostPlatform));
const history = (lines: string) => apply(lines).history.map(({ created_by }) => created_by);

describe("an image that is being built", () => {
  test("has what its instructions say, with the variables that were set before them", () => {
    const { config } = apply(
      "ENV a=1 b=$a\nENV b=$a c=${b:-x}\nLABEL x=$a y='z z'\nWORKDIR /a\nWORKDIR $a\nUSER u$a\nEXPOSE 80 $a/udp\nVOLUME [\"/v $a\"]\nSTOPSIGNAL SIGINT",
    );
    assert.deepEqual(config.Env?.slice(1), ["a=1", "b=1", "c=x"]);
    assert.deepEqual({ ...config.Labels }, { x: "1", y: "z z" });
    assert.deepEqual([config.WorkingDir, config.User, config.StopSignal], ["/a/1", "u1", "SIGINT"]);
    assert.deepEqual(Object.keys(config.ExposedPorts ?? {}), ["80/tcp", "1/udp"]);
    assert.deepEqual(Object.keys(config.Volumes ?? {}), ["/v 1"]);
  });

  test("runs a shell's line by the shell that was set", () => {
    const { config } = apply('SHELL ["/bin/bash", "-ec"]\nCMD echo $x');
    assert.deepEqual(config.Cmd, ["/bin/bash", "-ec", "echo $x"]);
  });

  test("loses the command of its base with an entrypoint of its own, and keeps its own", () => {
    assert.deepEqual(apply('CMD ["a"]\nENTRYPOINT ["b"]').config.Cmd, ["a"]);
    const based = { ...scratchImage(hostPlatform), hasOwnCommand: false };
    const inherited = { ...based, config: { ...based.config, Cmd: ["base"] } };
    const entrypoint = parseDockerfile('FROM a\nENTRYPOINT ["b"]').stages[0]!.instructions[0]!;
    assert.ok(isMetadata(entrypoint));
    assert.equal(applyMetadata(inherited, entrypoint, new Map(), "\\").config.Cmd, null);
  });

  test("tells its history as BuildKit does", () => {
    assert.deepEqual(history('ENV a=1\nCMD ["sh", "-c"]\nEXPOSE 80\nVOLUME /v\nUSER x\nONBUILD RUN y\nMAINTAINER z'), [
      "ENV a=1",
      'CMD ["sh" "-c"]',
      "EXPOSE [80/tcp]",
      "VOLUME [/v]",
      "USER x",
      "MAINTAINER z",
    ]);
  });

  test("is the same bytes whenever it is the same image", () => {
    const bytes = () => Buffer.from(encodeImage(apply("ENV a=1\nMAINTAINER me"), ["sha256:00"], created)).toString();
    assert.equal(bytes(), bytes());
    const document = JSON.parse(bytes());
    assert.equal(document.author, "me");
    assert.deepEqual(document.rootfs, { type: "layers", diff_ids: ["sha256:00"] });
    assert.equal(document.history[0].empty_layer, true);
    assert.equal("User" in document.config, false);
  });
});
