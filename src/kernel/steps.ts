/**
 * The one table of steps: what the keeper can do. The type below, the encoder, the C header (`keeper/steps.h`), the
 * printer (`--explain`) and `docs/steps.md` all read it. A step never looks at its neighbours; where it must bend to
 * what it finds, the bend is an argument or the step's `tolerate`.
 */

/**
 * The kinds of arguments: `number` (64 bits), `text` (NUL-terminated), `bytes`, `texts` (a list of texts), `numbers`
 * (a list of numbers), `slot` (the name of a value born at run time: filled by one step, read by later ones),
 * `slotOrNone` (the same, or `noSlot`).
 */
export type ArgumentKind = "number" | "text" | "bytes" | "texts" | "numbers" | "slot" | "slotOrNone";

export interface StepDefinition {
  /** The number on the wire; never used again for another step. */
  readonly code: number;
  /** Where it may stand: in the keeper, in the cloned child, or when the container has ended. */
  readonly lanes: readonly Lane[];
  /** What holds afterwards, in one sentence. */
  readonly does: string;
  readonly args: Readonly<Record<string, ArgumentKind>>;
}

export const laneCodes = { outside: 0, inside: 1, after: 2 } as const;
export type Lane = keyof typeof laneCodes;

const host = ["outside", "after"] as const;
const outside = ["outside"] as const;
const inside = ["inside"] as const;
const both = ["outside", "inside"] as const;
const every = ["outside", "inside", "after"] as const;

