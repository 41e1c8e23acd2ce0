import assert from "node:assert/strict";
import type { ServerHttp2Stream } from "node:http2";
import { Readable } from "node:stream";
import { test } from "node:test";
import { encodeFrame, type GrpcCall } from "../../format/buildkit/grpc.ts";
import { bridgeReturn, controlSolve } from "../../format/buildkit/messages.ts";
import { Control } from "./control.ts";
import { Sessions } from "./session.ts";

test("a call that comes late is told of its build, and builds of which nobody asks any more are forgotten", async () => {
  const control = new Control({ id: "id", builds: undefined as never }, new Sessions());
  const call = (path: string, frame: Uint8Array, call: Partial<GrpcCall>): Promise<void> =>
    control.find(path)!(
      {
        stream: Readable.from([frame]) as unknown as ServerHttp2Stream,
        ...{ headers: {}, signal: new AbortController().signal, ...call },
      },
      () => {},
    );
  const giveBack = (build: string) =>
    call("/moby.buildkit.v1.frontend.LLBBridge/Return", encodeFrame(bridgeReturn, {}), {
      headers: { "buildkit-controlapi-buildid": build },
    });
  // Of a client that has gone: it is answered only by what is there already.
  const solve = (Ref: string) =>
    call("/moby.buildkit.v1.Control/Solve", encodeFrame(controlSolve, { Ref }), { signal: AbortSignal.abort() });
  await giveBack("late");
  await solve("late");
  await giveBack("forgotten");
  for (let other = 0; other < 64; other++) await giveBack(`${other}`);
  await assert.rejects(solve("forgotten"), /the client has gone/);
  await solve("63");
});
