/** Profiles in the kernel. */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { errorsFrom } from "../../base/errors.ts";
import { kernelErrors } from "../errors.ts";

const kernelError = errorsFrom(kernelErrors);

/** Where distributions put it; a daemon's PATH need not have these. */
const parsers = ["/sbin/apparmor_parser", "/usr/sbin/apparmor_parser"];

export const findParser = (): string | undefined => parsers.find((path) => existsSync(path));

/** Holds afterwards: the kernel has this profile, instead of an older one of its name. */
export const loadProfile = (profile: string): Promise<void> =>
  new Promise((resolve, reject) => {
    const said: Buffer[] = [];
    const fail = (reason: string): void => reject(kernelError("profileNotLoaded", { reason }));
    const child = spawn(findParser() ?? "apparmor_parser", ["--replace", "--skip-cache"], {
      env: {},
      stdio: ["pipe", "ignore", "pipe"],
    });
    child.stderr.on("data", (chunk: Buffer) => said.push(chunk));
    // It may end before it has read everything; its exit code says why.
    child.stdin.on("error", () => {});
    child.on("error", (error) => fail(error.message));
    child.on("close", (code) => (code === 0 ? resolve() : fail(Buffer.concat(said).toString().trim())));
    child.stdin.end(profile);
  });
