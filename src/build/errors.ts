/** What can go wrong with a build, in BuildKit's words where people know them. */
import { errorsFrom } from "../base/errors.ts";

export const buildErrors = {
  // The Dockerfile.
  parseLine: { status: 400, sentence: "dockerfile parse error on line {line}: {problem}" },
  emptyDockerfile: { status: 400, sentence: "the Dockerfile ({name}) cannot be empty" },
  noStage: { status: 400, sentence: "dockerfile parse error: file with no instructions" },
  noSuchTarget: { status: 400, sentence: 'target stage "{target}" could not be found' },
  circularStage: { status: 400, sentence: "circular dependency detected on stage: {name}" },
  syntaxImage: {
    status: 501,
    sentence: "pier builds Dockerfiles itself and runs no frontend images: # syntax={image}",
    hint: "leave the line out, or name docker/dockerfile",
  },
  notYet: { status: 501, sentence: "{what} is not there yet in pier's builds" },

  // The context.
  noDockerfile: { status: 400, sentence: "failed to read dockerfile: open {name}: no such file or directory" },
  invalidIgnore: { status: 400, sentence: 'illegal exclusion pattern: "{pattern}"' },
  whiteoutName: {
    status: 400,
    sentence: "the build context has {path}: names that begin with .wh. cannot be in an image",
  },
  notFound: { status: 400, sentence: 'failed to compute cache key: "{path}": not found' },
  severalToFile: {
    status: 400,
    sentence: "when using {name} with more than one source file, the destination must be a directory and end with a /",
  },
  notADirectory: { status: 400, sentence: "cannot copy to {path}: there is a file on the way" },
  invalidOwner: { status: 400, sentence: "failed to find {owner}: there is no such user or group in the image" },
  invalidMode: {
    status: 400,
    sentence: 'invalid chmod parameter: "{mode}": it should be octal, such as 0644, or such as u+x,go=r',
  },

  // Checks.
  checkOption: { status: 400, sentence: "{reason}", hint: "# check=skip=RULE,RULE;error=true" },
  checkFailed: { status: 400, sentence: "lint violation found for rules: {rules}" },

  // Contexts from elsewhere.
  noGit: {
    status: 501,
    sentence: "git repositories are fetched by the program git, which is not installed where the daemon runs",
    hint: "apt install git",
  },
  gitAddress: { status: 400, sentence: "invalid git address {address}: {reason}" },
  gitProtocol: {
    status: 501,
    sentence: "pier fetches git repositories by https, http and git alone, not {remote}",
    hint: "use https, with the secret GIT_AUTH_TOKEN where the repository is not everybody's",
  },
  git: { status: 400, sentence: "failed to fetch {remote}: {reason}" },
  remoteContext: { status: 400, sentence: "{url} is neither a git repository nor a file on a web server" },
  wrongBlob: { status: 400, sentence: "the layout has {digest} too long, or with other bytes" },
  noContextFiles: { status: 400, sentence: "the build context {name} is no directory" },

  // Bases.
  stagePlatform: { status: 400, sentence: "failed to parse platform: {reason}" },
  noSuchBase: { status: 404, sentence: "{name} was pulled, and is gone again" },
  otherPlatform: { status: 400, sentence: "{name} is for {has}, not for {asked}" },

  noCacheManifest: { status: 400, sentence: "there is no cache of a build: neither a manifest of one nor an image" },

  // Several platforms.
  manifestList: {
    status: 400,
    sentence: "docker exporter does not currently support exporting manifest lists",
    hint: "use type=oci, or no dest, which keeps the images here",
  },
  foreignProgram: {
    status: 400,
    sentence:
      "{reason}: it is for {platform}, and this machine's kernel runs no such programs; type: apt install qemu-user-static",
  },
  mixedPlatforms: {
    status: 501,
    sentence: "files for several platforms go into a directory each: platform-split=true",
  },

  // Steps.
  runFailed: { status: 400, sentence: 'process "{command}" did not complete successfully: exit code: {code}' },
  download: { status: 400, sentence: "failed to download {url}: {reason}" },
  checksum: { status: 400, sentence: "{url} has checksum {found}, not {expected}" },
  decompress: { status: 400, sentence: "the archive cannot be read as {format}: {reason}" },
  noDecompressor: {
    status: 501,
    sentence: "archives of {format} are read by the program {format}, which is not installed where the daemon runs",
    hint: "apt install {format}",
  },
  notAllowed: {
    status: 403,
    sentence: "{entitlement} is not allowed",
    hint: "--allow {entitlement}",
  },
  agentMissing: {
    status: 400,
    sentence: "no ssh agent {id} is given to the build",
    hint: "--ssh {id}",
  },
  secretMissing: { status: 400, sentence: "secret {id}: not found" },
  layerLimit: {
    status: 400,
    sentence: "max depth exceeded: the image would have {count} layers, the limit is {limit}",
  },
} as const;

export const buildError = errorsFrom(buildErrors);
