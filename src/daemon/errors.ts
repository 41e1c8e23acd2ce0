import { errorsFrom } from "../base/errors.ts";

export const daemonErrors = {
  // The door.
  pageNotFound: { status: 404, sentence: "page not found" },
  notYet: { status: 501, sentence: "{sentence}" },
  badTarget: { status: 400, sentence: "the request target is not a path" },
  badEscape: { status: 400, sentence: "the path has an invalid escape" },
  bodyTooLarge: { status: 413, sentence: "the request body is larger than {limit} bytes" },
  bodyTooSlow: { status: 408, sentence: "the request body did not arrive within {seconds} seconds" },
  bodyCut: { status: 400, sentence: "the request body ended early" },
  contentType: { status: 400, sentence: "unsupported Content-Type header ({type}): must be 'application/json'" },
  origin: { status: 403, sentence: "requests of web pages are refused" },
  hostName: {
    status: 403,
    sentence: "requests for {host} are refused: without TLS only addresses and localhost are answered",
    hint: "DOCKER_HOST=tcp://127.0.0.1:2375",
  },
  noWebSocket: { status: 400, sentence: "bad handshake: this is for WebSocket clients" },
  noUpgrade: {
    status: 400,
    sentence: "standard input needs a raw connection: send 'Connection: Upgrade' and 'Upgrade: tcp'",
  },

  // Queries.
  invalidNumber: { status: 400, sentence: 'invalid value for {name}: "{value}" is not a whole number' },
  invalidTime: { status: 400, sentence: 'invalid value for {name}: "{value}" is not a time in seconds' },
  invalidFilters: { status: 400, sentence: "invalid filter" },
  invalidFilter: { status: 400, sentence: "invalid filter '{name}'" },
  invalidFilterValue: { status: 400, sentence: "invalid filter '{name}={value}'" },
  costlyPattern: {
    status: 400,
    sentence: "invalid filter '{name}={value}': a pattern may not repeat a group, and repeat anything at most twice",
  },
  execAlreadyRun: { status: 409, sentence: "Error: Exec command {id} has already run" },
  noStream: { status: 400, sentence: "Bad parameters: you must choose at least one stream" },
  oneShotStream: { status: 400, sentence: "cannot have stream=true and one-shot=true" },
  pruning: { status: 409, sentence: "a prune operation is already running" },
  severalUntil: { status: 400, sentence: "more than one until filter specified" },
  unknownObjectType: { status: 400, sentence: "unknown object type: {type}" },
  emptyName: { status: 400, sentence: "Neither old nor new names may be empty" },

  searchLimit: { status: 400, sentence: "limit {limit} is outside the range of [1, 100]" },
  noSuchFile: { status: 404, sentence: "the image has no {path}" },
  noContent: { status: 400, sentence: "{path} is no file of at most {limit} bytes" },
  noCredentials: { status: 400, sentence: "there is neither a name nor a token to log in with" },
  badServer: { status: 400, sentence: "{server} is no registry" },

  // What comes later.
  invalidJson: { status: 400, sentence: "invalid value for {name}: it is not the JSON that it should be" },
  noBuildYet: { status: 404, sentence: "nothing was built here yet", hint: "pier build ." },
  noSession: { status: 400, sentence: "remote=client-session names a context in a session, and there is no session" },
  refusedBuild: { status: 501, sentence: "{reason}" },
  noRemoteContext: {
    status: 400,
    sentence: "{address} is no build context: it is neither a git repository nor a file on a web server",
  },
  noBuildOutputs: { status: 501, sentence: "outputs are BuildKit's: a build of version=1 makes an image" },
  noImportUrl: { status: 501, sentence: "pier imports only what is sent to it: fromSrc must be -" },
  invalidPlatform: { status: 400, sentence: "invalid platform: {reason}" },
  otherSystem: { status: 400, sentence: "operating system is not supported" },
  noSessions: {
    status: 501,
    sentence: "a daemon on Node cannot ask its clients: sessions need the executable",
    hint: "DOCKER_BUILDKIT=0 docker build, or pier build",
  },
  severalPlatforms: {
    status: 400,
    sentence: "the classic builder builds for one platform",
    hint: "pier build or docker buildx build --platform linux/amd64,linux/arm64",
  },
  noPlatform: { status: 400, sentence: "the image is for {has}, not for {asked}" },

  // Swarms and plugins: there are none.
  noSwarmManager: {
    status: 503,
    sentence:
      'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.',
  },
  invalidSwarmVersion: {
    status: 400,
    sentence: "invalid {what} version '{text}': strconv.ParseUint: parsing \"{text}\": invalid syntax",
  },
  invalidSwarmValue: { status: 400, sentence: "invalid value for {name}: {value}: {reason}" },
  noSwarm: { status: 503, sentence: "This node is not part of a swarm" },
  noClusterVolume: {
    status: 503,
    sentence: "volume update only valid for cluster volumes, but swarm is unavailable",
  },
  noSuchPlugin: { status: 404, sentence: 'plugin "{name}" not found' },

  // The start of the daemon.
  badConfig: { status: 400, sentence: "{path} cannot be read: {problem}", hint: "pier daemon --help" },
  badConfigValue: { status: 400, sentence: "{key} {problem}" },
  unknownConfigKeys: {
    status: 400,
    sentence: "the following directives in {path} don't match any configuration option: {keys}",
  },
  configTwice: {
    status: 400,
    sentence: "the following directives are specified both as a flag and in the configuration file {path}: {options}",
  },
  dockerdOption: {
    status: 400,
    sentence: "pier has no {option} as dockerd does: {instead}",
    hint: "pier daemon --help",
  },
  unknownOption: { status: 400, sentence: "unknown option {option}", hint: "pier daemon --help" },
  missingValue: { status: 400, sentence: "{option} needs a value", hint: "pier daemon --help" },
  badHost: {
    status: 400,
    sentence: "{host} is nothing that clients could connect to: it is unix://PATH, tcp://ADDRESS:PORT or fd://",
    hint: "pier daemon -H unix:///run/pier/pier.sock",
  },
  hostUnprotected: {
    status: 400,
    sentence: "at {host} whoever reaches it would be root of this machine: clients must prove who they are",
    hint: "pier daemon -H {host} --tlsverify --tlscacert CA --tlscert CERTIFICATE --tlskey KEY; or -H tcp://127.0.0.1",
  },
  badTlsFile: { status: 400, sentence: "what TLS needs cannot be read: {reason}" },
  noSystemdSockets: {
    status: 400,
    sentence: "no sockets were found for fd://: systemd has handed over none",
    hint: "systemctl enable --now pier.socket",
  },
  systemdSocketOpen: {
    status: 400,
    sentence: "of the sockets for fd://, number {number} is not a unix socket",
    hint: "pier daemon -H tcp://ADDRESS --tlsverify --tlscacert CA --tlscert CERTIFICATE --tlskey KEY",
  },
  portNotListened: { status: 400, sentence: "clients cannot connect at {host}: {reason}" },
  badLogLevel: {
    status: 400,
    sentence: "{level} is no log level",
    hint: "pier daemon --log-level debug|info|warn|error",
  },
  badAddressPool: {
    status: 400,
    sentence: "{text} is no pool of addresses",
    hint: "pier daemon --default-address-pool base=10.10.0.0/16,size=24",
  },
  badRuntime: {
    status: 400,
    sentence: "{text} names no runtime and its program",
    hint: "pier daemon --add-runtime crun=/usr/bin/crun",
  },
  reservedRuntime: { status: 400, sentence: "runtime name '{name}' is reserved", hint: "choose another name for it" },
  runtimeType: {
    status: 400,
    sentence: "runtime {name}: runtimeType names a shim of containerd's, which pier does not have",
    hint: "name the program with path",
  },
  noDefaultRuntime: {
    status: 400,
    sentence: "specified default runtime '{name}' does not exist",
    hint: "pier daemon --add-runtime {name}=PATH",
  },
  badLayerFormat: {
    status: 400,
    sentence: "{format} is no way to mount a layer",
    hint: "pier daemon --layer-format {formats}",
  },
  badCount: { status: 400, sentence: "{option} wants a number from 1 to 999, not {text}", hint: "pier daemon --help" },
  socketPathTooLong: { status: 400, sentence: "{path} is too long for the path of a socket (107 bytes)" },
  socketInUse: { status: 500, sentence: "another daemon serves {path}", hint: "stop it first, or choose another -H" },
  notASocket: { status: 500, sentence: "{path} exists and is not a socket" },
} as const;

export const daemonError = errorsFrom(daemonErrors);
