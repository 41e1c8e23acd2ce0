/** A volume as Docker's API has it. */
import type { VolumeAnswer } from "../../api/answers/volumes.ts";
import { localDriver, type VolumeRecord } from "../../volume/record.ts";

export const volumeAnswer = ({ name, created, labels, options }: VolumeRecord, mountpoint: string): VolumeAnswer => ({
  // Docker tells seconds here.
  CreatedAt: `${new Date(created).toISOString().slice(0, 19)}Z`,
  Driver: localDriver,
  Labels: labels,
  Mountpoint: mountpoint,
  Name: name,
  Options: options,
  Scope: "local",
});
