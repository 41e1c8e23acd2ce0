/** The default profile as a container finds it, and the flags that change it. */
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { cannotRun, Engine } from "../engine.ts";
import { imageOf, probeLayer } from "../probe/image.ts";
import { busybox, said } from "./containers.ts";
import { Runner } from "./run.ts";

const number = (hexadecimal: string | undefined): bigint => BigInt(`0x${hexadecimal ?? "0"}`);

describe("the security of a container", { skip: cannotRun() }, () => {
  let engine: Engine;
  let runner: Runner;
  let directory: string;
  before(async () => {
    directory = mkdtempSync(join(tmpdir(), "pier-security-"));
    engine = await Engine.launch();
    runner = new Runner(engine);
    await engine.load();
    const [probe, ...others] = probeLayer();
    await engine.load(await imageOf());
    await engine.load(
      await imageOf({
        name: "setuid:latest",
        layers: [[{ ...probe!, mode: 0o4755 }, ...others]],
        config: { User: "app" },
      }),
    );
  });
  after(async () => {
    await engine.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  const sh = (script: string, ...flags: string[]) => runner.says(...flags, busybox, "sh", "-c", script);

  /** effective, permitted, inheritable, bounding, ambient */
  const capabilities = async (...flags: string[]) =>
    [...(await runner.says(...flags, "probe", "caps")).matchAll(/^\w+: 0*(\w+)$/gm)].map(([, set]) => set);

  test("fourteen capabilities, in no set that is inherited", async () => {
    assert.deepEqual(await capabilities(), ["a80425fb", "a80425fb", "0", "a80425fb", "0"]);
    assert.deepEqual(await capabilities("-u", "7"), ["0", "0", "0", "a80425fb", "0"]);
  });

  test("capabilities are added and dropped", async () => {
    const only = async (...flags: string[]) => (await capabilities(...flags))[0];
    assert.equal(await only("--cap-add", "NET_ADMIN", "--cap-drop", "CAP_CHOWN"), "a80435fa");
    assert.equal(await only("--cap-drop", "ALL"), "0");
    assert.equal(await only("--cap-drop", "all", "--cap-add", "kill"), "20");
    const ours = /^CapEff:\t0*(\w+)$/m.exec(
      await sh("cat /proc/self/status", "--cap-add", "ALL", "--pid", "host"),
    )?.[1];
    assert.equal(await only("--cap-add", "ALL"), ours);
    assert.ok(number(ours) > 0xa80425fbn);
    assert.deepEqual(await capabilities("-u", "7", "--cap-add", "NET_ADMIN"), ["0", "0", "0", "a80435fb", "0"]);
    await runner.refuses(/invalid CapAdd: unknown capability: "CAP_BOGUS"/, "--cap-add", "bogus", busybox);
    await runner.refuses(/invalid CapDrop: unknown capability: "CAP_BOGUS"/, "--cap-drop", "bogus", busybox);
  });

  test("a filter for system calls, and none where it is not wanted", async () => {
    const security = (...flags: string[]) => runner.says(...flags, "probe", "security");
    assert.equal(await security(), "seccomp: 2\nno_new_privs: 0\ndumpable: 1");
    assert.match(await security("--security-opt", "seccomp=unconfined"), /^seccomp: 0\n/);
    assert.match(await security("--privileged"), /^seccomp: 0\n/);
    // unshare(CLONE_NEWNS), keyctl, clone3
    const calls = [
      "syscall",
      "272",
      "0x20000",
      "then",
      "syscall",
      "250",
      "0",
      "0",
      "0",
      "then",
      "syscall",
      "435",
      "0",
      "0",
    ];
    assert.match(await runner.says("probe", ...calls.slice(0, 3)).catch(String), /EPERM/);
    assert.match((await runner.run(["probe", ...calls])).stdout, /EPERM[\s\S]*EPERM[\s\S]*ENOSYS/);
  });

  test("a profile of one's own", async () => {
    const file = join(directory, "profile.json");
    const profile = (text: string) => {
      writeFileSync(file, text);
      return ["--security-opt", `seccomp=${file}`];
    };
    const noDirectories = { names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO", errnoRet: 13 };
    const own = profile(JSON.stringify({ defaultAction: "SCMP_ACT_ALLOW", syscalls: [noDirectories] }));
    const ran = await runner.run([...own, busybox, "sh", "-c", "grep Seccomp: /proc/self/status; mkdir /x"]);
    assert.deepEqual([ran.code, ran.stdout], [1, "Seccomp:\t2\n"]);
    assert.match(ran.stderr, /Permission denied/);
    await runner.refuses(/decoding seccomp profile failed|invalid|unexpected/i, ...profile("{"), busybox);
    await runner.refuses(/seccomp/i, ...profile('{"defaultAction":"SCMP_ACT_BOGUS"}'), busybox);
    await runner.refuses(
      /no such file or directory/,
      "--security-opt",
      `seccomp=${join(directory, "absent")}`,
      busybox,
    );
    await runner.refuses(/invalid --security-opt: "bogus"/i, "--security-opt", "bogus", busybox);
  });

  test("no new privileges: a set-uid program stays who it is", async () => {
    const whole = ["setuid", "id", "then", "security"];
    assert.match(await runner.says(...whole), /^uid: 1000 0 0$/m);
    const bound = await runner.says("--security-opt", "no-new-privileges", ...whole);
    assert.match(bound, /^uid: 1000 1000 1000$/m);
    assert.match(bound, /^seccomp: 2\nno_new_privs: 1$/m);
    assert.match(await runner.says("--security-opt", "no-new-privileges=false", ...whole), /^no_new_privs: 0$/m);
  });

  test("what tells about the host is masked, what steers it is read-only", async () => {
    for (const path of ["/proc/kcore", "/proc/keys", "/proc/timer_list", "/proc/interrupts", "/proc/sched_debug"]) {
      assert.match(
        await sh(`[ ! -e ${path} ] || { [ -c ${path} ] && [ -z "$(cat ${path})" ] && echo masked; } || echo seen`),
        /^(masked)?$/,
      );
    }
    for (const path of ["/sys/firmware", "/proc/acpi", "/proc/scsi", "/sys/devices/virtual/powercap"])
      assert.equal(await sh(`ls -A ${path} 2>/dev/null; touch ${path}/x 2>/dev/null && echo written; true`), "");
    const writes =
      "for f in /proc/sysrq-trigger /proc/sys/kernel/domainname /proc/sys/kernel/core_pattern /sys/kernel/uevent_helper /proc/irq/default_smp_affinity; do (echo x >$f) 2>/dev/null && echo $f; done; true";
    assert.equal(await sh(writes), "");
    assert.equal(
      await sh(
        "find /sys /proc/sys /proc/irq /proc/bus /proc/fs -maxdepth 1 -writable 2>/dev/null | head; mount -t tmpfs x /tmp 2>/dev/null || echo no mount",
      ),
      "no mount",
    );
  });

  test("mounts and their options are Docker's", async () => {
    const mounts = await sh("awk '{print $2, $3, $4}' /proc/mounts");
    for (const line of [
      /^\/proc proc rw,nosuid,nodev,noexec,relatime$/m,
      /^\/dev tmpfs rw,nosuid,size=65536k,mode=755(,inode64)?$/m,
      /^\/dev\/pts devpts rw,nosuid,noexec,relatime,gid=5,mode=620,ptmxmode=666$/m,
      /^\/sys sysfs ro,nosuid,nodev,noexec,relatime$/m,
      /^\/sys\/fs\/cgroup\S* cgroup2? ro,nosuid,nodev,noexec,relatime/m,
      /^\/dev\/mqueue mqueue rw,nosuid,nodev,noexec,relatime$/m,
      /^\/dev\/shm tmpfs rw,nosuid,nodev,noexec,relatime,size=65536k(,inode64)?$/m,
      /^\/proc\/(bus|fs|irq|sys) proc ro,nosuid,nodev,noexec,relatime$/m,
      /^\/ overlay rw,relatime,/m,
    ])
      assert.match(mounts, line);
  });

  test("the usual devices and no others can be used", async () => {
    const names = "console fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero";
    assert.equal(await sh("ls /dev | tr '\\n' ' '", "-t"), `${names} `);
    assert.equal(await sh("ls /dev | tr '\\n' ' '"), `${names.replace("console ", "")} `);
    assert.equal(
      await sh("stat -c '%n %a %t:%T' /dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty"),
      [
        "/dev/null 666 1:3",
        "/dev/zero 666 1:5",
        "/dev/full 666 1:7",
        "/dev/random 666 1:8",
        "/dev/urandom 666 1:9",
        "/dev/tty 666 5:0",
      ].join("\n"),
    );
    // A node can be made, but only some can be opened: memory (1:1) and the first disk (253:0, 8:0, 254:0) cannot.
    const made =
      "mknod /n c 1 3 && echo x >/n && for d in 'c 1 1' 'c 10 200' 'b 8 0' 'b 253 0' 'b 254 0'; do mknod /m $d; (: </m) 2>/dev/null && echo opened $d; rm /m; done; true";
    assert.equal(await sh(made), "");
  });

  test("a device that is handed over can be used as far as it was allowed", async () => {
    const script =
      "stat -c '%a %t:%T' /dev/given; (: </dev/given) && echo r; (: >/dev/given) 2>/dev/null && echo w; true";
    assert.equal(await sh(script, "--device", "/dev/full:/dev/given"), "666 1:7\nr\nw");
    assert.match(await sh(script, "--cap-add", "SYSLOG", "--device", "/dev/kmsg:/dev/given:r"), /^\d+ 1:b\nr$/);
    assert.match(
      await sh("mknod /m c 1 11 && (: </m) && echo r", "--cap-add", "SYSLOG", "--device-cgroup-rule", "c 1:11 r"),
      /^r$/,
    );
    await runner.refuses(
      /invalid device mode: x|bad mode specified: x|invalid/,
      "--device",
      "/dev/full:/dev/f:x",
      busybox,
    );
    await runner.refuses(/invalid device cgroup/, "--device-cgroup-rule", "bogus", busybox);
    const absent = await runner.run(["--device", "/dev/absent", busybox]);
    assert.equal(absent.code, 127);
    assert.match(
      absent.stderr,
      /error gathering device information while adding custom device "\/dev\/absent": no such file or directory/,
    );
  });

  test("a privileged container sees and may nearly everything", async () => {
    const script =
      "grep -c . /proc/keys >/dev/null && ls /dev | wc -l; mount -t tmpfs x /tmp && echo mounted; (echo x >/proc/sys/kernel/domainname) && echo named; awk '$2==\"/sys\"{print $4}' /proc/mounts";
    const [devices, ...rest] = (await sh(script, "--privileged")).split("\n");
    assert.ok(Number(devices) >= readdirSync("/dev").length / 2, `${devices} devices`);
    assert.deepEqual(rest, ["mounted", "named", "rw,nosuid,nodev,noexec,relatime"]);
  });

  test("kernel parameters of its own namespaces can be set, and no others", async () => {
    const set = ["--sysctl", "net.ipv4.ip_forward=1", "--sysctl", "kernel.msgmax=9000"];
    assert.equal(await sh("cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/msgmax", ...set), "1\n9000");
    assert.equal(
      await sh("cat /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/sys/net/ipv4/ping_group_range"),
      "0\n0\t2147483647",
    );
    await runner.refuses(/sysctl .vm.swappiness.* not (allowed|in a separate)/, "--sysctl", "vm.swappiness=1", busybox);
    await runner.refuses(/sysctl .kernel.hostname.* not allowed/, "--sysctl", "kernel.hostname=x", busybox);
    const host = ["--network", "host", "--sysctl", "net.ipv4.ip_forward=1", busybox];
    assert.match(
      (await engine.docker(["run", "--rm", ...host])).stderr,
      /sysctl "net.ipv4.ip_forward" not allowed in host network namespace/,
    );
  });

  test("a keyring of its own, and the host's keys out of reach", async () => {
    assert.equal(await sh("cat /proc/keys"), "");
    const rings = await sh("hostname; grep -o '_ses.*:' /proc/keys", "--privileged");
    assert.match(rings, /^([0-9a-f]{12})\n(.*\n)*_ses\.\1[0-9a-f]{52}:/);
  });

  test("a session in the container has the same, and with --privileged more", async () => {
    const id = await runner.detached("--cap-drop", "CHOWN", "probe", "sleep");
    const exec = (...args: string[]) => said(engine, "exec", ...args);
    assert.match(
      await exec(id, "/probe", "caps"),
      /^effective: 0+a80425fa\npermitted: 0+a80425fa\ninheritable: 0+\nbounding: 0+a80425fa\nambient: 0+$/,
    );
    assert.match(
      await exec("-u", "7", id, "/probe", "caps"),
      /^effective: 0+\npermitted: 0+\ninheritable: 0+\nbounding: 0+a80425fa\nambient: 0+$/,
    );
    const rest = await exec(id, "/probe", "security", "then", "umask", "then", "descriptors");
    assert.match(rest, /^seccomp: 2\nno_new_privs: 0\ndumpable: 1\numask: 0022\n/);
    assert.equal(rest.match(/^\d+: mode/gm)?.length, 3);
    const all = /^effective: 0+(\w+)$/m.exec(await exec("--privileged", id, "/probe", "caps"))?.[1];
    assert.ok(number(all) > 0xa80425fbn);
  });
});
