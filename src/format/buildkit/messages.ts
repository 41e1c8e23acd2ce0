/** BuildKit's messages, as far as `docker buildx` and its docker driver use them: fields by their numbers. */
import { boolean, bytes, integer, list, map, message, text } from "../protobuf.ts";

const timestamp = { seconds: [1, integer], nanos: [2, integer] } as const;
const platform = { Architecture: [1, text], OS: [2, text], Variant: [3, text] } as const;

export const workerList = {
  record: [1, list(message({ ID: [1, text], Labels: [2, map(text)], platforms: [3, list(message(platform))] }))],
} as const;

export const info = {
  buildkitVersion: [1, message({ package: [1, text], version: [2, text], revision: [3, text] })],
} as const;

export const controlSolve = {
  Ref: [1, text],
  Definition: [2, bytes],
  ExporterDeprecated: [3, text],
  ExporterAttrsDeprecated: [4, map(text)],
  Session: [5, text],
  Frontend: [6, text],
  FrontendAttrs: [7, map(text)],
  Cache: [8, message({ Exports: [4, list(message({ Type: [1, text], Attrs: [2, map(text)] }))] })],
  Entitlements: [9, list(text)],
  Exporters: [13, list(message({ Type: [1, text], Attrs: [2, map(text)] }))],
} as const;
export const controlSolved = { ExporterResponse: [1, map(text)] } as const;

export const statusRequest = { Ref: [1, text] } as const;
const vertex = {
  digest: [1, text],
  inputs: [2, list(text)],
  name: [3, text],
  cached: [4, boolean],
  started: [5, message(timestamp)],
  completed: [6, message(timestamp)],
  error: [7, text],
} as const;
const vertexLog = {
  vertex: [1, text],
  timestamp: [2, message(timestamp)],
  stream: [3, integer],
  msg: [4, bytes],
} as const;
const position = { line: [1, integer], character: [2, integer] } as const;
const vertexWarning = {
  vertex: [1, text],
  level: [2, integer],
  short: [3, bytes],
  detail: [4, list(bytes)],
  url: [5, text],
  info: [6, message({ filename: [1, text], data: [2, bytes], language: [4, text] })],
  ranges: [7, list(message({ start: [1, message(position)], end: [2, message(position)] }))],
} as const;
export const status = {
  vertexes: [1, list(message(vertex))],
  logs: [3, list(message(vertexLog))],
  warnings: [4, list(message(vertexWarning))],
} as const;

export const usageRequest = { filter: [1, list(text)] } as const;
const usage = {
  ID: [1, text],
  InUse: [3, boolean],
  Size: [4, integer],
  CreatedAt: [6, message(timestamp)],
  LastUsedAt: [7, message(timestamp)],
  UsageCount: [8, integer],
  Description: [9, text],
  RecordType: [10, text],
  Shared: [11, boolean],
} as const;
export const diskUsage = { record: [1, list(message(usage))] } as const;
export const pruned = usage;
export const pruneRequest = {
  filter: [1, list(text)],
  all: [2, boolean],
  /** Nanoseconds. */
  keepDuration: [3, integer],
  reservedSpace: [4, integer],
  maxUsedSpace: [5, integer],
  minFreeSpace: [6, integer],
} as const;

const capability = { ID: [1, text], Enabled: [2, boolean] } as const;
export const pong = {
  FrontendAPICaps: [1, list(message(capability))],
  LLBCaps: [2, list(message(capability))],
} as const;
export const bridgeSolve = { Definition: [1, bytes], Frontend: [2, text], FrontendOpt: [3, map(text)] } as const;
const gatewayRef = { id: [1, text] } as const;
/** Of several platforms there are several, by their names. */
const gatewayResult = {
  ref: [3, message(gatewayRef)],
  refs: [4, message({ refs: [1, map(message(gatewayRef))] })],
  metadata: [10, map(bytes)],
} as const;
export const bridgeSolved = { result: [3, message(gatewayResult)] } as const;
/** google.rpc.Status, as which an error is told. */
export const rpcStatus = {
  code: [1, integer],
  message: [2, text],
  details: [3, list(message({ type: [1, text], value: [2, bytes] }))],
} as const;
export const bridgeReturn = {
  result: [1, message(gatewayResult)],
  error: [2, message(rpcStatus)],
} as const;

/** fsutil's: how a session sends a directory. */
const stat = {
  path: [1, text],
  mode: [2, integer],
  uid: [3, integer],
  gid: [4, integer],
  size: [5, integer],
  modTime: [6, integer],
  linkname: [7, text],
  devmajor: [8, integer],
  devminor: [9, integer],
  xattrs: [10, map(bytes)],
} as const;
export const packet = { type: [1, integer], stat: [2, message(stat)], ID: [3, integer], data: [4, bytes] } as const;
export const packetTypes = { stat: 0, request: 1, data: 2, end: 3, error: 4 } as const;

/** The call by which a session gives a directory. */
export const directorySync = "/moby.filesync.v1.FileSync/DiffCopy";

/** Both ends of what a session serves: the call by which it takes what was built, for the output of this number. */
export const fileSend = "/moby.filesync.v1.FileSend/DiffCopy";
export const exporterHeader = "buildkit-attachable-exporter-id";

/** A file that is sent as it is. */
export const fileData = { data: [1, bytes] } as const;

/** containerd's content service, in a client's session; the header names one of its stores. */
export const contentService = "/containerd.services.content.v1.Content/";
export const storeHeader = "buildkit-attachable-store-id";
export const contentRead = { digest: [1, text], offset: [2, integer], size: [3, integer] } as const;
export const fileDataAt = { offset: [1, integer], data: [2, bytes] } as const;
export const contentActions = { stat: 0, write: 1, commit: 2 } as const;
export const contentWrite = {
  action: [1, integer],
  ref: [2, text],
  total: [3, integer],
  expected: [4, text],
  offset: [5, integer],
  data: [6, bytes],
} as const;
export const contentWritten = {
  action: [1, integer],
  offset: [4, integer],
  total: [5, integer],
  digest: [6, text],
} as const;

/** The ssh agents that a session lets a build use. */
export const agentService = "/moby.sshforward.v1.SSH/";
export const agentHeader = "buildkit.ssh.id";
export const agentRequest = { ID: [1, text] } as const;

export const secretRequest = { ID: [1, text] } as const;
export const secretAnswer = { data: [1, bytes] } as const;
export const credentialsRequest = { Host: [1, text] } as const;
export const credentialsAnswer = { Username: [1, text], Secret: [2, text] } as const;
export const nothing = {} as const;
