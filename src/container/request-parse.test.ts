import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { PierError } from "../base/errors.ts";
import type { CreateRequest } from "./request.ts";
import { parseCreateRequest, parseExecRequest } from "./request-parse.ts";

const parse = (hostConfig: object = {}, config: object = {}): CreateRequest =>
  parseCreateRequest({ Image: "busybox", ...config, HostConfig: hostConfig });

const refuses = (sentence: string, action: () => unknown, status = 400) =>
  assert.throws(action, (error: unknown) => {
    assert.ok(error instanceof PierError, String(error));
    assert.equal(error.message, sentence);
    assert.equal(error.status, status);
    return true;
  });

test("a body that asks for nothing gets Docker's defaults", () => {
  const request = parseCreateRequest({ Image: "busybox" });
  assert.deepEqual(request.namespaces, {
    pid: { kind: "private" },
    ipc: { kind: "private" },
    uts: { kind: "private" },
    cgroup: { kind: "private" },
    user: "",
  });
  assert.equal(request.shmSize, 67_108_864);
  assert.equal(request.network.mode, "bridge");
  assert.deepEqual(request.log, {
    driver: "json-file",
    maxSize: 20_000_000,
    maxFiles: 5,
    compress: false,
    options: {},
  });
  assert.equal(request.command, null);
  assert.equal(request.entrypoint, null);
  assert.deepEqual(request.mounts, []);
  assert.deepEqual(JSON.parse(JSON.stringify(request)), request, "a request survives the database");
});

test("what the docker command sends for `run -it busybox sh` is understood", () => {
  const request = parseCreateRequest({
    Hostname: "",
    Domainname: "",
    User: "",
    AttachStdin: true,
    AttachStdout: true,
    AttachStderr: true,
    Tty: true,
    OpenStdin: true,
    StdinOnce: true,
    Env: null,
    Cmd: ["sh"],
    Image: "busybox",
    Volumes: {},
    WorkingDir: "",
    Entrypoint: null,
    OnBuild: null,
    Labels: {},
    HostConfig: {
      Binds: null,
      ContainerIDFile: "",
      LogConfig: { Type: "", Config: {} },
      NetworkMode: "default",
      PortBindings: {},
      RestartPolicy: { Name: "no", MaximumRetryCount: 0 },
      AutoRemove: false,
      VolumeDriver: "",
      VolumesFrom: null,
      ConsoleSize: [24, 80],
      CapAdd: null,
      CapDrop: null,
      CgroupnsMode: "",
      Dns: [],
      DnsOptions: [],
      DnsSearch: [],
      ExtraHosts: null,
      GroupAdd: null,
      IpcMode: "",
      Cgroup: "",
      Links: null,
      OomScoreAdj: 0,
      PidMode: "",
      Privileged: false,
      PublishAllPorts: false,
      ReadonlyRootfs: false,
      SecurityOpt: null,
      UTSMode: "",
      UsernsMode: "",
      ShmSize: 0,
      Isolation: "",
      CpuShares: 0,
      Memory: 0,
      NanoCpus: 0,
      CgroupParent: "",
      BlkioWeight: 0,
      BlkioWeightDevice: [],
      BlkioDeviceReadBps: [],
      BlkioDeviceWriteBps: [],
      BlkioDeviceReadIOps: [],
      BlkioDeviceWriteIOps: [],
      CpuPeriod: 0,
      CpuQuota: 0,
      CpuRealtimePeriod: 0,
      CpuRealtimeRuntime: 0,
      CpusetCpus: "",
      CpusetMems: "",
      Devices: [],
      DeviceCgroupRules: null,
      DeviceRequests: null,
      MemoryReservation: 0,
      MemorySwap: 0,
      MemorySwappiness: -1,
      OomKillDisable: false,
      PidsLimit: 0,
      Ulimits: [],
      CpuCount: 0,
      CpuPercent: 0,
      IOMaximumIOps: 0,
      IOMaximumBandwidth: 0,
      MaskedPaths: null,
      ReadonlyPaths: null,
    },
    NetworkingConfig: {
      EndpointsConfig: { default: { IPAMConfig: null, Links: null, Aliases: null, MacAddress: "", DriverOpts: null } },
    },
  });
  assert.deepEqual(request.consoleSize, { rows: 24, columns: 80 });
  assert.deepEqual(request.attach, { stdin: true, stdout: true, stderr: true });
  assert.equal(request.resources.pidsLimit, undefined);
  assert.equal(request.resources.memorySwappiness, undefined);
  assert.equal(request.network.name, "default");
});

