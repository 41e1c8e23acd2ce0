/** What is wrong with the flags of `run` and `create`, in the words of Docker's parsers. */
import { errorsFrom } from "../../base/errors.ts";

export const createErrors = {
  attachStream: { status: 400, sentence: "valid streams are STDIN, STDOUT and STDERR" },
  environment: { status: 400, sentence: "invalid environment variable: {text}" },
  envFileKey: { status: 400, sentence: "invalid env file ({path}): variable '{name}' contains whitespaces" },
  envFileName: { status: 400, sentence: "invalid env file ({path}): no variable name on line '{line}'" },
  envFileBytes: { status: 400, sentence: "invalid env file ({path}): invalid utf8 bytes at line {number}: [{bytes}]" },
  envFileRead: { status: 400, sentence: "invalid env file ({path}): {reason}" },
  labelName: { status: 400, sentence: "invalid label '{text}': empty name" },
  labelSpaces: { status: 400, sentence: "label '{name}' contains whitespaces" },

  cpusSyntax: { status: 400, sentence: "failed to parse {text} as a rational number" },
  cpusPrecision: { status: 400, sentence: "value is too precise" },
  cpusRange: { status: 400, sentence: "value out of range" },
  swappiness: { status: 400, sentence: "invalid value: {value}. Valid memory swappiness range is 0-100" },
  ulimitArgument: { status: 400, sentence: "invalid ulimit argument: {text}" },
  ulimitType: { status: 400, sentence: "invalid ulimit type: {name}" },
  ulimitCount: {
    status: 400,
    sentence: "too many limit value arguments - {limits}, can only have up to two, `soft[:hard]`",
  },
  ulimitOrder: {
    status: 400,
    sentence: "ulimit soft limit must be less than or equal to hard limit: {soft} > {hard}",
  },
  ulimitUnlimited: {
    status: 400,
    sentence: "ulimit soft limit must be less than or equal to hard limit: soft: -1 (unlimited), hard: {hard}",
  },
  deviceFormat: { status: 400, sentence: "bad format: {text}" },
  devicePath: { status: 400, sentence: "bad format for device path: {text}" },
  deviceWeight: { status: 400, sentence: "invalid weight for device: {text}" },
  deviceRate: {
    status: 400,
    sentence:
      "invalid rate for device: {text}. The correct format is <device-path>:<number>[<unit>]. Number must be a positive integer. Unit is optional and can be kb, mb, or gb",
  },
  deviceOperations: {
    status: 400,
    sentence:
      "invalid rate for device: {text}. The correct format is <device-path>:<number>. Number must be a positive integer",
  },
  deviceRule: { status: 400, sentence: "invalid device cgroup format '{text}'" },
  deviceSpec: { status: 400, sentence: "bad format for path: {text}" },
  deviceMode: { status: 400, sentence: "bad mode specified: {mode}" },
  pathNotAbsolute: { status: 400, sentence: "{path} is not an absolute path" },
  sysctl: { status: 400, sentence: "sysctl '{text}' is not allowed" },
  gpuOnce: { status: 400, sentence: "gpu request key '{key}' can be specified only once" },
  gpuCount: {
    status: 400,
    sentence: 'invalid count ({text}): value must be either "all" or an integer: invalid syntax',
  },
  unexpectedKey: { status: 400, sentence: "unexpected key '{key}' in '{field}'" },

  volumeEmpty: { status: 400, sentence: "invalid empty volume spec" },
  volumeSection: { status: 400, sentence: "invalid spec: {text}: empty section between colons" },
  volumeColons: { status: 400, sentence: "invalid spec: {text}: too many colons" },
  mountField: { status: 400, sentence: "invalid field '{field}' must be a key=value pair" },
  mountValue: { status: 400, sentence: "invalid value for {key}: {value}" },
  mountRecursive: {
    status: 400,
    sentence: 'invalid value for bind-recursive: {value} (must be "enabled", "disabled", "writable", or "readonly")',
  },
  mountRequires: {
    status: 400,
    sentence: "option 'bind-recursive={value}' requires '{option}' to be specified in conjunction",
  },
  mountMissing: { status: 400, sentence: "{what} is required" },
  mountMixed: { status: 400, sentence: "cannot mix '{prefix}-*' options with mount type '{type}'" },

  publishFormat: { status: 400, sentence: "invalid publish opts format (should be name=value but got '{text}')" },
  portAddress: { status: 400, sentence: "invalid IP address: {address}" },
  portBracket: { status: 400, sentence: "invalid IP address {address}: address {address}:: missing ']' in address" },
  portMissing: { status: 400, sentence: "no port specified: {text}<empty>" },
  portContainer: { status: 400, sentence: "invalid containerPort: {text}" },
  portHost: { status: 400, sentence: "invalid hostPort: {text}" },
  portRanges: {
    status: 400,
    sentence: "invalid ranges specified for container and host Ports: {container} and {host}",
  },
  portProtocol: { status: 400, sentence: "invalid proto: {protocol}" },
  exposeFormat: { status: 400, sentence: "invalid port format for --expose: {text}" },
  exposeRange: { status: 400, sentence: "invalid range format for --expose: {text}, error: {reason}" },
  portsEmpty: { status: 400, sentence: "empty string specified for ports" },
  portsOrder: { status: 400, sentence: "invalid range specified for port: {text}" },

  networkField: { status: 400, sentence: "invalid field {field}" },
  networkKey: { status: 400, sentence: "invalid field key {key}" },
  networkName: { status: 400, sentence: "network name/id is not specified" },
  networkUnnamed: { status: 400, sentence: "no name set for network" },
  networkTwice: { status: 400, sentence: "network {name} is specified multiple times" },
  networkPriority: { status: 400, sentence: "invalid gw-priority ({text}): invalid syntax" },
  networkDriverOption: { status: 400, sentence: "invalid key value pair format in driver options" },
  networkMixed: {
    status: 400,
    sentence: "conflicting options: cannot attach both user-defined and non-user-defined network-modes",
  },
  networkAliases: { status: 400, sentence: "network-scoped aliases are only supported for user-defined networks" },
  networkConflict: { status: 400, sentence: "conflicting options: cannot specify both {flag} and per-network {what}" },
  hardwareAddress: { status: 400, sentence: "{text} is not a valid mac address" },
  hostFormat: { status: 400, sentence: "bad format for add-host: {text}" },
  hostAddress: { status: 400, sentence: "invalid IP address in add-host: {text}" },
  dnsAddress: { status: 400, sentence: "IP address is not correctly formatted: {text}" },
  dnsDomain: { status: 400, sentence: "{text} is not a valid domain" },
  linkEmpty: { status: 400, sentence: "empty string specified for links" },
  linkFormat: { status: 400, sentence: "bad format for links: {text}" },

  namespaceMode: { status: 400, sentence: "--{flag}: invalid {what} mode" },
  securityOption: { status: 400, sentence: "Invalid --security-opt: {text}" },
  seccompOpen: { status: 400, sentence: "opening seccomp profile ({path}) failed: {reason}" },
  seccompJson: { status: 400, sentence: "compacting json for seccomp profile ({path}) failed: {reason}" },
  storageOption: { status: 400, sentence: "invalid storage option" },
  loggingNone: { status: 400, sentence: "invalid logging opts for driver none" },
  restartColon: { status: 400, sentence: "invalid restart policy format: no policy provided before colon" },
  restartCount: { status: 400, sentence: "invalid restart policy format: maximum retry count must be an integer" },
  restartAndRemove: { status: 400, sentence: "conflicting options: cannot specify both --restart and --rm" },
  healthConflict: { status: 400, sentence: "--no-healthcheck conflicts with --health-* options" },
  healthNegative: { status: 400, sentence: "--{flag} cannot be negative" },
  attachAndDetach: { status: 400, sentence: "conflicting options: cannot specify both --attach and --detach" },
  pullOption: {
    status: 400,
    sentence: 'invalid pull option: \'{option}\': must be one of "always", "missing" or "never"',
  },
  idFileExists: {
    status: 400,
    sentence: "container ID file found, make sure the other container isn't running or delete {path}",
  },
  windowsOnly: {
    status: 400,
    sentence:
      '"--{flag}" is only supported on a Docker daemon running on windows, but the Docker daemon is running on linux',
  },
} as const;

export const createError = errorsFrom(createErrors);
