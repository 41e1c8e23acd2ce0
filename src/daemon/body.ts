/** Reading what a client sends, bounded in size and time. */
import type { IncomingMessage } from "node:http";
import { decodeJson } from "../api/shape.ts";
import { daemonError } from "./errors.ts";

/** A seccomp profile inside a create request is the largest thing anybody sends: some 20 KiB. */
const jsonLimit = 4 * 1024 * 1024;
const jsonSeconds = 30;

/** The JSON of a body; throws 400 for what is no JSON or is not called so. */
export const readJson = async (request: IncomingMessage): Promise<unknown> => {
  // A browser sends other types across origins without asking; JSON it does not.
  const type = request.headers["content-type"] ?? "";
  if (hasBody(request) && type.split(";")[0]!.trim().toLowerCase() !== "application/json") {
    throw daemonError("contentType", { type: type.slice(0, 100) });
  }
  return decodeJson(await readBody(request));
};

export const hasBody = ({ headers }: IncomingMessage): boolean =>
  headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > 0;

const readBody = (request: IncomingMessage): Promise<Buffer> => {
  if (Number(request.headers["content-length"] ?? 0) > jsonLimit) {
    return Promise.reject(daemonError("bodyTooLarge", { limit: jsonLimit }));
  }
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const timer = setTimeout(
      () => settle(() => reject(daemonError("bodyTooSlow", { seconds: jsonSeconds }))),
      jsonSeconds * 1000,
    );
    const settle = (how: () => void): void => {
      clearTimeout(timer);
      request.off("data", take);
      how();
    };
    const take = (chunk: Buffer): void => {
      size += chunk.length;
      if (size > jsonLimit) settle(() => reject(daemonError("bodyTooLarge", { limit: jsonLimit })));
      else chunks.push(chunk);
    };
    request.on("data", take);
    request.once("end", () => settle(() => resolve(Buffer.concat(chunks))));
    request.once("error", (cause) => settle(() => reject(daemonError("bodyCut", {}, cause))));
    request.once("close", () => settle(() => reject(daemonError("bodyCut", {}))));
  });
};