describe("the process", () => {
  test("no entrypoint and an empty one differ", () => {
    assert.equal(parse({}, { Entrypoint: null }).entrypoint, null);
    assert.deepEqual(parse({}, { Entrypoint: [] }).entrypoint, []);
    assert.deepEqual(parse({}, { Entrypoint: [""] }).entrypoint, [""]);
    assert.deepEqual(parse({}, { Entrypoint: "/bin/sh" }).entrypoint, ["/bin/sh"]);
  });

  test("a working directory is absolute and normal", () => {
    assert.equal(parse({}, { WorkingDir: "/a//b/../c/" }).workingDirectory, "/a/c");
    assert.equal(parse({}, { WorkingDir: "/../.." }).workingDirectory, "/");
    refuses("the working directory 'src' is invalid, it needs to be an absolute path", () =>
      parse({}, { WorkingDir: "src" }),
    );
  });

  test("what cannot be is refused in Docker's words", () => {
    refuses("config cannot be empty in order to create a container", () => parseCreateRequest(null));
    refuses("invalid environment variable: =x", () => parse({}, { Env: ["A=1", "=x"] }));
    refuses("invalid signal: SIGFOO", () => parse({}, { StopSignal: "SIGFOO" }));
    refuses("Invalid value 1001, range for oom score adj is [-1000, 1000]", () => parse({ OomScoreAdj: 1001 }));
    refuses("Interval in Healthcheck cannot be less than 1ms", () => parse({}, { Healthcheck: { Interval: 10 } }));
    refuses("Retries in Healthcheck cannot be negative", () => parse({}, { Healthcheck: { Retries: -1 } }));
    refuses("SHM size can not be less than 0", () => parse({ ShmSize: -1 }));
    refuses("invalid request body: Tty must be true or false, not a string", () => parse({}, { Tty: "yes" }));
  });

  test("no text holds a NUL", () => {
    for (const config of [
      { Cmd: ["a\0b"] },
      { Env: ["A=\0"] },
      { User: "root\0x" },
      { Hostname: "a\0" },
      { Volumes: { "/a\0": {} } },
      { Labels: { "a\0": "b" } },
      { Entrypoint: "sh\0" },
    ]) {
      refuses("invalid request: texts cannot contain a NUL byte", () => parse({}, config));
    }
    refuses("invalid request: texts cannot contain a NUL byte", () => parse({ Binds: ["/a:/b\0:ro"] }));
  });

  test("a host name is one word of at most 64 bytes", () => {
    assert.equal(parse({}, { Hostname: "web-1.example" }).hostname, "web-1.example");
    for (const name of ["a b", "a\nb", "a/b", "#x", "x".repeat(65)]) {
      refuses(`invalid hostname: ${name}`, () => parse({}, { Hostname: name }));
      refuses(`invalid domain name: ${name}`, () => parse({}, { Domainname: name }));
    }
  });

  test("labels are any texts, __proto__ too", () => {
    const { labels } = parse({}, JSON.parse('{"Labels": {"__proto__": "x", "constructor": "y"}}'));
    assert.deepEqual(Object.entries(labels), [
      ["__proto__", "x"],
      ["constructor", "y"],
    ]);
    assert.equal(JSON.parse(JSON.stringify(labels)).constructor, "y");
  });
});

