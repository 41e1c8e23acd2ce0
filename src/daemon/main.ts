/** The daemon: every room is opened, the front desk opens last and closes first. Containers live on without any of it. */
import { createHash, randomUUID } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { systemClock } from "../base/clock.ts";
import { Database } from "../base/database.ts";
import { errnoOf, PierError } from "../base/errors.ts";
import { compileWhatRunsOften } from "../base/platform.ts";
import { Builds } from "../build/builds.ts";
import { BuildCache } from "../build/cache.ts";
import { CacheMounts } from "../build/cache-mounts.ts";
import { BuildRecords } from "../build/record.ts";
import { Containers } from "../container/containers.ts";
import { findLayerFormat } from "../container/layer-probe.ts";
import { Runtimes } from "../container/runtimes.ts";
import { BlobHomes } from "../image/blob-homes.ts";
import { CompressedLayers } from "../image/compressed.ts";
import { Images } from "../image/images.ts";
import { LayerFetches } from "../image/layer-fetch.ts";
import { Pulls } from "../image/pull.ts";
import { Pushes } from "../image/push.ts";
import { loadProfile } from "../kernel/apparmor/load.ts";
import { encodeDefaultProfile } from "../kernel/apparmor/profile.ts";
import { findHostFacts } from "../kernel/facts.ts";
import { Holding, holderFile } from "../kernel/holder.ts";
import { Standby } from "../kernel/standby.ts";
import { NameBook } from "../network/dns/book.ts";
import { HostServers } from "../network/dns/host-servers.ts";
import { NameResolver } from "../network/dns/resolver.ts";
import { NameTables } from "../network/dns/tables.ts";
import { Networks } from "../network/networks.ts";
import { Registries } from "../registry/registry.ts";
import { proxiesFrom } from "../registry/settings.ts";
import { localDriver } from "../volume/record.ts";
import { Volumes } from "../volume/volumes.ts";
import { BuildKitDesk } from "./buildkit/desk.ts";
import { measurePlaces } from "./disk-places.ts";
import { EventLog } from "./events.ts";
import { hostFacts, openHello } from "./hello.ts";
import { usualAddress } from "./listen.ts";
import { Log } from "./log.ts";
import { type DaemonOptions, parseOptions, usage } from "./options.ts";
import { PidFile } from "./pid-file.ts";
import { findPrograms } from "./programs.ts";
import { tellReady } from "./ready.ts";
import { Server } from "./server.ts";
import { imageUsers, type Services } from "./services.ts";
import { volumeEvents } from "./volume-events.ts";

/** Bytes: what SQLite's log has when it begins anew (wal_autocheckpoint, a thousand pages), and some more. */
const reserve = 5 * 1024 * 1024;

/** Runs the daemon until it is asked to go; answers the exit code. */
export const main = async (args: readonly string[]): Promise<number> => {
  try {
    const options = parseOptions(args);
    compileWhatRunsOften();
    if (options === undefined) process.stdout.write(usage);
    else if (options.validate) process.stdout.write("configuration OK\n");
    else await serve(options, args);
    return 0;
  } catch (error) {
    if (!(error instanceof PierError)) throw error;
    process.stderr.write(`pier daemon: ${error.message}\n${error.hint === undefined ? "" : `try: ${error.hint}\n`}`);
    return 1;
  }
};

const serve = async (options: DaemonOptions, args: readonly string[]): Promise<void> => {
  const log = new Log(options.logLevel);
  // The terminal from which we were started may go; once clients are served it means more (see below).
  process.on("SIGHUP", () => {});
  watchFailures(log);
  protectFromOom();
  // Nothing beneath the root is for anybody else; beneath run there is the socket, for the socket's group.
  mkdirSync(options.root, { recursive: true, mode: 0o700 });
  mkdirSync(options.run, { recursive: true, mode: 0o711 });
  // Their locks, held until the process ends, keep a second daemon away: it would take what runs for rubbish.
  using database = new Database(join(options.root, "pier.db"), { reserve });
  using _lock = new Database(join(options.run, "lock"));
  const services = await openRooms(options, database, log);
  try {
    const server = new Server(services);
    const usual = usualAddress(join(options.run, "pier.sock"), process.env);
    await server.listen(options.addresses.length > 0 ? options.addresses : [usual]);
    process.on("SIGHUP", () => reload(args, services));
    using _pidFile = new PidFile(options.pidFile);
    tellReady(log, process.env);
    log.info(`${await stopSignal()}: containers are left as they are`);
    await server.close();
  } finally {
    await services.close();
  }
};

/** As dockerd: the file is read again. What can change in a daemon that runs changes; the rest needs another one. */
const reload = (args: readonly string[], { log, events, id, host, runtimes }: Services): void => {
  try {
    const options = parseOptions(args);
    if (options?.configFile === undefined) return;
    log.level = options.logLevel;
    runtimes.change(options.runtimes);
    log.info(`${options.configFile} was read again: log level ${options.logLevel}`);
    events.tell({
      type: "daemon",
      action: "reload",
      id,
      attributes: {
        name: host.hostname,
        "log-level": options.logLevel,
        "default-runtime": runtimes.default,
        runtimes: [...runtimes.list().keys()].join(" "),
      },
    });
  } catch (error) {
    log.error("the configuration stays as it was", error);
  }
};

