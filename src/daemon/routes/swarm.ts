/**
 * Swarms and plugins: what an engine answers that is in no swarm and has no plugins, in dockerd's words. dockerd reads what it
 * was sent before it looks whether there is a swarm, and so a request that makes no sense is told so.
 */
import { list, object, string } from "../../api/shape.ts";
import { readJson } from "../body.ts";
import type { Call, Handler } from "../call.ts";
import { daemonError } from "../errors.ts";
import { Filters } from "../filters.ts";
import { json } from "../wire.ts";

type Check = (call: Call) => void | Promise<void>;

const noManager =
  (...checks: readonly Check[]): Handler =>
  async (call) => {
    for (const check of checks) await check(call);
    throw daemonError("noSwarmManager", {});
  };

const noSwarm: Handler = () => {
  throw daemonError("noSwarm", {});
};

const noPlugin: Handler = ({ values }) => {
  throw daemonError("noSuchPlugin", { name: values.name ?? "" });
};

const body: Check = async ({ request }) => {
  object({})(await readJson(request), "");
};

/** Of what is to be changed, by what it is called. */
const version =
  (what: string): Check =>
  ({ query }) => {
    const text = query.text("version");
    if (!/^\d{1,19}$/.test(text)) throw daemonError("invalidSwarmVersion", { what, text });
  };

/** Which names there are is asked after the swarm. */
const filters: Check = ({ query }) => {
  Filters.read(query.text("filters"));
};

/** What Go takes for a boolean, or nothing. */
const isBoolean = (text: string): boolean => /^(|[01tTfF]|true|TRUE|True|false|FALSE|False)$/.test(text);

const boolean =
  (...names: readonly string[]): Check =>
  ({ query }) => {
    for (const name of names) {
      const value = query.text(name);
      const reason = `strconv.ParseBool: parsing ${JSON.stringify(value)}: invalid syntax`;
      if (!isBoolean(value)) throw daemonError("invalidSwarmValue", { name, value, reason });
    }
  };

const streams: Check = ({ query }) => {
  if (!query.flag("stdout") && !query.flag("stderr")) throw daemonError("noStream", {});
};

export const swarmHandlers = {
  swarmInspect: noManager(),
  swarmLeave: noSwarm,
  swarmUpdate: noManager(
    body,
    version("swarm"),
    boolean("rotateWorkerToken", "rotateManagerToken", "rotateManagerUnlockKey"),
  ),
  swarmUnlockKey: noManager(),
  swarmUnlock: noManager(body),
  nodeList: noManager(filters),
  nodeInspect: noManager(),
  nodeDelete: noManager(),
  nodeUpdate: noManager(body, version("node")),
  serviceList: noManager(filters, boolean("status")),
  serviceCreate: noManager(body),
  serviceInspect: noManager(boolean("insertDefaults")),
  serviceDelete: noManager(),
  serviceUpdate: noManager(body, version("service")),
  serviceLogs: noManager(streams),
  taskList: noManager(filters),
  taskInspect: noManager(),
  taskLogs: noManager(streams),
  secretList: noManager(filters),
  secretCreate: noManager(body),
  secretInspect: noManager(),
  secretDelete: noManager(),
  secretUpdate: noManager(body, version("secret")),
  configList: noManager(filters),
  configCreate: noManager(body),
  configInspect: noManager(),
  configDelete: noManager(),
  configUpdate: noManager(body, version("config")),
  volumeUpdate: () => {
    throw daemonError("noClusterVolume", {});
  },
  pluginList: ({ query }) => {
    Filters.parse(query.text("filters"), ["capability", "enabled"]);
    return json([]);
  },
  pluginInspect: noPlugin,
  pluginEnable: noPlugin,
  pluginDisable: noPlugin,
  pluginUpgrade: noPlugin,
  pluginPush: noPlugin,
  pluginSet: async (call) => {
    list(string)(await readJson(call.request), "");
    return noPlugin(call);
  },
  pluginDelete: noPlugin,
} as const satisfies Readonly<Record<string, Handler>>;