describe("mounts", () => {
  test("binds", () => {
    const [bind] = parse({ Binds: ["/src/:/dst//x/../y/:ro,z,rslave"] }).mounts;
    assert.deepEqual(bind, {
      kind: "bind",
      form: "binds",
      source: "/src",
      target: "/dst/y",
      readonly: true,
      readonlyRecursive: "try",
      recursive: true,
      propagation: "rslave",
      propagationAsked: true,
      createSource: true,
      mode: "ro,z,rslave",
    });
  });

  const specs: readonly [string, string][] = [
    ["", "invalid volume specification: ''"],
    [":/b", "invalid volume specification: ':/b'"],
    ["/a:/b:ro:z", "invalid volume specification: '/a:/b:ro:z'"],
    ["/a:ro", "invalid volume specification: '/a:ro'"],
    ["/a:/b:rx", "invalid mode: rx"],
    ["/a:/b:ro,rw", "invalid mode: ro,rw"],
    ["/a:/b:ro,", "invalid mode: ro,"],
    [
      "/a:b",
      "invalid volume specification: '/a:b': invalid mount config for type \"bind\": invalid mount path: 'b' mount path must be absolute",
    ],
    [
      "/a:/",
      "invalid volume specification: '/a:/': invalid mount config for type \"bind\": invalid specification: destination can't be '/'",
    ],
    [
      "/a:/x/..",
      "invalid volume specification: '/a:/x/..': invalid mount config for type \"bind\": invalid specification: destination can't be '/'",
    ],
  ];
  for (const [spec, sentence] of specs) {
    test(`"${spec}" is no bind`, () => refuses(sentence, () => parse({ Binds: [spec] })));
  }

  test("what has its own issue is refused", () => {
    for (const type of ["image", "cluster", "npipe"]) {
      const sentence = `a mount of type "${type}" is not supported by this version of pier`;
      refuses(sentence, () => parse({ Mounts: [{ Type: type, Source: "x", Target: "/d" }] }), 501);
    }
  });

  test("mounts of type bind", () => {
    const mount = { Type: "bind", Source: "/src", Target: "/dst" };
    const [bind] = parse({
      Mounts: [{ ...mount, ReadOnly: true, BindOptions: { NonRecursive: true, ReadOnlyForceRecursive: true } }],
    }).mounts;
    assert.ok(bind?.kind === "bind");
    assert.equal(bind.readonlyRecursive, "force");
    assert.equal(bind.recursive, false);
    assert.equal(bind.createSource, false);
    const fail = (more: object, reason: string) =>
      refuses(`invalid mount config for type "bind": ${reason}`, () => parse({ Mounts: [{ ...mount, ...more }] }));
    fail({ Source: "" }, "field Source must not be empty");
    fail({ Target: "" }, "field Target must not be empty");
    fail({ Target: "x" }, "invalid mount path: 'x' mount path must be absolute");
    fail({ Source: "x" }, "invalid mount path: 'x' mount path must be absolute");
    fail({ VolumeOptions: {} }, "field VolumeOptions must not be specified");
    fail({ BindOptions: { Propagation: "twice" } }, "invalid propagation mode: twice");
    refuses('invalid mount config for type "": mount type unknown', () => parse({ Mounts: [{ Target: "/x" }] }));
  });

  test("tmpfs: the last of each kind holds, over the defaults", () => {
    const options = (text: string) => {
      const [mount] = parse({ Tmpfs: { "/run": text } }).mounts;
      assert.ok(mount?.kind === "tmpfs");
      return mount.options.join(",");
    };
    assert.equal(options(""), "noexec,nosuid,nodev,rprivate");
    assert.equal(options("rw,exec,size=64m,mode=1770"), "nosuid,nodev,rprivate,rw,exec,size=64m,mode=1770");
    assert.equal(options("size=1m,ro,size=2m,rw"), "noexec,nosuid,nodev,rprivate,size=2m,rw");
    assert.equal(options("shared"), "noexec,nosuid,nodev,shared");
    refuses('invalid tmpfs option "sise"', () => options("sise=1m"));
    refuses('invalid tmpfs option "frobnicate"', () => options("frobnicate"));
  });

  test("mounts of type tmpfs", () => {
    const [mount] = parse({
      Mounts: [
        {
          Type: "tmpfs",
          Target: "/t",
          ReadOnly: true,
          TmpfsOptions: { SizeBytes: 3 << 20, Mode: 0o700, Options: [["exec"]] },
        },
      ],
    }).mounts;
    assert.ok(mount?.kind === "tmpfs");
    assert.equal(mount.options.join(","), "nosuid,nodev,rprivate,ro,mode=700,size=3m,exec");
    refuses('invalid mount config for type "tmpfs": field Source must not be specified', () =>
      parse({ Mounts: [{ Type: "tmpfs", Target: "/t", Source: "/x" }] }),
    );
    refuses('invalid mount config for type "tmpfs": invalid option: suid', () =>
      parse({ Mounts: [{ Type: "tmpfs", Target: "/t", TmpfsOptions: { Options: [["suid"]] } }] }),
    );
  });

  test("a target is mounted once", () => {
    const sentence = "Duplicate mount point: /d";
    refuses(sentence, () => parse({ Binds: ["/a:/d", "/b:/d/"] }));
    refuses(sentence, () => parse({ Binds: ["/a:/d"], Tmpfs: { "/d": "" } }));
    refuses(sentence, () => parse({ Binds: ["/a:/d"], Mounts: [{ Type: "tmpfs", Target: "/d" }] }));
  });

  test("a volume where something is mounted is no volume", () => {
    const { mounts } = parse({ Binds: ["/a:/d"] }, { Volumes: { "/d": {}, "/v": {}, "/v/": {} } });
    assert.deepEqual(
      mounts.map(({ kind, target }) => [kind, target]),
      [
        ["bind", "/d"],
        ["volume", "/v"],
      ],
    );
  });

  test("volumes by -v: a name and options, or no name", () => {
    const volume = (spec: string) => {
      const [mount] = parse({ Binds: [spec] }).mounts;
      assert.ok(mount?.kind === "volume");
      return mount;
    };
    const { name, target, readonly, copy, isAnonymous, propagation } = volume("data:/d/:ro,nocopy,rslave");
    assert.deepEqual(
      [name, target, readonly, copy, isAnonymous, propagation],
      ["data", "/d", true, false, false, "rslave"],
    );
    assert.deepEqual([volume("/v").name, volume("/v").isAnonymous], ["", true]);
    refuses("create a: volume name is too short, names should be at least two alphanumeric characters", () =>
      parse({ Binds: ["a:/d"] }),
    );
    for (const bad of ["../etc", "a/b", ".hidden", "-dash", "a b", "äö"]) {
      const words = `create ${bad}: "${bad}" includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path`;
      refuses(words, () => parse({ Binds: [`${bad}:/d`] }));
      refuses(words, () => parse({ Mounts: [{ Type: "volume", Source: bad, Target: "/d" }] }));
    }
    refuses("invalid mode: nocopy", () => parse({ Binds: ["/host:/d:nocopy"] }));
  });

  test("volumes by --mount", () => {
    const mount = { Type: "volume", Source: "data", Target: "/d" };
    const options = {
      NoCopy: true,
      Labels: { a: "b" },
      DriverConfig: { Name: "local", Options: { type: "tmpfs", device: "tmpfs" } },
    };
    const [volume] = parse({ Mounts: [{ ...mount, VolumeOptions: options }] }).mounts;
    assert.ok(volume?.kind === "volume");
    const { copy, labels, options: driver } = volume;
    assert.deepEqual([copy, { ...labels }, { ...driver }], [false, { a: "b" }, { type: "tmpfs", device: "tmpfs" }]);
    const fail = (more: object, reason: string) =>
      refuses(`invalid mount config for type "volume": ${reason}`, () => parse({ Mounts: [{ ...mount, ...more }] }));
    fail({ BindOptions: { Propagation: "shared" } }, "field BindOptions must not be specified");
    fail({ Source: "", ReadOnly: true }, "must not set ReadOnly mode when using anonymous volumes");
    fail({ Source: "", VolumeOptions: { Subpath: "x" } }, "must not set Subpath when using anonymous volumes");
    for (const Subpath of ["/abs", "../x", "a/../../x"])
      fail({ VolumeOptions: { Subpath } }, "subpath must be a relative path within the volume");
  });

  test("volumes of other containers", () => {
    assert.deepEqual(parse({ VolumesFrom: ["db", "web:ro"] }).volumesFrom, [
      { container: "db", readonly: false, text: "db" },
      { container: "web", readonly: true, text: "web:ro" },
    ]);
    refuses("volumes-from must specify the container id: ''", () => parse({ VolumesFrom: [""] }));
    refuses("invalid mode: bogus", () => parse({ VolumesFrom: ["db:bogus"] }));
    refuses("invalid mode: rslave", () => parse({ VolumesFrom: ["db:rslave"] }));
  });

  test("nothing is mounted inside /proc but what lxcfs presents there", () => {
    for (const target of ["/proc", "/proc/sys", "/proc/sys/net", "/proc/self/attr", "/tmp/../proc/kcore"]) {
      assert.throws(() => parse({ Binds: [`/a:${target}`] }), /^PierError: cannot mount on \/proc/);
      assert.throws(() => parse({ Tmpfs: { [target]: "" } }), /^PierError: cannot mount on \/proc/);
    }
    assert.equal(parse({ Binds: ["/a:/proc/cpuinfo", "/proc:/proc", "/b:/processes"] }).mounts.length, 3);
  });
});

