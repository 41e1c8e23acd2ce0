/** Times and durations as Docker writes them. */

/** How Go writes the time that never was. */
export const never = "0001-01-01T00:00:00Z";

/** RFC 3339; milliseconds since 1970 in, undefined for never. */
export const formatTime = (milliseconds: number | undefined): string =>
  milliseconds === undefined ? never : new Date(milliseconds).toISOString();

/** `Less than a second`, `About a minute`, `5 days` (docker/go-units, HumanDuration). */
export const formatDuration = (milliseconds: number): string => {
  const seconds = Math.floor(milliseconds / 1000);
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(seconds / 3600 + 0.5);
  if (seconds < 1) return "Less than a second";
  if (seconds === 1) return "1 second";
  if (seconds < 60) return `${seconds} seconds`;
  if (minutes === 1) return "About a minute";
  if (minutes < 60) return `${minutes} minutes`;
  if (hours === 1) return "About an hour";
  if (hours < 48) return `${hours} hours`;
  if (hours < 24 * 7 * 2) return `${Math.floor(hours / 24)} days`;
  if (hours < 24 * 30 * 2) return `${Math.floor(hours / 24 / 7)} weeks`;
  if (hours < 24 * 365 * 2) return `${Math.floor(hours / 24 / 30)} months`;
  return `${Math.floor(seconds / 3600 / 24 / 365)} years`;
};
