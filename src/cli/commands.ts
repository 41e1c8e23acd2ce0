/** The table of commands: what each is called, in one line what it does, and the file that holds it, loaded when it is called. */
import type { Command } from "./command.ts";

export interface Entry {
  /** The name at the top: `pier ps`. */
  readonly top?: string;
  /** The name in a group, and others there: `pier container ls`. */
  readonly group?: { readonly name: GroupName; readonly command: string; readonly aliases?: readonly string[] };
  readonly summary: string;
  readonly common?: true;
  load(): Promise<Command>;
}

export const groups = {
  builder: { summary: "Manage builds" },
  buildx: { summary: "Manage builds, by the words of docker's plugin" },
  container: { summary: "Manage containers" },
  context: { summary: "Manage contexts" },
  image: { summary: "Manage images" },
  manifest: { summary: "Look at image manifests and manifest lists in registries" },
  system: { summary: "Manage pier" },
  network: { summary: "Manage networks" },
  volume: { summary: "Manage volumes" },
} as const;
export type GroupName = keyof typeof groups;

const container = (command: string, ...aliases: string[]) => ({
  group: { name: "container" as const, command, aliases },
});
const image = (command: string, ...aliases: string[]) => ({ group: { name: "image" as const, command, aliases } });
const network = (command: string, ...aliases: string[]) => ({
  group: { name: "network" as const, command, aliases },
});
const volume = (command: string, ...aliases: string[]) => ({ group: { name: "volume" as const, command, aliases } });
const builder = (name: "builder" | "buildx", command: string, ...aliases: string[]) => ({
  group: { name, command, aliases },
});
const context = (command: string, ...aliases: string[]) => ({ group: { name: "context" as const, command, aliases } });
const system = (command: string) => ({ group: { name: "system" as const, command } });

