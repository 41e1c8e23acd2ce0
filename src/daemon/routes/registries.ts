/** What is asked of registries without an image being there. */
import { parseCredentials } from "../../registry/credentials.ts";
import { readJson } from "../body.ts";
import type { Handler } from "../call.ts";
import { daemonError } from "../errors.ts";
import { json } from "../wire.ts";

/** Docker Hub's first registry is what clients call it to this day. */
export const domainOf = (server: string): string => {
  const host = server.replace(/^https?:\/\//, "").split("/", 1)[0]!;
  return host === "" || host === "index.docker.io" || host === "registry-1.docker.io" ? "docker.io" : host;
};

export const auth: Handler = async ({ services, request, signal }) => {
  const found = parseCredentials(await readJson(request));
  if (found === undefined) throw daemonError("noCredentials", {});
  const domain = domainOf(found.server);
  if (!/^[A-Za-z0-9.:[\]-]+$/.test(domain)) throw daemonError("badServer", { server: found.server.slice(0, 200) });
  await services.registries.login(domain, found, signal);
  return json({ Status: "Login Succeeded", IdentityToken: "" });
};
