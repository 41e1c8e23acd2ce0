/** certs.d: whom to trust for one registry, and who we are there (docs.docker.com/engine/security/certificates). */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { rootCertificates } from "node:tls";
import { registryError } from "./errors.ts";

export interface Trust {
  readonly ca: readonly string[];
  readonly identity?: { readonly cert: string; readonly key: string };
}

/** The machine's own list, where Debian, Fedora and others keep it. */
const systemLists = ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"];

const readSystem = (): readonly string[] => {
  const path = [process.env.SSL_CERT_FILE ?? "", ...systemLists].find((one) => one !== "" && existsSync(one));
  const found = path === undefined ? [] : readFileSync(path, "utf8").split(/(?<=-----END CERTIFICATE-----)/);
  const listed = found.map((text) => text.trim()).filter((text) => text.includes("BEGIN CERTIFICATE"));
  return listed.length > 0 ? listed : rootCertificates;
};
let system: readonly string[] | undefined;

/** Read anew for each connection, so that a certificate can be put there while the daemon runs. */
export const trustFor = (host: string, directories: readonly string[]): Trust => {
  system ??= readSystem();
  const directory = directories.map((one) => join(one, host)).find((one) => existsSync(one));
  if (directory === undefined) return { ca: system };
  try {
    const names = readdirSync(directory).sort();
    const own = names
      .filter((name) => name.endsWith(".crt"))
      .map((name) => readFileSync(join(directory, name), "utf8"));
    const certificate = names.find((name) => name.endsWith(".cert"));
    if (certificate === undefined) return { ca: [...system, ...own] };
    const key = certificate.replace(/cert$/, "key");
    if (!names.includes(key)) throw new Error(`${certificate} is there without ${key}`);
    const read = (name: string): string => readFileSync(join(directory, name), "utf8");
    return { ca: [...system, ...own], identity: { cert: read(certificate), key: read(key) } };
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw registryError("certificateFiles", { directory, reason }, cause);
  }
};