export const entries: readonly Entry[] = [
  {
    top: "run",
    ...container("run"),
    common: true,
    summary: "Create and run a new container from an image",
    load: async () => (await import("./commands/run.ts")).run,
  },
  {
    top: "exec",
    ...container("exec"),
    common: true,
    summary: "Execute a command in a running container",
    load: async () => (await import("./commands/exec.ts")).exec,
  },
  {
    top: "ps",
    ...container("ls", "list", "ps"),
    common: true,
    summary: "List containers",
    load: async () => (await import("./commands/ps.ts")).ps,
  },
  {
    top: "build",
    ...image("build"),
    common: true,
    summary: "Build an image from a Dockerfile",
    load: async () => (await import("./commands/build.ts")).build,
  },
  {
    ...builder("builder", "build"),
    summary: "Build an image from a Dockerfile",
    load: async () => (await import("./commands/build.ts")).build,
  },
  {
    ...builder("builder", "prune"),
    summary: "Remove build cache",
    load: async () => (await import("./commands/builder.ts")).builderPrune,
  },
  {
    ...builder("buildx", "build", "b"),
    summary: "Start a build",
    load: async () => (await import("./commands/build.ts")).build,
  },
  {
    ...builder("buildx", "du"),
    summary: "Disk usage of the build cache",
    load: async () => (await import("./commands/builder.ts")).builderUsage,
  },
  {
    ...builder("buildx", "prune"),
    summary: "Remove build cache",
    load: async () => (await import("./commands/builder.ts")).builderPrune,
  },
  {
    top: "images",
    ...image("ls", "list"),
    common: true,
    summary: "List images",
    load: async () => (await import("./commands/images.ts")).images,
  },
  {
    top: "version",
    common: true,
    summary: "Show the version information",
    load: async () => (await import("./commands/version.ts")).version,
  },
  {
    top: "info",
    ...system("info"),
    common: true,
    summary: "Display system-wide information",
    load: async () => (await import("./commands/info.ts")).info,
  },
  {
    top: "attach",
    ...container("attach"),
    summary: "Attach local standard input, output, and error streams to a running container",
    load: async () => (await import("./commands/attach.ts")).attach,
  },
  {
    top: "commit",
    ...container("commit"),
    summary: "Create a new image from a container's changes",
    load: async () => (await import("./commands/commit.ts")).commit,
  },
  {
    top: "cp",
    ...container("cp"),
    summary: "Copy files/folders between a container and the local filesystem",
    load: async () => (await import("./commands/cp.ts")).cp,
  },
  {
    top: "completion",
    summary: "Generate the autocompletion script for bash, zsh or fish",
    load: async () => (await import("./commands/completion.ts")).completion,
  },
  {
    top: "create",
    ...container("create"),
    summary: "Create a new container",
    load: async () => (await import("./commands/create.ts")).create,
  },
  {
    top: "diff",
    ...container("diff"),
    summary: "Inspect changes to files or directories on a container's filesystem",
    load: async () => (await import("./commands/diff.ts")).diff,
  },
  {
    top: "events",
    ...system("events"),
    summary: "Get real time events from the server",
    load: async () => (await import("./commands/events.ts")).events,
  },
  {
    top: "export",
    ...container("export"),
    summary: "Export a container's filesystem as a tar archive",
    load: async () => (await import("./commands/export.ts")).exportContainer,
  },
  {
    top: "history",
    ...image("history"),
    summary: "Show the history of an image",
    load: async () => (await import("./commands/history.ts")).history,
  },
  {
    top: "import",
    ...image("import"),
    summary: "Import the contents from a tarball to create a filesystem image",
    load: async () => (await import("./commands/import.ts")).importImage,
  },
  {
    top: "inspect",
    summary: "Return low-level information on pier objects",
    load: async () => (await import("./commands/inspect.ts")).inspect,
  },
  {
    ...container("inspect"),
    summary: "Display detailed information on one or more containers",
    load: async () => (await import("./commands/inspect.ts")).inspectContainers,
  },
  {
    ...image("inspect"),
    summary: "Display detailed information on one or more images",
    load: async () => (await import("./commands/inspect.ts")).inspectImages,
  },
  {
    top: "kill",
    ...container("kill"),
    summary: "Kill one or more running containers",
    load: async () => (await import("./commands/stop.ts")).kill,
  },
  {
    top: "load",
    ...image("load"),
    summary: "Load an image from a tar archive or STDIN",
    load: async () => (await import("./commands/load.ts")).load,
  },
  {
    top: "login",
    summary: "Authenticate to a registry",
    load: async () => (await import("./commands/login.ts")).login,
  },
  {
    top: "logout",
    summary: "Log out from a registry",
    load: async () => (await import("./commands/logout.ts")).logout,
  },
  {
    top: "logs",
    ...container("logs"),
    summary: "Fetch the logs of a container",
    load: async () => (await import("./commands/logs.ts")).logs,
  },
  {
    top: "pause",
    ...container("pause"),
    summary: "Pause all processes within one or more containers",
    load: async () => (await import("./commands/pause.ts")).pause,
  },
  {
    top: "port",
    ...container("port"),
    summary: "List port mappings or a specific mapping for the container",
    load: async () => (await import("./commands/port.ts")).port,
  },
  {
    top: "ports",
    summary: "List every published port of this host, and who can reach it",
    load: async () => (await import("./commands/ports.ts")).ports,
  },
  {
    ...container("prune"),
    summary: "Remove all stopped containers",
    load: async () => (await import("./commands/prune.ts")).containerPrune,
  },
  {
    ...system("check"),
    summary: "Read every byte of images and layers, and tell what is damaged",
    load: async () => (await import("./commands/system-check.ts")).systemCheck,
  },
  {
    ...system("df"),
    summary: "Show disk usage",
    load: async () => (await import("./commands/df.ts")).df,
  },
  {
    ...system("prune"),
    summary: "Remove unused data",
    load: async () => (await import("./commands/prune.ts")).systemPrune,
  },
  {
    ...image("files"),
    summary: "List the files of an image, or write one of them, without running anything",
    load: async () => (await import("./commands/image-look.ts")).imageFiles,
  },
  {
    ...image("diff"),
    summary: "Show what an image has otherwise than another",
    load: async () => (await import("./commands/image-look.ts")).imageDiff,
  },
  {
    ...image("tree"),
    summary: "Show the layers of images, and who shares them",
    load: async () => (await import("./commands/image-look.ts")).imageTree,
  },
  {
    ...image("prune"),
    summary: "Remove unused images",
    load: async () => (await import("./commands/prune.ts")).imagePrune,
  },
  {
    top: "push",
    ...image("push"),
    common: true,
    summary: "Upload an image to a registry",
    load: async () => (await import("./commands/push.ts")).push,
  },
  {
    top: "save",
    ...image("save"),
    summary: "Save one or more images to a tar archive (streamed to STDOUT by default)",
    load: async () => (await import("./commands/save.ts")).save,
  },
  {
    top: "search",
    common: true,
    summary: "Search Docker Hub for images",
    load: async () => (await import("./commands/search.ts")).search,
  },
  {
    group: { name: "manifest", command: "inspect" },
    summary: "Display an image manifest, or manifest list",
    load: async () => (await import("./commands/manifest-inspect.ts")).manifestInspect,
  },
  {
    top: "pull",
    ...image("pull"),
    common: true,
    summary: "Download an image from a registry",
    load: async () => (await import("./commands/pull.ts")).pull,
  },
  {
    top: "rename",
    ...container("rename"),
    summary: "Rename a container",
    load: async () => (await import("./commands/rename.ts")).rename,
  },
  {
    top: "restart",
    ...container("restart"),
    summary: "Restart one or more containers",
    load: async () => (await import("./commands/stop.ts")).restart,
  },
  {
    top: "rm",
    ...container("rm", "remove"),
    summary: "Remove one or more containers",
    load: async () => (await import("./commands/rm.ts")).rm,
  },
  {
    top: "rmi",
    ...image("rm", "remove"),
    summary: "Remove one or more images",
    load: async () => (await import("./commands/rmi.ts")).rmi,
  },
  {
    top: "start",
    ...container("start"),
    summary: "Start one or more stopped containers",
    load: async () => (await import("./commands/start.ts")).start,
  },
  {
    top: "stats",
    ...container("stats"),
    summary: "Display a live stream of container(s) resource usage statistics",
    load: async () => (await import("./commands/stats.ts")).stats,
  },
  {
    top: "stop",
    ...container("stop"),
    summary: "Stop one or more running containers",
    load: async () => (await import("./commands/stop.ts")).stop,
  },
  {
    top: "tag",
    ...image("tag"),
    summary: "Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE",
    load: async () => (await import("./commands/tag.ts")).tag,
  },
  {
    top: "top",
    ...container("top"),
    summary: "Display the running processes of a container",
    load: async () => (await import("./commands/top.ts")).top,
  },
  {
    top: "unpause",
    ...container("unpause"),
    summary: "Unpause all processes within one or more containers",
    load: async () => (await import("./commands/pause.ts")).unpause,
  },
  {
    top: "update",
    ...container("update"),
    summary: "Update configuration of one or more containers",
    load: async () => (await import("./commands/update.ts")).update,
  },
  {
    top: "wait",
    ...container("wait"),
    summary: "Block until one or more containers stop, then print their exit codes",
    load: async () => (await import("./commands/wait.ts")).wait,
  },
  {
    ...network("connect"),
    summary: "Connect a container to a network",
    load: async () => (await import("./commands/network.ts")).networkConnect,
  },
  {
    ...network("create"),
    summary: "Create a network",
    load: async () => (await import("./commands/network.ts")).networkCreate,
  },
  {
    ...network("disconnect"),
    summary: "Disconnect a container from a network",
    load: async () => (await import("./commands/network.ts")).networkDisconnect,
  },
  {
    ...network("inspect"),
    summary: "Display detailed information on one or more networks",
    load: async () => (await import("./commands/inspect.ts")).inspectNetworks,
  },
  {
    ...network("ls", "list"),
    summary: "List networks",
    load: async () => (await import("./commands/networks.ts")).networks,
  },
  {
    ...network("prune"),
    summary: "Remove all unused networks",
    load: async () => (await import("./commands/network.ts")).networkPrune,
  },
  {
    ...network("rm", "remove"),
    summary: "Remove one or more networks",
    load: async () => (await import("./commands/network.ts")).networkRm,
  },
  {
    ...context("create"),
    summary: "Create a context",
    load: async () => (await import("./commands/context.ts")).contextCreate,
  },
  {
    ...context("export"),
    summary: "Export a context to a tar archive FILE or a tar stream on STDOUT.",
    load: async () => (await import("./commands/context-archive.ts")).contextExport,
  },
  {
    ...context("import"),
    summary: "Import a context from a tar file",
    load: async () => (await import("./commands/context-archive.ts")).contextImport,
  },
  {
    ...context("inspect"),
    summary: "Display detailed information on one or more contexts",
    load: async () => (await import("./commands/inspect.ts")).inspectContexts,
  },
  {
    ...context("ls", "list"),
    summary: "List contexts",
    load: async () => (await import("./commands/contexts.ts")).contexts,
  },
  {
    ...context("rm", "remove"),
    summary: "Remove one or more contexts",
    load: async () => (await import("./commands/context.ts")).contextRm,
  },
  {
    ...context("show"),
    summary: "Print the name of the current context",
    load: async () => (await import("./commands/context.ts")).contextShow,
  },
  {
    ...context("update"),
    summary: "Update a context",
    load: async () => (await import("./commands/context.ts")).contextUpdate,
  },
  {
    ...context("use"),
    summary: "Set the current docker context",
    load: async () => (await import("./commands/context.ts")).contextUse,
  },
  {
    ...volume("create"),
    summary: "Create a volume",
    load: async () => (await import("./commands/volume.ts")).volumeCreate,
  },
  {
    ...volume("inspect"),
    summary: "Display detailed information on one or more volumes",
    load: async () => (await import("./commands/inspect.ts")).inspectVolumes,
  },
  {
    ...volume("ls", "list"),
    summary: "List volumes",
    load: async () => (await import("./commands/volumes.ts")).volumes,
  },
  {
    ...volume("prune"),
    summary: "Remove unused local volumes",
    load: async () => (await import("./commands/volume.ts")).volumePrune,
  },
  {
    ...volume("rm", "remove"),
    summary: "Remove one or more volumes",
    load: async () => (await import("./commands/volume.ts")).volumeRm,
  },
  {
    top: "why",
    ...container("why"),
    summary: "Tell why a container stopped or does not start, and what to do about it",
    load: async () => (await import("./commands/why.ts")).why,
  },
];

export type Found =
  | { readonly kind: "command"; readonly entry: Entry; readonly path: string; readonly words: readonly string[] }
  | { readonly kind: "group"; readonly group: GroupName; readonly words: readonly string[] }
  | { readonly kind: "none"; readonly path: string; readonly group?: GroupName };

/** Which command the words call; aliases answer with the name that help uses. */
export const findCommand = ([first = "", second, ...more]: readonly string[]): Found => {
  if (Object.hasOwn(groups, first)) {
    const group = first as GroupName;
    if (second === undefined || second.startsWith("-"))
      return { kind: "group", group, words: second === undefined ? [] : [second, ...more] };
    const entry = entries.find(
      (one) => one.group?.name === group && [one.group.command, ...(one.group.aliases ?? [])].includes(second),
    );
    if (entry === undefined) return { kind: "none", path: `${group} ${second}`, group };
    return { kind: "command", entry, path: `${group} ${entry.group!.command}`, words: more };
  }
  const entry = entries.find(({ top }) => top === first);
  if (entry === undefined) return { kind: "none", path: first };
  return { kind: "command", entry, path: first, words: second === undefined ? [] : [second, ...more] };
};
