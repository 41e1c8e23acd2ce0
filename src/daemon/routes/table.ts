/** Which route is answered by whom. */
import type { RouteName, routes } from "../../api/routes.ts";
import type { Handler } from "../call.ts";
import type { Hijacker } from "../hijack.ts";
import * as buildkit from "./buildkit.ts";
import * as builds from "./builds.ts";
import * as containerList from "./container-list.ts";
import * as containers from "./containers.ts";
import * as copies from "./copies.ts";
import * as diskUsage from "./disk-usage.ts";
import * as imageList from "./image-list.ts";
import * as imageLook from "./image-look.ts";
import * as imagePrune from "./image-prune.ts";
import * as images from "./images.ts";
import * as networks from "./networks.ts";
import * as prune from "./prune.ts";
import * as registries from "./registries.ts";
import * as stats from "./stats.ts";
import * as streams from "./streams.ts";
import { swarmHandlers } from "./swarm.ts";
import * as system from "./system.ts";
import * as transfers from "./transfers.ts";
import * as volumes from "./volumes.ts";

type Table = typeof routes;
type Hijacked = { [R in RouteName]: Table[R] extends { hijack: true } ? R : never }[RouteName];
type Later = { [R in RouteName]: Table[R] extends { later: string } ? R : never }[RouteName];
/** The types see to it that every route that is not for later has its handler. */
type Served = Exclude<RouteName, Hijacked | Later>;

export const handlers: Readonly<Record<Served, Handler>> & Readonly<Partial<Record<RouteName, Handler>>> = {
  ping: system.ping,
  pingHead: system.ping,
  version: system.version,
  info: system.info,
  events: system.events,
  explain: containers.explain,
  why: containers.why,

  containerList: containerList.list,
  containerCreate: containers.create,
  containerInspect: containers.inspect,
  containerTop: containers.top,
  containerLogs: containers.logs,
  containerStart: containers.start,
  containerStop: containers.stop,
  containerRestart: containers.restart,
  containerKill: containers.kill,
  containerPause: containers.pause,
  containerUnpause: containers.unpause,
  containerUpdate: containers.update,
  containerPrune: prune.containerPrune,
  disk: diskUsage.disk,
  systemDf: diskUsage.diskUsage,
  containerStats: stats.stats,
  containerWait: containers.wait,
  containerRename: containers.rename,
  containerResize: containers.resize,
  containerDelete: containers.remove,
  containerChanges: copies.changes,
  commit: copies.commit,
  containerExport: copies.exportRoot,
  archiveGet: copies.read,
  archiveHead: copies.stat,
  archivePut: copies.write,
  execCreate: streams.execCreate,
  execResize: streams.execResize,
  execInspect: streams.execInspect,

  auth: registries.auth,

  imageList: imageList.list,
  imageCreate: transfers.create,
  imageLoad: images.load,
  imageInspect: images.inspect,
  imageHistory: images.history,
  imageTag: images.tag,
  imageDelete: images.remove,
  imageFiles: imageLook.files,
  imageLayers: imageLook.layers,
  imageDiff: imageLook.diff,
  storeCheck: images.check,
  imagePush: transfers.push,
  imageSave: images.save,
  imageSaveAll: images.saveAll,
  imagePrune: imagePrune.imagePrune,
  imageSearch: registries.search,
  distributionInspect: registries.distribution,
  manifestInspect: registries.manifest,

  build: builds.build,
  buildExplain: builds.explain,
  buildPrune: builds.prune,

  networkList: networks.list,
  networkInspect: networks.inspect,
  networkCreate: networks.create,
  networkPrune: networks.prune,
  networkDelete: networks.remove,
  networkConnect: networks.connect,
  networkDisconnect: networks.disconnect,
  volumeList: volumes.list,
  volumeCreate: volumes.create,
  volumePrune: volumes.prune,
  volumeInspect: volumes.inspect,
  volumeDelete: volumes.remove,
  ...swarmHandlers,
};

export const hijackers: Readonly<Record<Hijacked, Hijacker>> & Readonly<Partial<Record<RouteName, Hijacker>>> = {
  containerAttach: streams.attach,
  containerAttachWebSocket: streams.attachWebSocket,
  execStart: streams.execStart,
  grpc: buildkit.grpc,
  session: buildkit.session,
};
