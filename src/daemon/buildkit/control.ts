/** BuildKit's Control service and the bridge to its frontends, as far as `docker buildx` uses them. */
import type { IncomingHttpHeaders } from "node:http2";
import { pierVersion } from "../../api/versions.ts";
import type { BuildOutcome, CacheEntry } from "../../build/builds.ts";
import { type BuildPlatform, hostPlatform, platformText } from "../../build/platform.ts";
import { codes, decodeFrames, encodeFrame, GrpcError, type GrpcMethod, unary } from "../../format/buildkit/grpc.ts";
import * as messages from "../../format/buildkit/messages.ts";
import { chooser, parseFilterTexts } from "../build-cache.ts";
import type { Services } from "../services.ts";
import { ClientBuild, type ClientOutputs, platformsOf } from "./builds.ts";
import type { Entry } from "./entries.ts";
import { checkExporters, responseOf } from "./exporters.ts";
import type { Sessions } from "./session.ts";

/** The calls of one build: they come in any order. */
interface Joint {
  readonly build: ClientBuild;
  /** What Solve was asked for. */
  readonly asked: PromiseWithResolvers<{ readonly session: string; readonly outputs: ClientOutputs }>;
  readonly image: PromiseWithResolvers<BuildOutcome>;
  /** The client has had its result, or why there is none. */
  readonly returned: PromiseWithResolvers<void>;
  hasBegun: boolean;
  /** Those that go on. */
  calls: number;
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

/** Of builds without a call: one that comes late is told what the others were. */
const keptBuilds = 64;

const buildIdOf = (headers: IncomingHttpHeaders): string => String(headers["buildkit-controlapi-buildid"] ?? "");

export class Control {
  readonly #services: Pick<Services, "builds" | "id">;
  readonly #sessions: Sessions;
  /** In the order in which calls of theirs ended. */
  readonly #joints = new Map<string, Joint>();
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

  /** Runs one call; its build is remembered meanwhile, and a while after the last of its calls, whichever they are. */
  async #join<T>(ref: string, call: (joint: Joint) => Promise<T> | T): Promise<T> {
    const joint = this.#joints.get(ref) ?? this.#open(ref);
    joint.calls++;
    try {
      return await call(joint);
    } finally {
      joint.calls--;
      this.#joints.delete(ref);
      this.#joints.set(ref, joint);
      const idle = [...this.#joints].filter(([, { calls }]) => calls === 0);
      for (const [old] of idle.slice(0, -keptBuilds)) this.#joints.delete(old);
    }
  }

  #open(ref: string): Joint {
    const made: Joint = {
      build: new ClientBuild(this.#services, ref),
      asked: Promise.withResolvers(),
      image: Promise.withResolvers(),
      returned: Promise.withResolvers(),
      hasBegun: false,
      calls: 0,
    };
    for (const { promise } of [made.asked, made.image, made.returned]) promise.catch(() => {});
    this.#joints.set(ref, made);
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
      for await (const asked of decodeFrames(messages.pruneRequest, stream)) {
        const { filter, all, keepDuration } = asked;
        const until = keepDuration > 0 ? Date.now() - keepDuration / 1e6 : undefined;
        const bounds = { reserved: asked.reservedSpace, maxUsed: asked.maxUsedSpace, minFree: asked.minFreeSpace };
        const choice = { matches: parseFilterTexts(filter), all, until, bounds };
        const { gone } = await this.#services.builds.prune((use) => chooser(choice, use));
        for (const entry of gone) write(encodeFrame(messages.pruned, usageOf(entry)));
        return;
      }
    };
  }

