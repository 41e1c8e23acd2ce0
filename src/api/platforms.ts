/** Platforms in the form of OCI's image specification: `linux/arm64`, `arm/v7`, `linux`. */

export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string;
}

const systems = new Set(
  "aix android darwin dragonfly freebsd hurd illumos ios js linux nacl netbsd openbsd plan9 solaris windows zos".split(
    " ",
  ),
);
const architectures = new Set(
  "386 amd64 amd64p32 arm armbe arm64 arm64be ppc64 ppc64le loong64 mips mipsle mips64 mips64le mips64p32 mips64p32le ppc riscv riscv64 s390 s390x sparc sparc64 wasm".split(
    " ",
  ),
);
const otherNames: ReadonlyMap<string, readonly [architecture: string, variant?: string]> = new Map([
  ["i386", ["386"]],
  ["x86_64", ["amd64"]],
  ["x86-64", ["amd64"]],
  ["aarch64", ["arm64"]],
  ["armhf", ["arm", "v7"]],
  ["armel", ["arm", "v6"]],
]);

/** The kernel's name for this machine, as Go calls it. */
const own = (): string => ({ x64: "amd64", ia32: "386" })[process.arch as string] ?? process.arch;

const withArchitecture = (os: string, given: string, givenVariant = ""): Platform => {
  const [architecture, ownVariant = ""] = otherNames.get(given) ?? [given];
  const variant = /^[5-8]$/.test(givenVariant) ? `v${givenVariant}` : givenVariant || ownVariant;
  const usual = (architecture === "arm64" && variant === "v8") || (architecture === "amd64" && variant === "v1");
  return variant === "" || usual ? { os, architecture } : { os, architecture, variant };
};

const quote = (text: string): string => JSON.stringify(text);

/** Throws what `fail` makes of containerd's words for what names no platform. */
export const parsePlatform = (text: string, fail: (reason: string) => Error): Platform => {
  const parts = text.split("/");
  for (const [index, part] of parts.entries()) {
    if (index === 0 && !/^[A-Za-z0-9_-]+$/.test(part))
      throw fail(
        `${quote(part)} is an invalid OS component of ${quote(text)}: OSAndVersion specifier component must match ${quote(
          "^([A-Za-z0-9_-]+)(?:\\(([A-Za-z0-9_.-]*)\\))?$",
        )}`,
      );
    if (!/^[A-Za-z0-9_.-]+$/.test(part))
      throw fail(
        `${quote(part)} is an invalid component of ${quote(text)}: platform specifier component must match "^[A-Za-z0-9_.-]+$"`,
      );
  }
  const [first = "", second, third] = parts.map((part) => part.toLowerCase());
  const os = first === "macos" ? "darwin" : first;
  if (parts.length > 3) throw fail(`${quote(text)}: cannot parse platform specifier`);
  if (second !== undefined) return withArchitecture(os, second, third);
  if (systems.has(os)) return withArchitecture(os, own());
  const known = withArchitecture("linux", first);
  if (!architectures.has(known.architecture)) throw fail(`${quote(text)}: unknown operating system or architecture`);
  return known;
};

export const formatPlatform = ({ os, architecture, variant }: Platform): string =>
  [os, architecture, ...(variant === undefined ? [] : [variant])].join("/");

/** Whether something for the one is what was asked for; who does not say is for any. */
export const isFor = (has: Platform, asked: Platform): boolean =>
  (has.os === "" || has.os === asked.os) &&
  (has.architecture === "" || has.architecture === asked.architecture) &&
  ((has.variant ?? "") === "" || asked.variant === undefined || has.variant === asked.variant);