export const stepTable = {
  // The host, as the keeper sees it.
  makeDirectory: { code: 1, lanes: every, does: "the directory exists", args: { path: "text", mode: "number" } },
  createFile: {
    code: 2,
    lanes: host,
    does: "the file holds the content and nothing else",
    args: { path: "text", mode: "number", content: "bytes" },
  },
  write: {
    code: 3,
    lanes: every,
    does: "the content was given to an existing (kernel) file in one write",
    args: { path: "text", content: "bytes" },
  },
  removeDirectory: { code: 5, lanes: every, does: "the empty directory is gone", args: { path: "text" } },
  removeFile: { code: 6, lanes: every, does: "the file is gone", args: { path: "text" } },
  openTree: {
    code: 7,
    lanes: outside,
    does: "the slot holds a detached copy of the mount at the path",
    args: { slot: "slot", path: "text", recursive: "number" },
  },
  joinNamespace: {
    code: 8,
    lanes: both,
    does: "the process is in the namespace",
    args: { path: "text", kind: "number" },
  },
  joinProcess: {
    code: 9,
    lanes: both,
    does: "the process is in these namespaces of the slot's process",
    args: { slot: "slot", kinds: "number" },
  },
  openDirectory: {
    code: 10,
    lanes: outside,
    does: "the slot holds the directory",
    args: { slot: "slot", path: "text" },
  },
  clone: {
    code: 11,
    lanes: outside,
    does: "a child runs the inside lane, in new namespaces and in the cgroup of the slot",
    args: { namespaces: "number", cgroup: "slotOrNone" },
  },
  mount: {
    code: 12,
    lanes: both,
    does: "the file system is mounted (before the root is entered; data's relative paths begin at `at`)",
    args: { at: "text", source: "text", target: "text", type: "text", flags: "number", data: "text" },
  },
  unmount: { code: 13, lanes: host, does: "nothing is mounted at the path", args: { path: "text", flags: "number" } },
  netlink: {
    code: 14,
    lanes: every,
    does: "the kernel has acknowledged the messages, the pid of the first process filled in where asked",
    args: { protocol: "number", messages: "bytes", pidAt: "numbers" },
  },
  bindPort: {
    code: 15,
    lanes: outside,
    does: "the slot holds a socket bound to the address (and listening, for a stream)",
    args: { slot: "slot", protocol: "number", address: "bytes", port: "number" },
  },
  relay: {
    code: 16,
    lanes: outside,
    does: "what arrives at the slot's socket is passed on to the address, both ways",
    args: { slot: "slot", protocol: "number", address: "bytes", port: "number" },
  },
  closePort: {
    code: 51,
    lanes: outside,
    does: "no socket of an earlier plan is bound to the address any more, and nothing that comes there is passed on",
    args: { protocol: "number", address: "bytes", port: "number" },
  },
  moveRelay: {
    code: 52,
    lanes: outside,
    does: "what arrives at the socket of an earlier plan that is bound to the address is passed on to the target from now on",
    args: { protocol: "number", address: "bytes", port: "number", target: "bytes", targetPort: "number" },
  },
  hearChanges: {
    code: 53,
    lanes: outside,
    does: "until it goes, the daemon has been told (as bytes of number 0) what others did to interfaces, to the rules of the table, and to other rules; what comes within the pause of so many milliseconds is told together; the first word, of nothing, is that it listens",
    args: { table: "text", pause: "number" },
  },
  stay: {
    code: 54,
    lanes: outside,
    does: "the keeper, which has no child, is there for further plans until the daemon goes",
    args: {},
  },
  answerNames: {
    code: 50,
    lanes: outside,
    does: "the slots hold sockets for datagrams and for streams at the port of 127.0.0.11 in the container's network; what is asked there is answered from the table, or by whom it names",
    args: { datagrams: "slot", streams: "slot", port: "number", table: "text" },
  },
  killCgroup: {
    code: 17,
    lanes: host,
    does: "every process of the cgroup has been killed and is gone",
    args: { path: "text" },
  },
  release: { code: 18, lanes: both, does: "the other lane goes on past its await", args: { point: "number" } },
  await: { code: 19, lanes: both, does: "the other lane has reached the point", args: { point: "number" } },
  logTo: {
    code: 20,
    lanes: outside,
    does: "output is written to this log, which rotates",
    args: { path: "text", maxSize: "number", maxFiles: "number" },
  },
  logAttributes: {
    code: 115,
    lanes: outside,
    does: "every record of the log has these attributes, a JSON object",
    args: { attributes: "text" },
  },
  compressLog: {
    code: 121,
    lanes: outside,
    does: "what the log rotates away is compressed, one file after the other",
    args: {},
  },
  sendLog: {
    code: 122,
    lanes: outside,
    does: "each line of the log goes to this socket too, which is not waited for; what waits for it is a mebibyte at most",
    args: { type: "number", path: "text", address: "bytes", port: "number" },
  },
  asSyslog: {
    code: 123,
    lanes: outside,
    does: "what is sent of a line is a message of syslog",
    args: { format: "number", facility: "number", host: "text", tag: "text" },
  },
  asJournal: {
    code: 124,
    lanes: outside,
    does: "what is sent of a line is an entry of the journal with these fields, as its protocol writes them",
    args: { fields: "bytes" },
  },
  stdio: {
    code: 21,
    lanes: outside,
    does: "the container's standard streams are ready",
    args: { kind: "number", stdin: "number" },
  },
  listen: { code: 22, lanes: outside, does: "the control socket can be connected to", args: { path: "text" } },
  exitTo: { code: 23, lanes: outside, does: "the exit status will be written here", args: { path: "text" } },
  attachDeviceFilter: {
    code: 24,
    lanes: outside,
    does: "processes in the slot's cgroup can use only the devices that the program allows",
    args: { slot: "slot", program: "bytes" },
  },
  openProcess: {
    code: 25,
    lanes: outside,
    does: "the slot holds the process with this pid, if it began at this time (clock ticks since boot; 0: at any)",
    args: { slot: "slot", pid: "number", startTime: "number" },
  },
  reportFile: {
    code: 26,
    lanes: host,
    does: "the first bytes of a kernel file stand in the report",
    args: { path: "text" },
  },
  removeTree: {
    code: 27,
    lanes: host,
    does: "the directory and all that was in it is gone",
    args: { path: "text" },
  },
  watchMemory: {
    code: 28,
    lanes: outside,
    does: "the daemon hears whenever the kernel tells in this file, or for it by way of the control file, that memory ran out",
    args: { path: "text", control: "text" },
  },
  killFrozen: {
    code: 29,
    lanes: host,
    does: "every process of the cgroup that the file lists has been killed and is gone, each as it stood still",
    args: { path: "text", freezer: "text", freeze: "text", thaw: "text" },
  },
  openLoopDevice: {
    code: 34,
    lanes: outside,
    does: "the slot holds a read-only block device with the file's bytes, which is there as long as somebody has it open",
    args: { slot: "slot", path: "text" },
  },
  mountIndex: {
    code: 35,
    lanes: outside,
    does: "the layer whose index and tar are in these slots' devices is mounted",
    args: { index: "slot", tar: "slot", target: "text", flags: "number" },
  },
  writeTree: {
    code: 38,
    lanes: inside,
    does: "the empty directory holds the tree of the list, contents from the sources; the other one served for links, and is empty again",
    args: { path: "text", links: "text", list: "text", sources: "texts" },
  },
  syncFileSystem: {
    code: 39,
    lanes: inside,
    does: "what was written to the file system of the directory is on disk",
    args: { path: "text" },
  },
  moveTree: {
    code: 110,
    lanes: outside,
    does: "all that was in the one directory is in the other, which has its owner, mode and attributes too; the first is gone",
    args: { from: "text", to: "text" },
  },
  openBeneath: {
    code: 111,
    lanes: outside,
    does: "the slot holds a detached copy of the mount at the path, resolved beneath the directory; links do not lead out of it",
    args: { slot: "slot", directory: "text", path: "text", recursive: "number" },
  },
  measureTree: {
    code: 30,
    lanes: outside,
    does: "the sizes of the files beneath the directory were reported under this number: inode and size of each that has several names, and last a zero and the sum of the others; the symbolic link at `without` counts for nothing; with `ofDisk` what the disk has given away, for directories too",
    args: { index: "number", path: "text", without: "text", ofDisk: "number" },
  },
  readTree: {
    code: 130,
    lanes: outside,
    does: "all that is in the directory, which nobody writes any more, was reported under this number: names in order, attributes, contents",
    args: { index: "number", path: "text" },
  },
  adoptOrphans: {
    code: 140,
    lanes: outside,
    does: "processes that their parents leave behind are the keeper's own children",
    args: {},
  },
  runProgram: {
    code: 141,
    lanes: every,
    does: "the host's program has run with these arguments and ended well (EREMOTEIO: not well)",
    args: { program: "text", args: "texts", env: "texts" },
  },
  listenTerminal: {
    code: 142,
    lanes: inside,
    does: "the slot holds a socket at the path to which somebody can bring a terminal",
    args: { slot: "slot", path: "text" },
  },
  adopt: {
    code: 143,
    lanes: inside,
    does: "the keeper watches the process whose number stands in the file, which was left to it, in place of the one that does this; where asked, the terminal that was brought to the slot is its terminal",
    args: { pidFile: "text", terminal: "slotOrNone" },
  },
  killProcess: {
    code: 36,
    lanes: outside,
    does: "the slot's process has been killed",
    args: { slot: "slot" },
  },

  // The child, before it enters its root.
  dieWithParent: { code: 40, lanes: inside, does: "the process is killed when its keeper dies", args: {} },
  notDumpable: { code: 41, lanes: inside, does: "nobody inside can trace or read the process before exec", args: {} },
  newKeyring: { code: 42, lanes: inside, does: "the process has a session keyring of its own", args: { name: "text" } },
  unshare: { code: 43, lanes: inside, does: "the process is in new namespaces", args: { namespaces: "number" } },
  setPropagation: {
    code: 44,
    lanes: both,
    does: "every mount below the path has this propagation",
    args: { path: "text", flags: "number" },
  },
  openRoot: {
    code: 45,
    lanes: inside,
    does: "all paths of `root…` steps are resolved beneath this directory",
    args: { path: "text" },
  },

  // The child, beneath its root: every path is resolved by the kernel in the root, and no magic link is followed.
  rootMount: {
    code: 60,
    lanes: inside,
    does: "a new file system is mounted at the path, which is made if missing",
    args: { source: "text", target: "text", type: "text", flags: "number", data: "text" },
  },
  rootAttach: {
    code: 61,
    lanes: inside,
    does: "the slot's mounts hang at the path, which is made if missing; attributes and propagation hold for the first of them, or (recursive) for all",
    args: {
      slot: "slot",
      target: "text",
      attributes: "number",
      recursive: "number",
      propagation: "number",
      propagationRecursive: "number",
    },
  },
  rootMakeDirectory: {
    code: 62,
    lanes: inside,
    does: "the directory and its parents exist",
    args: { path: "text", mode: "number", uid: "number", gid: "number" },
  },
  rootMakeNode: {
    code: 63,
    lanes: inside,
    does: "the device node exists",
    args: { path: "text", mode: "number", major: "number", minor: "number", uid: "number", gid: "number" },
  },
  rootMakeLink: { code: 64, lanes: inside, does: "the symbolic link exists", args: { path: "text", target: "text" } },
  rootMask: { code: 65, lanes: inside, does: "nothing can be read beneath the path", args: { path: "text" } },
  rootReadOnly: { code: 66, lanes: inside, does: "nothing can be written beneath the path", args: { path: "text" } },
  rootRemount: {
    code: 67,
    lanes: inside,
    does: "the mount at the path has these attributes",
    args: { path: "text", set: "number", clear: "number" },
  },
  pivotRoot: { code: 68, lanes: inside, does: "the root is /, and the old one is gone", args: {} },
  terminal: {
    code: 69,
    lanes: inside,
    does: "a new terminal is the process's own, and its /dev/console where asked",
    args: { console: "number", rows: "number", columns: "number" },
  },
  sysctl: {
    code: 70,
    lanes: inside,
    does: "the kernel setting holds in the namespaces of the container",
    args: { name: "text", value: "text" },
  },
  tellPath: {
    code: 112,
    lanes: inside,
    does: "what is at the path was told on standard output, with all that is in it: into mounts (crosses) or, of the root alone, without them, and with the contents of files or as if they were empty; a link at the end is followed where asked",
    args: { path: "text", follows: "number", crosses: "number", contents: "number" },
  },
  statPath: {
    code: 113,
    lanes: inside,
    does: "what is at the path was reported under this number, and where it leads if it is a link; one at the end is followed where asked",
    args: { index: "number", path: "text", follows: "number" },
  },
  putTree: {
    code: 114,
    lanes: inside,
    does: "what came on standard input is in the tree: as this user's (2^64 - 1: as it was sent), over what was there; where that does not work, which path it was is reported under this number",
    args: { index: "number", replaces: "number", uid: "number", gid: "number" },
  },
  readFile: {
    code: 71,
    lanes: inside,
    does: "the contents of the regular file, no larger than the limit, were reported under this number",
    args: { index: "number", path: "text", limit: "number" },
  },
  rootBind: {
    code: 72,
    lanes: inside,
    does: "the directory, made if missing, is a mount of its own, and stays as it is when the root becomes read-only",
    args: { path: "text" },
  },

  // The child, on itself.
  setHostname: { code: 80, lanes: inside, does: "the host is called so", args: { name: "text" } },
  setDomainname: { code: 81, lanes: inside, does: "the NIS domain is called so", args: { name: "text" } },
  setRlimit: {
    code: 82,
    lanes: inside,
    does: "the process has this limit",
    args: { resource: "number", soft: "number", hard: "number" },
  },
  setUmask: { code: 83, lanes: inside, does: "new files get at most these permissions", args: { mask: "number" } },
  noNewPrivileges: { code: 84, lanes: inside, does: "no exec gives privileges any more", args: {} },
  loadSeccomp: {
    code: 85,
    lanes: inside,
    does: "every system call passes this filter",
    args: { filter: "bytes", flags: "number" },
  },
  changeDirectory: {
    code: 86,
    lanes: inside,
    does: "the process works in this directory, which lies beneath its root",
    args: { path: "text" },
  },
  dropBounding: { code: 87, lanes: inside, does: "only these capabilities can ever be had", args: { keep: "number" } },
  setUser: {
    code: 88,
    lanes: inside,
    does: "the process runs as this user with these groups, capabilities kept for the next step",
    args: { uid: "number", gid: "number", groups: "numbers" },
  },
  setCapabilities: {
    code: 89,
    lanes: inside,
    does: "the process has exactly these capabilities",
    args: { effective: "number", permitted: "number", inheritable: "number", ambient: "number" },
  },
  findProgram: {
    code: 90,
    lanes: inside,
    does: "the first of these paths that can be executed is the program",
    args: { candidates: "texts" },
  },
  start: {
    code: 91,
    lanes: inside,
    does: "the commit point: the daemon has said start",
    args: {},
  },
  enter: {
    code: 95,
    lanes: inside,
    does: "the rest of the lane is done by a new process, in the joined pid namespace and with no descriptor of the host's",
    args: {},
  },
  confine: {
    code: 94,
    lanes: inside,
    does: "the program will run under this AppArmor profile",
    args: { profile: "text" },
  },
  closeDescriptors: { code: 92, lanes: inside, does: "only the standard streams are open", args: {} },
  exec: {
    code: 93,
    lanes: inside,
    does: "the program runs (under our own init, if asked)",
    args: { args: "texts", env: "texts", init: "number" },
  },
} as const satisfies Record<string, StepDefinition>;