  #solve(): GrpcMethod {
    return unary(messages.controlSolve, messages.controlSolved, (request, { signal }) =>
      this.#join(request.Ref, async (joint) => {
        const { Session, Frontend, FrontendAttrs, Definition } = request;
        try {
          if (Definition.length > 0)
            throw new GrpcError(codes.unimplemented, "pier builds Dockerfiles, and no other LLB");
          const outputs = {
            exporters: exportersOf(request),
            cacheTo: entriesOf(request.Cache?.Exports ?? []),
            entitlements: request.Entitlements,
          };
          checkExporters(outputs.exporters);
          joint.asked.resolve({ session: Session, outputs });
          // With a frontend of its own name the daemon runs it; without, the client does, over the bridge.
          if (Frontend !== "") this.#run(joint, Frontend, FrontendAttrs, signal);
          else await abortable(joint.returned.promise, signal);
          // Clients make a build of nothing to learn what the daemon can do.
          if (!joint.hasBegun) return { ExporterResponse: new Map() };
          const outcome = await abortable(joint.image.promise, signal);
          return { ExporterResponse: responseOf(outcome) };
        } catch (error) {
          for (const { reject } of [joint.asked, joint.image, joint.returned]) reject(error);
          throw error;
        } finally {
          joint.build.progress.end();
        }
      }),
    );
  }

  #run(joint: Joint, frontend: string, options: ReadonlyMap<string, string>, signal: AbortSignal): void {
    const { build, asked, image } = joint;
    joint.hasBegun = true;
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
        const id = buildIdOf(headers);
        const question = FrontendOpt.get("requestid");
        if (question !== undefined) {
          const metadata = await this.#join(id, async ({ build, asked }) => {
            const { session } = await abortable(asked.promise, signal);
            return build.tell(question, await this.#sessions.find(session, signal), FrontendOpt, signal);
          });
          return { result: { ref: undefined, refs: undefined, metadata } };
        }
        await this.#join(id, (joint) => {
          this.#run(joint, Frontend, FrontendOpt, signal);
          return abortable(joint.image.promise, signal);
        });
        return { result: resultOf(id, platformsOf(FrontendOpt.get("platform") ?? "")) };
      },
    );
  }

  #bridgeReturn(): GrpcMethod {
    return unary(messages.bridgeReturn, messages.nothing, ({ error }, { headers }) =>
      this.#join(buildIdOf(headers), ({ returned }) => {
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
      }),
    );
  }

  #status(): GrpcMethod {
    return async ({ stream, signal }, write) => {
      for await (const { Ref } of decodeFrames(messages.statusRequest, stream)) {
        return await this.#join(Ref, async ({ build: { progress } }) => {
          signal.addEventListener("abort", () => progress.end(), { once: true });
          for await (const frame of progress.frames()) write(frame);
        });
      }
    };
  }
}

/** What a client is given of a build to name it by: of several platforms one reference for each. */
const resultOf = (id: string, platforms: readonly BuildPlatform[]) => {
  if (platforms.length === 1) return { ref: { id }, refs: undefined, metadata: new Map() };
  const told = platforms.map((Platform) => ({ ID: platformText(Platform), Platform }));
  return {
    ref: undefined,
    refs: { refs: new Map(told.map(({ ID }) => [ID, { id: `${id}/${ID}` }])) },
    metadata: new Map([["refs.platforms", Buffer.from(JSON.stringify({ Platforms: told }))]]),
  };
};

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

type Told = { readonly Type: string; readonly Attrs: ReadonlyMap<string, string> } | undefined;

const entriesOf = (entries: readonly Told[]): readonly Entry[] =>
  entries.flatMap((one) => (one === undefined ? [] : [{ type: one.Type, attributes: one.Attrs }]));

const exportersOf = (request: {
  readonly ExporterDeprecated: string;
  readonly ExporterAttrsDeprecated: ReadonlyMap<string, string>;
  readonly Exporters: readonly Told[];
}): readonly Entry[] => {
  const several = entriesOf(request.Exporters);
  if (several.length > 0 || request.ExporterDeprecated === "") return several;
  return [{ type: request.ExporterDeprecated, attributes: request.ExporterAttrsDeprecated }];
};

const abortable = <T>(promise: Promise<T>, signal: AbortSignal): Promise<T> =>
  Promise.race([
    promise,
    new Promise<never>((_, reject) => {
      const leave = (): void => reject(new GrpcError(codes.cancelled, "the client has gone"));
      if (signal.aborted) leave();
      else signal.addEventListener("abort", leave, { once: true });
    }),
  ]);