const openRooms = async (
  options: DaemonOptions,
  database: Database,
  log: Log,
): Promise<Services & { close(): Promise<void> }> => {
  const { root, run } = options;
  const programs = findPrograms();
  const cache = new BuildCache(database, systemClock);
  const [holder, facts, images] = await Promise.all([
    Holding.open(join(programs, "keeper"), holderFile(run)),
    findHostFacts(),
    Images.open(root, database, systemClock, (layers) => cache.open(layers)),
  ]);
  if (facts.apparmor) await loadDefaultProfile(log);
  const host = { ...facts, layerFormat: await findLayerFormat({ root, run, holder }, options.layerFormat) };
  const registries = new Registries({ ...options.registries, proxies: proxiesFrom(process.env) });
  const fetches = await LayerFetches.open(root, images.layers, registries);
  const homes = new BlobHomes(database);
  const pulls = new Pulls(images, fetches, registries, { homes });
  const compressed = await CompressedLayers.open(root, images.layers);
  const pushes = new Pushes(images, registries, { compressed, homes });
  const networks = Networks.open(database, networkPrefix(run), options.addressPools);
  const resolver = await openResolver(run);
  const hello = await openHello(images, programs);
  const volumes = await Volumes.open({ root, run, database, holder, clock: systemClock });
  const events = new EventLog(database);
  const runtimes = new Runtimes(options.runtimes);
  const standby = new Standby(holder);
  const containers = await Containers.open(
    {
      database,
      images,
      networks,
      names: resolver.book,
      volumes,
      host,
      holder,
      standby,
      clock: systemClock,
      root,
      run,
      runtimes,
      imageEnv: async (image) => (image === hello ? hostFacts() : []),
    },
    (event, all) => {
      const mounts = volumeEvents(event, all);
      if (event.action === "start") for (const mounted of mounts) events.add(mounted);
      events.add({ ...event, type: "container" });
      if (event.action === "die") for (const unmounted of mounts) events.add(unmounted);
    },
  );
  containers.onEvent(({ action }) => {
    // An image that was removed under its containers goes with the last of them.
    if (action === "destroy") images.collect(imageUsers(containers));
  });
  images.collect(imageUsers(containers));
  images.onEvent(({ action, id, name }) => events.tell({ type: "image", action, id, attributes: { name } }));
  volumes.onEvent(({ action, name }) =>
    events.tell({ type: "volume", action, id: name, attributes: { driver: localDriver } }),
  );
  const builds = await Builds.open({
    ...{ images, jobs: containers.jobs, cache, cacheMounts: new CacheMounts({ root, run, holder }) },
    ...{ holder, clock: systemClock, root, run },
    pull: (name, options) => pulls.pull(name, options),
    push: (name, options) => pushes.push(name, options),
    ...{ compressed, registries, fetches, records: new BuildRecords(database) },
  });
  networks.onEvent((event) => events.tell({ type: "network", ...event }));
  const { memberships } = containers;
  const id = identityOf(database);
  const close = async () => {
    resolver.close();
    await containers.close();
    standby[Symbol.dispose]();
    events.flush();
  };
  return {
    containers,
    images,
    database,
    pulls,
    pushes,
    registries,
    networks,
    memberships,
    volumes,
    builds,
    buildkit: new BuildKitDesk({ builds, id }),
    host,
    logDefaults: options.logDefaults,
    ...(options.addressPools === undefined ? {} : { addressPools: options.addressPools }),
    runtimes,
    events,
    log,
    diskPlaces: () => measurePlaces({ root, run, holder }),
    root,
    run,
    id,
    close,
  };
};

/** Keepers ask here for what is in no table of names. */
const openResolver = async (run: string): Promise<{ readonly book: NameBook; close(): void }> => {
  const tables = new NameTables(join(run, "names"));
  const resolver = new NameResolver(new HostServers(), (servers) => tables.writeHost(servers));
  await resolver.listen(tables.resolverPath);
  return { book: new NameBook(tables), close: () => resolver.close() };
};

/** Where the profile cannot be loaded, containers that ask for none still run. */
const loadDefaultProfile = (log: Log): Promise<void> =>
  loadProfile(encodeDefaultProfile()).catch((error: Error) => log.error(error.message));

/** What the names of interfaces and of the firewall's table begin with: other daemons of the host need others. */
const networkPrefix = (run: string): string =>
  run === "/run/pier" ? "pier" : `pr${createHash("sha256").update(run).digest("hex").slice(0, 5)}`;

const identityOf = (database: Database): string => {
  database.exec("CREATE TABLE IF NOT EXISTS identity (id TEXT NOT NULL) STRICT");
  const known = database.get<{ id: string }>("SELECT id FROM identity");
  if (known !== undefined) return known.id;
  const id = randomUUID();
  database.run("INSERT INTO identity VALUES (?)", id);
  return id;
};

/** What nobody caught ends one request, not the daemon; it is a defect, and said. */
const watchFailures = (log: Log): void => {
  process.on("uncaughtException", (error) => log.error("uncaught", error));
  process.on("unhandledRejection", (reason) => log.error("unhandled", reason));
};

/** As dockerd: the kernel takes almost anybody else first. Keepers and containers have values of their own. */
const protectFromOom = (): void => {
  try {
    writeFileSync("/proc/self/oom_score_adj", "-500");
  } catch (error) {
    if (errnoOf(error) !== "EACCES" && errnoOf(error) !== "EPERM") throw error;
  }
};

const stopSignal = (): Promise<NodeJS.Signals> =>
  new Promise((resolve) => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, resolve);
  });
