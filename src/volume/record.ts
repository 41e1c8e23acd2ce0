/** What the database keeps of a volume. */
import { volumeError } from "./errors.ts";

export interface VolumeRecord {
  readonly name: string;
  /** Milliseconds since 1970. */
  readonly created: number;
  /** null: none were ever given. */
  readonly labels: Readonly<Record<string, string>> | null;
  /** The options of the driver as written. */
  readonly options: Readonly<Record<string, string>> | null;
}

/** What somebody asks for; a volume of that name is taken as it is. */
export interface VolumeRequest {
  readonly name: string;
  readonly driver: string;
  readonly labels: Readonly<Record<string, string>> | null;
  readonly options: Readonly<Record<string, string>> | null;
}

export interface VolumeEvent {
  readonly action: "create" | "destroy";
  readonly name: string;
}

/** Where what is behind a volume lies on the host, and with what options it is bound from there. */
export interface VolumePlace {
  readonly path: string;
  readonly options: readonly string[];
}

/** The only driver there is. */
export const localDriver = "local";

/** The label by which a volume is known that nobody gave a name. */
export const anonymousLabel = "com.docker.volume.anonymous";

export const isAnonymous = ({ labels }: VolumeRecord): boolean =>
  labels !== null && Object.hasOwn(labels, anonymousLabel);

/** A name is a directory's too: nothing in it leads anywhere. */
export const checkVolumeName = (name: string): void => {
  if (name.length === 1) throw volumeError("shortVolumeName", { name });
  if (name.length > 255) throw volumeError("longVolumeName", { name: `${name.slice(0, 32)}…` });
  if (!isVolumeName(name)) throw volumeError("invalidVolumeName", { name });
};

export const isVolumeName = (name: string): boolean => /^[a-zA-Z0-9][a-zA-Z0-9_.-]{1,254}$/.test(name);