describe("resources", () => {
  const cases: readonly [object, string][] = [
    [{ Memory: 4 << 20 }, "Minimum memory limit allowed is 6MB"],
    [{ Memory: -1 }, "Minimum memory limit allowed is 6MB"],
    [
      { Memory: 64 << 20, MemorySwap: 32 << 20 },
      "Minimum memoryswap limit should be larger than memory limit, see usage",
    ],
    [{ MemorySwap: 64 << 20 }, "You should always set the Memory limit when using Memoryswap limit, see usage"],
    [{ MemoryReservation: 1 }, "Minimum memory reservation allowed is 6MB"],
    [
      { Memory: 8 << 20, MemoryReservation: 16 << 20 },
      "Minimum memory limit can not be less than memory reservation limit, see usage",
    ],
    [{ MemorySwappiness: 101 }, "Invalid value: 101, valid memory swappiness range is 0-100"],
    [{ NanoCpus: 1, CpuPeriod: 1 }, "Conflicting options: Nano CPUs and CPU Period cannot both be set"],
    [{ NanoCpus: 1, CpuQuota: 1 }, "Conflicting options: Nano CPUs and CPU Quota cannot both be set"],
    [{ CpuPeriod: 999 }, "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)"],
    [{ CpuQuota: 999 }, "CPU cfs quota can not be less than 1ms (i.e. 1000)"],
    [{ CpusetCpus: "0-" }, "Invalid value 0- for cpuset cpus"],
    [{ CpusetMems: "a" }, "Invalid value a for cpuset mems"],
    [{ BlkioWeight: 5 }, "Range of blkio weight is from 10 to 1000"],
    [
      { CpuRealtimePeriod: 10, CpuRealtimeRuntime: 20 },
      "cpu real-time runtime cannot be higher than cpu real-time period",
    ],
    [
      { Ulimits: [{ Name: "nofile", Soft: 10, Hard: 5 }] },
      "ulimit soft limit must be less than or equal to hard limit: 10 > 5",
    ],
    [
      { Ulimits: [{ Name: "nofile", Soft: -1, Hard: 5 }] },
      "ulimit soft limit must be less than or equal to hard limit: -1 > 5",
    ],
    [{ DeviceCgroupRules: ["x 1:2 r"] }, "invalid device cgroup rule format: 'x 1:2 r'"],
    [{ DeviceCgroupRules: ["c 1:2 r\nb *:* rwm"] }, "invalid device cgroup rule format: 'c 1:2 r\nb *:* rwm'"],
    [{ Devices: [{ PathOnHost: "/dev/x", CgroupPermissions: "rwx" }] }, "invalid device mode: rwx"],
    [
      { DeviceRequests: [{ Driver: "", Capabilities: [["gpu"]] }] },
      'could not select device driver "" with capabilities: [[gpu]]',
    ],
    [{ CgroupParent: "/.." }, "invalid cgroup parent: /.."],
    [{ CgroupParent: "../../x" }, "invalid cgroup parent: ../../x"],
    [
      { Memory: 2 ** 53 },
      "invalid request body: HostConfig.Memory must be a whole number below 2^53, not 9007199254740992",
    ],
    [{ Memory: "64m" }, "invalid request body: HostConfig.Memory must be a whole number below 2^53, not a string"],
  ];
  for (const [host, sentence] of cases) test(sentence, () => refuses(sentence, () => parse(host)));

  test("swap is as much as memory unless asked for", () => {
    assert.equal(parse({ Memory: 64 << 20 }).resources.memorySwap, 128 << 20);
    assert.equal(parse({ Memory: 64 << 20, MemorySwap: -1 }).resources.memorySwap, -1);
  });

  test("shares are bent to what the kernel takes", () => {
    assert.equal(parse({ CpuShares: 1 }).resources.cpuShares, 2);
    assert.equal(parse({ CpuShares: 10 ** 9 }).resources.cpuShares, 262_144);
  });

  test("a cgroup's parent stays beneath the root", () => {
    assert.equal(parse({ CgroupParent: "x/./y/" }).resources.cgroupParent, "/x/y");
  });

  test("devices and their rules", () => {
    const { resources } = parse({
      Devices: [
        { PathOnHost: "/dev/fuse" },
        { PathOnHost: "/dev/sda", PathInContainer: "/dev/xvda", CgroupPermissions: "r" },
      ],
      DeviceCgroupRules: ["c *:* m", "b 8:0 rwm"],
    });
    assert.deepEqual(resources.devices, [
      { source: "/dev/fuse", target: "/dev/fuse", permissions: "rwm" },
      { source: "/dev/sda", target: "/dev/xvda", permissions: "r" },
    ]);
    assert.deepEqual(resources.deviceRules, [
      { kind: "c", major: -1, minor: -1, permissions: "m" },
      { kind: "b", major: 8, minor: 0, permissions: "rwm" },
    ]);
  });
});

