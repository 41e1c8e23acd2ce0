/** BuildKit's Control service and the bridge to its frontends, as far as `docker buildx` uses them. */
import type { IncomingHttpHeaders } from "node:http2";
import { pierVersion } from "../../api/versions.ts";
import type { BuildOutcome, CacheEntry } from "../../build/builds.ts";
import { hostPlatform } from "../../build/platform.ts";
import { codes, decodeFrames, encodeFrame, GrpcError, type GrpcMethod, unary } from "../../format/buildkit/grpc.ts";
import * as messages from "../../format/buildkit/messages.ts";
import { chooser, parseFilterTexts } from "../build-cache.ts";
import type { Services } from "../services.ts";
import { ClientBuild, type ClientOutputs } from "./builds.ts";
import type { CacheEntry as CachePlace } from "./caches.ts";
import { checkExporters, type Exporter, responseOf } from "./exporters.ts";
import type { Sessions } from "./session.ts";

interface Running {
  readonly build: ClientBuild;
  /** What Solve was asked for. */
  readonly asked: PromiseWithResolvers<{ readonly session: string; readonly outputs: ClientOutputs }>;
  readonly image: PromiseWithResolvers<BuildOutcome>;
  /** The client has had its result, or why there is none. */
  readonly returned: PromiseWithResolvers<void>;
  hasBegun: boolean;
}

const frontendCapabilities = [
  "solve.base",
  "solve.inlinereturn",
  "resolveimage",
  "readfile",
  "return",
  "returnmap",
  "proto.refarray",
  "reference.output",
  "frontend.inputs",
  "gateway.solve.metadata",
];

const solverCapabilities = ["exporter.multiple"];

const keptBuilds = 64;

const buildIdOf = (headers: IncomingHttpHeaders): string => String(headers["buildkit-controlapi-buildid"] ?? "");

export class Control {
  readonly #services: Pick<Services, "builds" | "id">;
  readonly #sessions: Sessions;
  readonly #running = new Map<string, Running>();
  /** The last that are over: calls of theirs that come late are told what the others were. */
  readonly #over = new Map<string, Running>();
  readonly #methods: ReadonlyMap<string, GrpcMethod>;

