/** What can go wrong with volumes, in Docker's words where it has some (moby, volume/service and volume/local). */
import { errorsFrom } from "../base/errors.ts";

export const volumeErrors = {
  noSuchVolume: { status: 404, sentence: "get {name}: no such volume" },
  volumeInUse: { status: 409, sentence: "remove {name}: volume is in use - [{users}]" },
  shortVolumeName: {
    status: 400,
    sentence: "create {name}: volume name is too short, names should be at least two alphanumeric characters",
  },
  invalidVolumeName: {
    status: 400,
    sentence:
      'create {name}: "{name}" includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path',
  },
  longVolumeName: {
    status: 400,
    sentence: "create {name}: volume name is too long, names have at most 255 characters",
  },
  noVolumeDriver: {
    status: 404,
    sentence: 'create {name}: error looking up volume plugin {driver}: plugin "{driver}" not found',
  },
  invalidVolumeOption: { status: 400, sentence: "create {name}: {reason}" },
  volumeNotMounted: {
    status: 500,
    sentence: "error while mounting volume '{name}': failed to mount local volume: mount {device}: {reason}",
  },
  volumeNotRemoved: { status: 500, sentence: "remove {name}: {reason}", hint: "docker volume rm {name}" },
} as const;

export const volumeError = errorsFrom(volumeErrors);