describe("security", () => {
  test("options are read as Docker reads them", () => {
    const { security } = parse({
      SecurityOpt: ["no-new-privileges:true", "seccomp=unconfined", "apparmor=mine", "label:disable"],
      CapAdd: ["net_admin", "CAP_SYS_TIME"],
      CapDrop: ["all"],
    });
    assert.equal(security.noNewPrivileges, true);
    assert.deepEqual(security.seccomp, { kind: "unconfined" });
    assert.equal(security.apparmor, "mine");
    assert.deepEqual(security.labels, ["disable"]);
    assert.deepEqual(security.capAdd, ["CAP_NET_ADMIN", "CAP_SYS_TIME"]);
    assert.deepEqual(security.capDrop, ["ALL"]);
    assert.deepEqual(parse({ SecurityOpt: ["no-new-privileges"] }).security.noNewPrivileges, true);
    assert.deepEqual(parse({ SecurityOpt: ["no-new-privileges=false"] }).security.noNewPrivileges, false);
    assert.deepEqual(parse({ SecurityOpt: ["seccomp=builtin"] }).security.seccomp, { kind: "default" });
    assert.deepEqual(parse({ SecurityOpt: ["systempaths=unconfined"] }).security.maskedPaths, []);
    const profile = '{"defaultAction":"SCMP_ACT_ALLOW"}';
    assert.deepEqual(parse({ SecurityOpt: [`seccomp=${profile}`] }).security.seccomp, { kind: "profile", profile });
  });

  test("what is no option is refused", () => {
    refuses('invalid --security-opt: "frob"', () => parse({ SecurityOpt: ["frob"] }));
    refuses('invalid --security-opt: "frob=1"', () => parse({ SecurityOpt: ["frob=1"] }));
    refuses('invalid --security-opt: "no-new-privileges=maybe"', () =>
      parse({ SecurityOpt: ["no-new-privileges=maybe"] }),
    );
    refuses("decoding seccomp profile failed: not an object", () => parse({ SecurityOpt: ["seccomp=[]"] }));
    assert.throws(() => parse({ SecurityOpt: ["seccomp=/etc/profile.json"] }), /decoding seccomp profile failed/);
    refuses('invalid CapAdd: unknown capability: "CAP_FROB"', () => parse({ CapAdd: ["frob"] }));
    refuses('invalid CapDrop: unknown capability: "CAP_FROB"', () => parse({ CapDrop: ["CAP_FROB"] }));
  });

  test("kernel settings are only those of the container's own namespaces (CVE-2022-0811)", () => {
    const sysctl = (name: string, host: object = {}, value = "1") => parse({ Sysctls: { [name]: value }, ...host });
    assert.deepEqual(sysctl("net.core.somaxconn").sysctls, { "net.core.somaxconn": "1" });
    assert.deepEqual(sysctl("kernel.shmmax").sysctls, { "kernel.shmmax": "1" });
    assert.deepEqual(sysctl("fs.mqueue.msg_max").sysctls, { "fs.mqueue.msg_max": "1" });
    for (const name of [
      "kernel.shm_rmid_forced+kernel.core_pattern",
      "net.a=b",
      "net.ipv4\nkernel.core_pattern",
      "net/ipv4/ip_forward",
      "net..ipv4",
      "net.ipv4.../../kernel",
      "../kernel",
      "",
      "net",
      "__proto__",
    ]) {
      refuses(`invalid sysctl: ${name}`, () => sysctl(name));
    }
    for (const name of ["kernel.core_pattern", "vm.swappiness", "fs.file-max", "kernel.msgmaxx"]) {
      refuses(`sysctl "${name}" is not in a separate kernel namespace`, () => sysctl(name));
    }
    refuses('sysctl "net.core.somaxconn" not allowed in host network namespace', () =>
      sysctl("net.core.somaxconn", { NetworkMode: "host" }),
    );
    refuses('sysctl "kernel.sem" not allowed in host ipc namespace', () => sysctl("kernel.sem", { IpcMode: "host" }));
    refuses("invalid value of sysctl net.core.somaxconn", () => sysctl("net.core.somaxconn", {}, "1\n2"));
    assert.throws(() => sysctl("kernel.hostname"), /conflicts with the hostname/);
  });

  test("namespaces", () => {
    const { namespaces } = parse({
      PidMode: "container:abc",
      IpcMode: "shareable",
      UTSMode: "host",
      CgroupnsMode: "host",
    });
    assert.deepEqual(namespaces.pid, { kind: "container", ref: "abc" });
    assert.deepEqual(namespaces.ipc, { kind: "shareable" });
    assert.deepEqual(namespaces.uts, { kind: "host" });
    assert.deepEqual(namespaces.cgroup, { kind: "host" });
    refuses("invalid PID mode: container:", () => parse({ PidMode: "container:" }));
    refuses("invalid PID mode: none", () => parse({ PidMode: "none" }));
    refuses("invalid IPC mode: __proto__", () => parse({ IpcMode: "__proto__" }));
    refuses("invalid UTS mode: mine", () => parse({ UTSMode: "mine" }));
    refuses("invalid userns mode: private", () => parse({ UsernsMode: "private" }));
    refuses("conflicting options: hostname and the UTS mode", () => parse({ UTSMode: "host" }, { Hostname: "x" }));
  });

  test("an init is kept as it was asked for", () => {
    assert.equal(parse({ Init: true }).init, true);
    assert.equal(parse({ Init: true, PidMode: "host" }).init, true);
  });
});

