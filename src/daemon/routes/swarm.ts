/** Swarms and plugins: what an engine answers that is in no swarm and has no plugins, in dockerd's words. */
import type { Handler } from "../call.ts";
import { daemonError } from "../errors.ts";
import { json } from "../wire.ts";

const noManager: Handler = () => {
  throw daemonError("noSwarmManager", {});
};

const noSwarm: Handler = () => {
  throw daemonError("noSwarm", {});
};

const noPlugin: Handler = ({ values }) => {
  throw daemonError("noSuchPlugin", { name: values.name ?? "" });
};

export const swarmHandlers = {
  swarmInspect: noManager,
  swarmLeave: noSwarm,
  swarmUpdate: noManager,
  swarmUnlockKey: noManager,
  swarmUnlock: noManager,
  nodeList: noManager,
  nodeInspect: noManager,
  nodeDelete: noManager,
  nodeUpdate: noManager,
  serviceList: noManager,
  serviceCreate: noManager,
  serviceInspect: noManager,
  serviceDelete: noManager,
  serviceUpdate: noManager,
  serviceLogs: noManager,
  taskList: noManager,
  taskInspect: noManager,
  taskLogs: noManager,
  secretList: noManager,
  secretCreate: noManager,
  secretInspect: noManager,
  secretDelete: noManager,
  secretUpdate: noManager,
  configList: noManager,
  configCreate: noManager,
  configInspect: noManager,
  configDelete: noManager,
  configUpdate: noManager,
  volumeUpdate: () => {
    throw daemonError("noClusterVolume", {});
  },
  pluginList: () => json([]),
  pluginInspect: noPlugin,
  pluginEnable: noPlugin,
  pluginDisable: noPlugin,
  pluginUpgrade: noPlugin,
  pluginPush: noPlugin,
  pluginSet: noPlugin,
  pluginDelete: noPlugin,
} as const satisfies Readonly<Record<string, Handler>>;
