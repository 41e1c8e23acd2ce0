/** What can be wrong with a request for a container, in Docker's words where it has some. */
import { errorsFrom } from "../base/errors.ts";

export const requestErrors = {
  // The process.
  noImage: { status: 400, sentence: "no image specified" },
  noCommand: { status: 400, sentence: "no command specified" },
  noExecCommand: { status: 400, sentence: "No exec command specified" },
  emptyConfig: { status: 400, sentence: "config cannot be empty in order to create a container" },
  nulByte: { status: 400, sentence: "invalid request: texts cannot contain a NUL byte" },
  invalidName: {
    status: 400,
    sentence: "Invalid container name ({name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed",
  },
  invalidEnvironment: { status: 400, sentence: "invalid environment variable: {entry}" },
  relativeWorkingDirectory: {
    status: 400,
    sentence: "the working directory '{path}' is invalid, it needs to be an absolute path",
  },
  invalidHostname: { status: 400, sentence: "invalid hostname: {name}" },
  invalidDomainname: { status: 400, sentence: "invalid domain name: {name}" },
  invalidHealthcheck: { status: 400, sentence: "{field} in Healthcheck cannot be {problem}" },
  invalidAnnotation: {
    status: 400,
    sentence: "invalid Annotations: the empty string is not permitted as an annotation key",
  },
  invalidOomScoreAdj: {
    status: 400,
    sentence: "Invalid value {value}, range for oom score adj is [-1000, 1000]",
  },

  // Users: the wording of moby/sys/user.
  noSuchUser: { status: 400, sentence: "unable to find user {user}: no matching entries in passwd file" },
  noSuchGroup: { status: 400, sentence: "unable to find group {group}: no matching entries in group file" },
  idOutOfRange: { status: 400, sentence: "uids and gids must be in range 0-{max}" },
  tooManyGroups: { status: 400, sentence: "user {user} has {count} groups, and the kernel takes no more than {max}" },

  // Mounts.
  invalidVolume: { status: 400, sentence: "invalid volume specification: '{spec}'" },
  invalidVolumeReason: { status: 400, sentence: "invalid volume specification: '{spec}': {reason}" },
  /** Not a 404: clients take that for a missing image, and pull it. */
  noSuchDonor: { status: 400, sentence: "No such container: {name}" },
  invalidVolumesFrom: { status: 400, sentence: "volumes-from must specify the container id: '{text}'" },
  volumeOverFile: {
    status: 400,
    sentence: "cannot mount volume over existing file, file exists {path}",
  },
  invalidMountMode: { status: 400, sentence: "invalid mode: {mode}" },
  invalidMount: { status: 400, sentence: 'invalid mount config for type "{type}": {reason}' },
  rootMount: { status: 400, sentence: "invalid specification: destination can't be '/'" },
  relativeMount: { status: 400, sentence: "invalid mount path: '{path}' mount path must be absolute" },
  protectedMount: {
    status: 400,
    sentence: "cannot mount on {path}: a mount inside /proc could redirect what is written there for the container",
  },
  duplicateMount: { status: 400, sentence: "Duplicate mount point: {path}" },
  invalidTmpfsOption: { status: 400, sentence: 'invalid tmpfs option "{option}"' },
  invalidShmSize: { status: 400, sentence: "SHM size can not be less than 0" },
  notShared: { status: 400, sentence: "path {path} is mounted on {mount} but it is not a shared mount" },
  notSharedOrSlave: {
    status: 400,
    sentence: "path {path} is mounted on {mount} but it is not a shared or slave mount",
  },

  // Copies.
  noArchivePath: { status: 400, sentence: "bad parameter: path cannot be empty" },
  noSuchFile: { status: 404, sentence: "Could not find the file {path} in container {name}" },
  notADirectory: { status: 400, sentence: "extraction point is not a directory" },
  archiveOutside: { status: 400, sentence: '"{name}" is outside of "{directory}"' },
  rootReadonly: { status: 403, sentence: "container rootfs is marked read-only" },
  volumeReadonly: { status: 403, sentence: "mounted volume is marked read-only" },
  directoryKept: { status: 400, sentence: 'cannot overwrite directory "{path}" with non-directory "{directory}"' },
  fileKept: { status: 400, sentence: 'cannot overwrite non-directory "{path}" with directory "{directory}"' },
  putFailed: { status: 500, sentence: "{path} cannot be written: {reason}" },

  // Resources.
  invalidResource: { status: 400, sentence: "{problem}" },
  cpuRange: {
    status: 400,
    sentence: "Range of CPUs is from 0.01 to {cpus}.00, as there are only {cpus} CPUs available",
  },
  invalidCpuset: { status: 400, sentence: "Invalid value {value} for cpuset {kind}" },
  unavailableCpus: {
    status: 400,
    sentence: "Requested CPUs are not available - requested {asked}, available: {available}",
  },
  unavailableMemoryNodes: {
    status: 400,
    sentence: "Requested memory nodes are not available - requested {asked}, available: {available}",
  },
  invalidUlimit: {
    status: 400,
    sentence: "ulimit soft limit must be less than or equal to hard limit: {soft} > {hard}",
  },
  invalidKeys: { status: 400, sentence: "Invalid {what} keys ({keys}) provided" },
  invalidCgroupParent: { status: 400, sentence: "invalid cgroup parent: {path}" },
  invalidDeviceMode: { status: 400, sentence: "invalid device mode: {mode}" },
  invalidDeviceRule: { status: 400, sentence: "invalid device cgroup rule format: '{rule}'" },
  noDevice: {
    status: 400,
    sentence: 'error gathering device information while adding custom device "{path}": {reason}',
  },

  // Restarting.
  invalidRestartPolicy: { status: 400, sentence: "invalid restart policy: {problem}" },
  restartAndRemove: { status: 400, sentence: "can't create 'AutoRemove' container with restart policy" },

  // Updates.
  updateConflict: { status: 409, sentence: "{problem}" },
  updateAutoRemove: {
    status: 409,
    sentence: "Restart policy cannot be updated because AutoRemove is enabled for the container",
  },
  updateDead: { status: 409, sentence: 'Container is marked for removal and cannot be "update".' },
  updateFailed: { status: 500, sentence: "Cannot update container {id}: {what}: {reason}" },
  updateCpuset: {
    status: 409,
    sentence: "container {id} was started without a cpuset, and version 1 of control groups cannot give it one later",
    hint: "pier stop {id}, then update and start it",
  },

  // Security.
  invalidCapability: { status: 400, sentence: "invalid {field}: {reason}" },
  invalidSecurityOption: { status: 400, sentence: 'invalid --security-opt: "{option}"' },
  invalidSeccomp: { status: 400, sentence: "decoding seccomp profile failed: {reason}" },
  invalidSysctl: { status: 400, sentence: "invalid sysctl: {name}" },
  invalidSysctlValue: { status: 400, sentence: "invalid value of sysctl {name}" },
  sysctlNotNamespaced: { status: 400, sentence: 'sysctl "{name}" is not in a separate kernel namespace' },
  sysctlHostNamespace: { status: 400, sentence: 'sysctl "{name}" not allowed in host {namespace} namespace' },
  sysctlHostname: {
    status: 400,
    sentence: 'sysctl "{name}" is not allowed as it conflicts with the hostname: use it instead',
  },

  // Namespaces and the network.
  invalidMode: { status: 400, sentence: "invalid {namespace} mode: {mode}" },
  conflict: { status: 400, sentence: "conflicting options: {options}" },
  invalidPort: { status: 400, sentence: 'invalid port specification: "{port}"' },
  sctpOnLoopback: {
    status: 501,
    sentence: "nothing passes SCTP on from the host's loopback address {address}: only the kernel does, at others",
    hint: "pier run -p 80:80/sctp IMAGE",
  },
  invalidExtraHost: { status: 400, sentence: 'bad format for add-host: "{entry}"' },
  invalidExtraHostAddress: { status: 400, sentence: 'invalid IP address in add-host: "{address}"' },
  invalidDns: { status: 400, sentence: "IP address is not correctly formatted: {address}" },
  invalidDnsOption: { status: 400, sentence: "invalid DNS option or search domain: {entry}" },
  invalidMac: { status: 400, sentence: "invalid MAC address: {address}" },
  addressNotSupported: {
    status: 400,
    sentence: "user specified IP address is supported on user defined networks only",
  },
  invalidAddress: { status: 400, sentence: "invalid {family} address: {address}" },
  invalidInterface: { status: 400, sentence: "{name} is no name for an interface" },
  sharedNetwork: {
    status: 400,
    sentence:
      "container sharing network namespace with another container or host cannot be connected to any other network",
  },
  privateNetwork: {
    status: 400,
    sentence: "container cannot be connected to multiple networks with one of the networks in private (none) mode",
  },
  invalidLink: { status: 400, sentence: "bad format for links: {link}" },
  linkUnknown: { status: 400, sentence: "could not get container for {name}: No such container: {name}" },
  linkToHost: {
    status: 400,
    sentence:
      "conflicting options: host type networking can't be used with links. This would result in undefined behavior",
  },
  linkIsName: {
    status: 409,
    sentence: "Conflict, cannot remove the default link name of the container",
    hint: "pier rm {name}",
  },
  linkStopped: {
    status: 409,
    sentence: "Cannot link to a non running container: /{name} AS {link}",
    hint: "pier start {name}",
  },
  linkElsewhere: {
    status: 409,
    sentence: "container {name} is not attached to the default bridge network",
    hint: "pier network connect bridge {name}",
  },
  joinNetworkStopped: { status: 409, sentence: "cannot join network of a non running container: {id}" },
  aliasNotSupported: {
    status: 400,
    sentence: "network-scoped aliases are only supported for user-defined networks",
  },

  // Logs.
  invalidLogOption: { status: 400, sentence: "{problem}" },
  logNotSent: { status: 500, sentence: "failed to initialize logging driver: {reason}" },
  logsNotKept: { status: 501, sentence: "configured logging driver does not support reading" },

  // The life of a container.
  noSuchContainer: { status: 404, sentence: "No such container: {name}" },
  ambiguousPrefix: { status: 400, sentence: "multiple IDs found with provided prefix: {name}" },
  nameTaken: {
    status: 409,
    sentence:
      'Conflict. The container name "/{name}" is already in use by container "{id}". You have to remove (or rename) that container to be able to reuse that name.',
  },
  notRunning: { status: 409, sentence: "container {id} is not running" },
  isPaused: { status: 409, sentence: "Container {id} is paused, unpause the container before {what}" },
  alreadyPaused: { status: 409, sentence: "Container {id} is already paused" },
  pauseStopped: { status: 409, sentence: "Container {id} is not running" },
  notPaused: { status: 500, sentence: "Container {id} is not paused" },
  notFreezable: { status: 500, sentence: "Cannot {what} container {id}: {reason}" },
  startPaused: { status: 409, sentence: "cannot start a paused container, try unpause instead" },
  isRestarting: { status: 409, sentence: "Container {id} is restarting, wait until the container is running" },
  cannotKill: { status: 409, sentence: "cannot kill container: {name}: container {id} is not running" },
  signalRefused: { status: 500, sentence: "cannot kill container: {name}: {reason}" },
  removePaused: {
    status: 409,
    sentence: 'cannot remove container "{name}": container is paused and must be unpaused first',
    hint: "pier unpause {name}",
  },
  removeRunning: {
    status: 409,
    sentence:
      'cannot remove container "{name}": container is {state}: stop the container before removing or force remove',
  },
  notRemoved: {
    status: 500,
    sentence: "unable to remove filesystem of container {name}: {reason}",
    hint: "docker rm {name}",
  },
  dead: { status: 409, sentence: "container is marked for removal and cannot be started", hint: "docker rm {name}" },
  removing: { status: 409, sentence: "removal of container {name} is already in progress" },
  relativeDirectory: {
    status: 400,
    sentence: "OCI runtime exec failed: exec failed: Cwd must be an absolute path: {path}",
  },
  cannotStart: { status: 400, sentence: "{reason}" },
  runtimeFailed: { status: 500, sentence: "{reason}" },
  startFailed: {
    status: 500,
    sentence: "failed to start container: {what}: {reason}",
    hint: "pier run --explain shows every step",
  },
  noSuchExec: { status: 404, sentence: "No such exec instance: {id}" },
  execStarted: { status: 409, sentence: "exec command {id} has already run" },
  execNotRunning: { status: 409, sentence: "container {id} is not running: it cannot run another command" },
  joinStopped: { status: 409, sentence: "cannot join namespace of a non running container: {id}" },
  ipcNotShared: {
    status: 400,
    sentence:
      "can't join IPC of container {id}: non-shareable IPC (hint: use IpcMode:shareable for the donor container)",
  },
  sameName: { status: 400, sentence: "Renaming a container with the same name as its current name" },
  noTerminal: { status: 409, sentence: "container {id} has no terminal to resize" },
  noProcessList: { status: 500, sentence: "the processes of {name} could not be listed: {reason}" },

  layersUnmountable: {
    status: 500,
    sentence: "this host cannot mount the layers of images ({reason})",
    hint: "modprobe -a erofs loop",
  },
  layerUnmountable: { status: 500, sentence: "layer {diffId} cannot be mounted: {reason}" },

  // What a later version brings.
  notSupported: { status: 501, sentence: "{what} is not supported by this version of pier" },
  unknownRuntime: {
    status: 400,
    sentence: "unknown or invalid runtime name: {name}",
    hint: "leave --runtime out: pier runs containers itself; or name its program under runtimes in daemon.json",
  },
  runtimeMissing: {
    status: 400,
    sentence:
      'failed to create task for container: failed to create shim task: OCI runtime create failed: exec: "{program}": executable file not found in $PATH: unknown',
    hint: "apt install {program}",
  },
  notPublished: {
    status: 404,
    sentence: "no port {port} of the host is published by container {container}",
    hint: "pier port {container}",
  },
  publishNeedsNetwork: { status: 400, sentence: "container {name} has no network of its own to publish ports of" },
  keeperTooOld: {
    status: 409,
    sentence: "container {name} was started by an older pier, which cannot change it while it runs",
    hint: "pier stop {name}, and start it again",
  },
} as const;

export const containerError = errorsFrom(requestErrors);