describe("the network", () => {
  test("ports", () => {
    const ports = (bindings: object) =>
      parse({ PortBindings: bindings }).network.ports.map(
        ({ containerPort, protocol, hostAddress, hostPortFirst, hostPortLast }) =>
          `${hostAddress}:${hostPortFirst}-${hostPortLast}:${containerPort}/${protocol}`,
      );
    assert.deepEqual(ports({ "80/tcp": [{ HostPort: "8080" }] }), [":8080-8080:80/tcp"]);
    assert.deepEqual(ports({ 53: [{ HostIp: "127.0.0.1", HostPort: "53" }] }), ["127.0.0.1:53-53:53/tcp"]);
    assert.deepEqual(ports({ "53/udp": [{ HostPort: "" }, { HostPort: "8000-8010" }] }), [
      ":0-0:53/udp",
      ":8000-8010:53/udp",
    ]);
    assert.deepEqual(ports({ "80/tcp": [] }), [":0-0:80/tcp"]);
    assert.deepEqual(ports({ "80/tcp": null }), [":0-0:80/tcp"]);
    for (const port of ["0/tcp", "65536/tcp", "80/icmp", "a", "80/tcp/udp", "-1", "80-81/tcp"]) {
      refuses(`invalid port specification: "${port}"`, () => ports({ [port]: [{ HostPort: "1" }] }));
    }
    for (const port of ["65536", "a", "10-5", "8080/udp", "-1"]) {
      refuses(`invalid port specification: "${port}"`, () => ports({ "80/tcp": [{ HostPort: port }] }));
    }
    refuses('invalid port specification: "1.2.3"', () => ports({ "80/tcp": [{ HostIp: "1.2.3" }] }));
    refuses('invalid port specification: "fe80::1%eth0"', () => ports({ "80/tcp": [{ HostIp: "fe80::1%eth0" }] }));
    assert.deepEqual(ports({ "80/tcp": [{ HostIp: "::1" }, { HostIp: "[::2]" }] }), [
      "::1:0-0:80/tcp",
      "::2:0-0:80/tcp",
    ]);
    assert.deepEqual(ports({ "80/sctp": [{ HostPort: "81" }] }), [":81-81:80/sctp"]);
    for (const HostIp of ["127.0.0.1", "::1"]) {
      assert.throws(() => ports({ "80/sctp": [{ HostIp, HostPort: "81" }] }), /nothing passes SCTP on from/);
    }
  });

  test("exposed ports are a list", () => {
    assert.deepEqual(parse({}, { ExposedPorts: { 80: {}, "90-92/udp": {} } }).network.exposedPorts, [
      "80/tcp",
      "90/udp",
      "91/udp",
      "92/udp",
    ]);
  });

  test("what becomes a line of a file is one word", () => {
    const entries = {
      ExtraHosts: ["db:10.0.0.1", "six:fe80::1", "up:host-gateway"],
      Dns: ["1.1.1.1"],
      DnsSearch: ["."],
    };
    assert.deepEqual(parse(entries).network.extraHosts, entries.ExtraHosts);
    refuses('bad format for add-host: "db"', () => parse({ ExtraHosts: ["db"] }));
    refuses('bad format for add-host: ":1.1.1.1"', () => parse({ ExtraHosts: [":1.1.1.1"] }));
    refuses('bad format for add-host: "a\n1.2.3.4 b:1.1.1.1"', () => parse({ ExtraHosts: ["a\n1.2.3.4 b:1.1.1.1"] }));
    refuses('invalid IP address in add-host: "1.1.1"', () => parse({ ExtraHosts: ["db:1.1.1"] }));
    refuses("IP address is not correctly formatted: ns1", () => parse({ Dns: ["ns1"] }));
    refuses("invalid DNS option or search domain: a b", () => parse({ DnsSearch: ["a b"] }));
    refuses("invalid DNS option or search domain: x\nnameserver 6.6.6.6", () =>
      parse({ DnsOptions: ["x\nnameserver 6.6.6.6"] }),
    );
  });

  test("networks are attached in order, that of the mode first", () => {
    const EndpointsConfig = {
      back: { Aliases: ["db"], IPAMConfig: { IPv4Address: "10.5.0.9" }, GwPriority: 7 },
      front: null,
    };
    const { mode, attachments } = parse({ NetworkMode: "front" }, { NetworkingConfig: { EndpointsConfig } }).network;
    assert.equal(mode, "bridge");
    assert.deepEqual(
      attachments.map(({ network, aliases, address, priority }) => ({ network, aliases, address, priority })),
      [
        { network: "front", aliases: [], address: "", priority: 0 },
        { network: "back", aliases: ["db"], address: "10.5.0.9", priority: 7 },
      ],
    );
    const one = parse({}, { MacAddress: "02-42-AC-00-00-01" }).network.attachments;
    assert.deepEqual(
      one.map(({ network, macAddress }) => `${network} ${macAddress}`),
      ["bridge 02:42:ac:00:00:01"],
    );
    assert.deepEqual(parse({ NetworkMode: "none" }).network.attachments, []);
    assert.deepEqual(parse({}, { NetworkDisabled: true }).network.attachments, []);
  });

  test("what no network can give is refused in Docker's words", () => {
    const endpoint = (name: string, settings: object, host: object = { NetworkMode: name }) =>
      parse(host, { NetworkingConfig: { EndpointsConfig: { [name]: settings } } });
    refuses("user specified IP address is supported on user defined networks only", () =>
      endpoint("bridge", { IPAMConfig: { IPv4Address: "172.17.0.9" } }, {}),
    );
    refuses("network-scoped aliases are only supported for user-defined networks", () =>
      endpoint("default", { Aliases: ["db"] }),
    );
    refuses("invalid MAC address: 02:42", () => parse({}, { MacAddress: "02:42" }));
    refuses("invalid IPv4 address: fd00::1", () => endpoint("back", { IPAMConfig: { IPv4Address: "fd00::1" } }));
    refuses("invalid IPv6 address: 10.0.0.1", () => endpoint("back", { IPAMConfig: { IPv6Address: "10.0.0.1" } }));
    refuses("invalid link-local IP address: 10.0.0.1", () =>
      endpoint("back", { IPAMConfig: { LinkLocalIPs: ["10.0.0.1"] } }),
    );
    for (const name of ["lo", "a/b", "../x", "a b", "sixteencharacter"]) {
      refuses(`${name} is no name for an interface`, () =>
        endpoint("back", { DriverOpts: { "com.docker.network.endpoint.ifname": name } }),
      );
    }
    const shared =
      "container sharing network namespace with another container or host cannot be connected to any other network";
    refuses(shared, () => endpoint("back", {}, { NetworkMode: "host" }));
    refuses(shared, () => endpoint("host", {}, { NetworkMode: "back" }));
    const alone = "container cannot be connected to multiple networks with one of the networks in private (none) mode";
    refuses(alone, () => endpoint("back", {}, { NetworkMode: "none" }));
    refuses(alone, () => endpoint("none", {}, { NetworkMode: "back" }));
  });

  test("another container's network brings its own names and ports", () => {
    const { mode, container, attachments } = parse({ NetworkMode: "container:web" }).network;
    assert.deepEqual({ mode, container, attachments }, { mode: "container", container: "web", attachments: [] });
    const host = { NetworkMode: "container:web" };
    const refused: readonly [string, object, object?][] = [
      ["hostname and the network mode", host, { Hostname: "x" }],
      ["dns and the network mode", { ...host, Dns: ["1.1.1.1"] }],
      ["custom host-to-IP mapping and the network mode", { ...host, ExtraHosts: ["a:1.1.1.1"] }],
      ["mac-address and the network mode", host, { MacAddress: "02:42:ac:00:00:01" }],
      ["port publishing and the container type network mode", { ...host, PortBindings: { "80/tcp": null } }],
      ["port publishing and the container type network mode", { ...host, PublishAllPorts: true }],
      ["port exposing and the container type network mode", host, { ExposedPorts: { "80/tcp": {} } }],
    ];
    for (const [options, asked, config] of refused) {
      refuses(`conflicting options: ${options}`, () => parse(asked, config));
    }
    refuses("invalid network mode: container:", () => parse({ NetworkMode: "container:" }));
  });
});

