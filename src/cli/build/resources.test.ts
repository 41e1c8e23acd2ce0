import assert from "node:assert/strict";
import { test } from "node:test";
import { parseFlags } from "../flags.ts";
import { dockerFlags, refuseOthers, resourceFlags, resourceQuery } from "./resources.ts";

test("what steps may use is passed on, and nothing where nothing is said", () => {
  const query = (words: string) => resourceQuery(parseFlags(resourceFlags, words.split(" ")).values);
  assert.deepEqual(query("."), {});
  assert.deepEqual(
    query("-c 5 --cpu-period 1000 --cpu-quota 2000 --cpuset-cpus 0-1 --cpuset-mems 0 --cgroup-parent x ."),
    {
      ...{ cpushares: "5", cpuperiod: "1000", cpuquota: "2000", cpusetcpus: "0-1", cpusetmems: "0", cgroupparent: "x" },
    },
  );
  assert.deepEqual(query("-m 1m --memory-swap -1 --shm-size 1k --ulimit nofile=5 ."), {
    ...{ memory: "1048576", memswap: "-1", shmsize: "1024", ulimits: '[{"Name":"nofile","Hard":5,"Soft":5}]' },
  });
});

test("what says that it is as it is anyway is taken", () => {
  for (const word of [
    ...["--rm", "--force-rm", "--compress", "--isolation=default", "--builder=default"],
    ...["--provenance=false", "--sbom=0", "--attest=type=provenance,disabled=true"],
  ]) {
    refuseOthers(parseFlags(dockerFlags, [word]).values);
  }
});

test("what would make something else is refused with a sentence", () => {
  const refuses = (word: string, message: string) =>
    assert.throws(() => refuseOthers(parseFlags(dockerFlags, [word]).values), { message });
  refuses("--rm=false", "--rm=false: no container of a build stays");
  refuses("--provenance=mode=max", "--provenance mode=max: attestations are not made");
  refuses("--sbom=true", "--sbom true: attestations are not made");
  refuses("--attest=type=sbom", "--attest type=sbom: attestations are not made");
  refuses("--annotation=a=b", "--annotation a=b: annotations are not written");
  refuses("--builder=mine", "--builder mine: there is one builder, the daemon");
  refuses("--isolation=hyperv", "--isolation hyperv: there is one isolation on Linux");
  refuses(
    "--security-opt=seccomp=unconfined",
    "--security-opt seccomp=unconfined: builds have the profiles of all containers",
  );
});