export type StepName = keyof typeof stepTable;

interface ValueOf {
  number: number | bigint;
  text: string;
  bytes: Uint8Array;
  texts: readonly string[];
  numbers: readonly (number | bigint)[];
  slot: string;
  slotOrNone: string;
}

type ArgsOf<Name extends StepName> = {
  readonly [A in keyof (typeof stepTable)[Name]["args"]]: (typeof stepTable)[Name]["args"][A] extends infer K extends
    ArgumentKind
    ? ValueOf[K]
    : never;
};

type StepOf<Name extends StepName> = { readonly step: Name } & ArgsOf<Name> & {
    /** Why this plan has this step: shown by `--explain`. */
    readonly why?: string;
    /** Error numbers that count as success: "there already" and "gone already". */
    readonly tolerate?: readonly number[];
  };

/** One step of a plan. */
export type Step = { [Name in StepName]: StepOf<Name> }[StepName];

/** A container (or a small errand) as a program: three lists of steps. */
export interface Plan {
  readonly outside: readonly Step[];
  readonly inside: readonly Step[];
  readonly after: readonly Step[];
}

/** The name of the slot that no step fills: "none". */
export const noSlot = "";

/** Where the lanes meet: the inside lane's network namespace is ready for interfaces, and has them. */
export const points = { network: 2, namespace: 3 } as const;

/** The kinds of standard streams. */
export const stdioKinds = { null: 0, pipes: 1, terminal: 2 } as const;

/** How `asSyslog` writes a message, by the names that Docker has for them; the first is what it takes for the usual. */
export const syslogFormats = { unix: 0, rfc3164: 1, rfc5424: 2, rfc5424micro: 3 } as const;

/** What becomes of standard input: /dev/null, open for ever, or open until the first client's end of input. */
export const stdinKinds = { none: 0, open: 1, once: 2 } as const;
