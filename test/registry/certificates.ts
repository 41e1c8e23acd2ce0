/** An authority of the tests', and certificates that it gives; `undefined` where there is no openssl. */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface Identity {
  readonly key: string;
  readonly cert: string;
}

export interface Authority {
  readonly directory: string;
  readonly ca: string;
  readonly server: Identity;
  readonly client: Identity;
  /** A directory as certs.d, in which this host is trusted; with `client`, and known. */
  trust(host: string, withClient?: boolean): string;
}

const openssl = (directory: string, ...args: string[]): void => {
  const ran = spawnSync("openssl", args, { cwd: directory, encoding: "utf8" });
  if (ran.status !== 0) throw new Error(`openssl ${args[0]}: ${ran.stderr}`);
};

export const hasOpenssl = spawnSync("openssl", ["version"]).status === 0;

export const makeAuthority = (): Authority => {
  const directory = mkdtempSync(join(tmpdir(), "pier-ca-"));
  const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  openssl(
    directory,
    "req",
    "-x509",
    ...curve,
    "-keyout",
    "ca.key",
    "-out",
    "ca.crt",
    "-days",
    "2",
    "-subj",
    "/CN=tests",
  );
  const issue = (name: string, extension: string): Identity => {
    writeFileSync(join(directory, `${name}.ext`), extension);
    openssl(directory, "req", ...curve, "-keyout", `${name}.key`, "-out", `${name}.csr`, "-subj", `/CN=${name}`);
    const by = ["-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2"];
    openssl(directory, "x509", "-req", "-in", `${name}.csr`, ...by, "-out", `${name}.crt`, "-extfile", `${name}.ext`);
    const read = (ending: string): string => readFileSync(join(directory, `${name}.${ending}`), "utf8");
    return { key: read("key"), cert: read("crt") };
  };
  const server = issue("server", "subjectAltName=DNS:localhost,DNS:registry.test,DNS:proxy.test,IP:127.0.0.1");
  const client = issue("client", "extendedKeyUsage=clientAuth");
  const ca = readFileSync(join(directory, "ca.crt"), "utf8");
  return {
    directory,
    ca,
    server,
    client,
    trust(host, withClient = false) {
      const certificates = mkdtempSync(join(directory, "certs-"));
      const place = join(certificates, host);
      mkdirSync(place, { recursive: true });
      writeFileSync(join(place, "ca.crt"), ca);
      if (withClient) {
        writeFileSync(join(place, "client.cert"), client.cert);
        writeFileSync(join(place, "client.key"), client.key);
      }
      return certificates;
    },
  };
};