describe("logs and the rest", () => {
  test("log options", () => {
    const log = (options: object, type = "json-file") => parse({ LogConfig: { Type: type, Config: options } }).log;
    assert.deepEqual(log({ "max-size": "10m", "max-file": "3" }).maxSize, 10_000_000);
    assert.deepEqual(log({ "max-size": "10m" }).maxFiles, 1);
    assert.deepEqual(log({ "max-file": "2" }).maxSize, 20_000_000);
    assert.deepEqual(log({ "max-size": "1.5k" }).maxSize, 1500);
    assert.deepEqual(log({ "max-size": "-1" }).maxSize, -1);
    assert.equal(log({}, "none").driver, "none");
    refuses("max-file cannot be less than 1", () => log({ "max-file": "0" }));
    refuses("max-size must be a positive number", () => log({ "max-size": "0" }));
    refuses("invalid size: 'big'", () => log({ "max-size": "big" }));
    refuses("unknown log opt 'max-sise' for json-file log driver", () => log({ "max-sise": "1m" }));
    assert.deepEqual(log({ "max-size": "1m" }, "local").maxFiles, 5);
    refuses("unknown log opt 'bogus' for local log driver", () => log({ bogus: "1" }, "local"));
    assert.equal(log({ tag: "{{.Name}}/{{ .ID }}", labels: "a,b", "env-regex": "^X" }).options.labels, "a,b");
    refuses("invalid log tag: {{.Nope}}", () => log({ tag: "{{.Nope}}" }));
    refuses("invalid log tag: {{if .ID}}", () => log({ tag: "{{if .ID}}" }));
    refuses("invalid value for labels-regex: (a+)+", () => log({ "labels-regex": "(a+)+" }));
    const alone = "compress cannot be true when max-file is less than 2 or max-size is not set";
    refuses(alone, () => log({ compress: "true", "max-size": "1m" }));
    refuses(alone, () => log({ compress: "true", "max-size": "-1" }, "local"));
    refuses('strconv.ParseBool: parsing "yes": invalid syntax', () => log({ compress: "yes" }));
    assert.deepEqual(
      [log({}), log({ compress: "true" }), log({ compress: "0" }, "local")].map(({ compress }) => compress),
      [false, true, false],
    );
    assert.deepEqual(
      [log({}, "local"), log({ "max-file": "1" }, "local")].map(({ compress }) => compress),
      [true, false],
    );
    refuses("the logging driver gelf is not supported by this version of pier", () => log({}, "gelf"), 501);
    refuses("logger: logging mode not supported: fast", () => log({ mode: "fast" }));
    refuses("logger: max-buffer-size option is only supported with 'mode=non-blocking'", () =>
      log({ "max-buffer-size": "4m" }),
    );
    assert.equal(log({ mode: "non-blocking", "max-buffer-size": "4m" }).driver, "json-file");
  });

  test("what the daemon was told of logs holds where nothing is said of them", () => {
    const defaults = { driver: "local", options: { "max-size": "1m", "max-file": "2" } };
    const log = (LogConfig?: object) =>
      parseCreateRequest({ Image: "x", HostConfig: { LogConfig } }, undefined, defaults).log;
    assert.deepEqual([log().driver, log().maxSize, log().maxFiles], ["local", 1_000_000, 2]);
    assert.deepEqual(log({ Config: { "max-size": "2m" } }).options, { "max-size": "2m", "max-file": "2" });
    assert.deepEqual(log({ Type: "json-file" }).options, {});
  });

  test("lines that are sent away are kept as well, unless nobody wants to read them", () => {
    const log = (options: object, type: string) => parse({ LogConfig: { Type: type, Config: options } }).log;
    const { maxSize, maxFiles, compress } = log({}, "journald");
    assert.deepEqual([maxSize, maxFiles, compress], [20_000_000, 5, true]);
    assert.equal(log({ "cache-max-size": "1m" }, "syslog").maxSize, 1_000_000);
    assert.equal(log({ "cache-disabled": "true" }, "syslog").maxFiles, 0);
    refuses("unknown log opt 'max-size' for journald log driver", () => log({ "max-size": "1m" }, "journald"));
    refuses("unknown log opt 'syslog-address' for journald log driver", () =>
      log({ "syslog-address": "" }, "journald"),
    );
    refuses(
      "syslog over TLS is not supported by this version of pier",
      () => log({ "syslog-address": "tcp+tls://h:1" }, "syslog"),
      501,
    );
    const wrong = [
      ["syslog-address", "host:514", "syslog-address should be in form proto://address, got host:514"],
      ["syslog-address", "udp://:0", "invalid syslog-address: udp://:0"],
      ["syslog-address", "unix://relative", "invalid path of a socket: relative"],
      ["syslog-facility", "24", "invalid syslog facility"],
      ["syslog-format", "unix", "Invalid syslog format"],
    ] as const;
    for (const [name, value, sentence] of wrong) refuses(sentence, () => log({ [name]: value }, "syslog"));
  });

  test("what a later version brings is refused, not forgotten", () => {
    const cases: readonly [object, string, number?][] = [
      [
        { RestartPolicy: { Name: "always" }, AutoRemove: true },
        "can't create 'AutoRemove' container with restart policy",
      ],
      [{ Links: ["x:y:z"] }, "bad format for links: x:y:z", 400],
      [{ StorageOpt: { size: "1G" } }, "a storage option is not supported by this version of pier", 501],
      [{ KernelMemory: 1 << 30 }, "a limit of kernel memory is not supported by this version of pier", 501],
      [{ Isolation: "hyperv" }, "invalid isolation mode: hyperv"],
    ];
    for (const [host, sentence, status] of cases) refuses(sentence, () => parse(host), status);
  });
});

describe("a session", () => {
  test("is parsed", () => {
    assert.deepEqual(
      parseExecRequest({
        Cmd: ["sh", "-c", "true"],
        Env: ["A=1"],
        User: "alice",
        WorkingDir: "/x/",
        Tty: true,
        AttachStdin: true,
        ConsoleSize: [24, 80],
      }),
      {
        args: ["sh", "-c", "true"],
        env: ["A=1"],
        user: "alice",
        workingDirectory: "/x",
        tty: true,
        stdin: true,
        stdout: false,
        stderr: false,
        privileged: false,
        consoleSize: { rows: 24, columns: 80 },
      },
    );
  });

  test("needs a command", () => {
    refuses("No exec command specified", () => parseExecRequest({ Cmd: [] }));
    refuses("No exec command specified", () => parseExecRequest(null));
    refuses("invalid environment variable: =", () => parseExecRequest({ Cmd: ["a"], Env: ["="] }));
    // Refused at its start.
    assert.equal(parseExecRequest({ Cmd: ["a"], WorkingDir: "x" }).workingDirectory, "x");
  });
});
