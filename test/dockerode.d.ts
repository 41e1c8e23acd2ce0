/** As much of dockerode as the tests use: its own types cover other versions of it. */
declare module "dockerode" {
  import type { Duplex, Readable, Writable } from "node:stream";

  interface Container {
    attach(options: object): Promise<Duplex>;
    start(): Promise<void>;
    stop(options: object): Promise<void>;
    remove(): Promise<void>;
    wait(): Promise<{ readonly StatusCode: number }>;
    inspect(): Promise<object>;
    stats(options: object): Promise<{ readonly memory_stats: { readonly usage: number } }>;
    exec(options: object): Promise<Exec>;
  }

  interface Progress {
    readonly stream?: string;
  }

  interface Exec {
    start(options: object): Promise<Readable>;
    inspect(): Promise<{ readonly ExitCode: number }>;
  }

  export default class Docker {
    constructor(options: { readonly socketPath: string; readonly version: string });
    readonly modem: {
      demuxStream(stream: Readable, stdout: Writable, stderr: Writable): void;
      followProgress(stream: Readable, done: (error: Error | null, lines: readonly Progress[]) => void): void;
    };
    buildImage(
      context: { readonly context: string; readonly src: readonly string[] },
      options: object,
    ): Promise<Readable>;
    version(): Promise<{ readonly ApiVersion: string }>;
    run(
      image: string,
      command: readonly string[],
      outputs: readonly [stdout: Writable, stderr: Writable],
      options: object,
    ): Promise<readonly [{ readonly StatusCode: number }, Container]>;
    createContainer(options: object): Promise<Container>;
    getEvents(options: object): Promise<Readable>;
  }
}