  constructor(services: Pick<Services, "builds" | "id">, sessions: Sessions) {
    this.#services = services;
    this.#sessions = sessions;
    const control = "/moby.buildkit.v1.Control/";
    const bridge = "/moby.buildkit.v1.frontend.LLBBridge/";
    this.#methods = new Map<string, GrpcMethod>([
      [`${control}ListWorkers`, unary(messages.nothing, messages.workerList, () => this.#workers())],
      [
        `${control}Info`,
        unary(messages.nothing, messages.info, () => ({
          buildkitVersion: { package: "pier", version: pierVersion, revision: "" },
        })),
      ],
      [`${control}Solve`, this.#solve()],
      [`${control}Status`, this.#status()],
      [`${control}DiskUsage`, unary(messages.usageRequest, messages.diskUsage, ({ filter }) => this.#usage(filter))],
      [`${control}Prune`, this.#prune()],
      ...["ListenBuildHistory", "UpdateBuildHistory"].map((name) => [`${control}${name}`, refuseHistory] as const),
      [
        `${bridge}Ping`,
        unary(messages.nothing, messages.pong, () => ({
          FrontendAPICaps: frontendCapabilities.map((ID) => ({ ID, Enabled: true })),
          LLBCaps: solverCapabilities.map((ID) => ({ ID, Enabled: true })),
        })),
      ],
      [`${bridge}Solve`, this.#bridgeSolve()],
      [`${bridge}Return`, this.#bridgeReturn()],
    ]);
  }

  find(path: string): GrpcMethod | undefined {
    return this.#methods.get(path);
  }

  /** The calls of one build come in any order. */
  #of(ref: string): Running {
    const known = this.#running.get(ref) ?? this.#over.get(ref);
    if (known !== undefined) return known;
    const made: Running = {
      build: new ClientBuild(this.#services, ref),
      asked: Promise.withResolvers(),
      image: Promise.withResolvers(),
      returned: Promise.withResolvers(),
      hasBegun: false,
    };
    for (const { promise } of [made.asked, made.image, made.returned]) promise.catch(() => {});
    this.#running.set(ref, made);
    return made;
  }

  #workers() {
    const { os: OS, architecture: Architecture } = hostPlatform;
    const worker = "org.mobyproject.buildkit.worker";
    // Clients take a worker with a snapshotter for one that has every exporter, and the cache's.
    const Labels = new Map([
      [`${worker}.moby.host-gateway-ip`, ""],
      [`${worker}.snapshotter`, "pier"],
    ]);
    return { record: [{ ID: this.#services.id, Labels, platforms: [{ OS, Architecture, Variant: "" }] }] };
  }

  async #usage(filter: readonly string[]) {
    const matches = parseFilterTexts(filter);
    return { record: (await this.#services.builds.cache()).filter(matches).map(usageOf) };
  }

  #prune(): GrpcMethod {
    return async ({ stream }, write) => {
      for await (const { filter, all, keepDuration, reservedSpace, maxUsedSpace } of decodeFrames(
        messages.pruneRequest,
        stream,
      )) {
        const until = keepDuration > 0 ? Date.now() - keepDuration / 1e6 : undefined;
        const choice = { matches: parseFilterTexts(filter), all, until, keep: reservedSpace || maxUsedSpace };
        const before = new Map((await this.#services.builds.cache()).map((entry) => [entry.id, entry]));
        const { ids } = await this.#services.builds.prune(chooser(choice));
        const gone = ids.flatMap((id) => before.get(id) ?? []);
        for (const entry of gone) write(encodeFrame(messages.pruned, usageOf(entry)));
        return;
      }
    };
  }

  #solve(): GrpcMethod {
    return unary(messages.controlSolve, messages.controlSolved, async (request, { signal }) => {
      const { Ref, Session, Frontend, FrontendAttrs, Definition } = request;
      const running = this.#of(Ref);
      try {
        if (Definition.length > 0)
          throw new GrpcError(codes.unimplemented, "pier builds Dockerfiles, and no other LLB");
        const outputs = { exporters: exportersOf(request), cacheTo: entriesOf(request.Cache?.Exports ?? []) };
        checkExporters(outputs.exporters);
        running.asked.resolve({ session: Session, outputs });
        // With a frontend of its own name the daemon runs it; without, the client does, over the bridge.
        if (Frontend !== "") this.#run(Ref, Frontend, FrontendAttrs, signal);
        else await abortable(running.returned.promise, signal);
        // Clients make a build of nothing to learn what the daemon can do.
        if (!running.hasBegun) return { ExporterResponse: new Map() };
        const outcome = await abortable(running.image.promise, signal);
        return { ExporterResponse: responseOf(outcome) };
      } catch (error) {
        for (const { reject } of [running.asked, running.image, running.returned]) reject(error);
        throw error;
      } finally {
        running.build.progress.end();
        this.#running.delete(Ref);
        this.#over.set(Ref, running);
        for (const ref of [...this.#over.keys()].slice(0, -keptBuilds)) this.#over.delete(ref);
      }
    });
  }

  #run(ref: string, frontend: string, options: ReadonlyMap<string, string>, signal: AbortSignal): void {
    const running = this.#of(ref);
    const { build, asked, image } = running;
    running.hasBegun = true;
    const run = async (): Promise<BuildOutcome> => {
      if (frontend !== "dockerfile.v0")
        throw new GrpcError(codes.unimplemented, `pier has the frontend dockerfile.v0, and not ${frontend}`);
      const { session, outputs } = await asked.promise;
      return build.run(await this.#sessions.find(session, signal), options, outputs, signal);
    };
    run().then(image.resolve, image.reject);
  }

  #bridgeSolve(): GrpcMethod {
    return unary(
      messages.bridgeSolve,
      messages.bridgeSolved,
      async ({ Frontend, FrontendOpt, Definition }, { headers, signal }) => {
        if (Frontend === "" || Definition.length > 0)
          throw new GrpcError(codes.unimplemented, "pier builds Dockerfiles, and no other LLB");
        const ref = buildIdOf(headers);
        this.#run(ref, Frontend, FrontendOpt, signal);
        await this.#of(ref).image.promise;
        return { result: { ref: { id: ref }, metadata: new Map() } };
      },
    );
  }

  #bridgeReturn(): GrpcMethod {
    return unary(messages.bridgeReturn, messages.nothing, ({ error }, { headers }) => {
      const { returned } = this.#of(buildIdOf(headers));
      if (error === undefined || error.code === 0) returned.resolve();
      else
        returned.reject(
          new GrpcError(
            error.code,
            error.message,
            undefined,
            error.details.filter((detail) => detail !== undefined),
          ),
        );
      return {};
    });
  }

  #status(): GrpcMethod {
    return async ({ stream, signal }, write) => {
      for await (const { Ref } of decodeFrames(messages.statusRequest, stream)) {
        const { progress } = this.#of(Ref).build;
        signal.addEventListener("abort", () => progress.end(), { once: true });
        for await (const frame of progress.frames()) write(frame);
        return;
      }
    };
  }
}

const refuseHistory: GrpcMethod = () =>
  Promise.reject(
    new GrpcError(codes.unimplemented, "pier keeps no history of builds for buildx; type: pier build explain"),
  );

const usageOf = (entry: CacheEntry) => {
  const time = (milliseconds: number) => ({ seconds: Math.floor(milliseconds / 1000), nanos: 0 });
  return {
    ...{ ID: entry.id.slice(0, 25), InUse: entry.inUse, Size: entry.size, UsageCount: entry.uses },
    ...{ Shared: entry.isShared, Description: entry.description, RecordType: entry.kind },
    ...{ CreatedAt: time(entry.created), LastUsedAt: time(entry.lastUsed) },
  };
};

type Entry = { readonly Type: string; readonly Attrs: ReadonlyMap<string, string> } | undefined;

const entriesOf = (entries: readonly Entry[]): readonly CachePlace[] =>
  entries.flatMap((one) => (one === undefined ? [] : [{ type: one.Type, attributes: one.Attrs }]));

const exportersOf = (request: {
  readonly ExporterDeprecated: string;
  readonly ExporterAttrsDeprecated: ReadonlyMap<string, string>;
  readonly Exporters: readonly Entry[];
}): readonly Exporter[] => {
  const several = entriesOf(request.Exporters);
  if (several.length > 0 || request.ExporterDeprecated === "") return several;
  return [{ type: request.ExporterDeprecated, attributes: request.ExporterAttrsDeprecated }];
};

const abortable = <T>(promise: Promise<T>, signal: AbortSignal): Promise<T> =>
  Promise.race([
    promise,
    new Promise<never>((_, reject) => {
      signal.addEventListener("abort", () => reject(new GrpcError(codes.cancelled, "the client has gone")), {
        once: true,
      });
    }),
  ]);
