/** What one archive may ask of its reader; every limit stands against memory or time that hostile headers could claim. */
export interface TarLimits {
  readonly entries: number;
  /** Bytes of a path or link target. The kernel's own limit for a path is 4,095, so nothing longer could be opened. */
  readonly pathBytes: number;
  /** Bytes of one entry's PAX, GNU name and sparse-map headers together; also of all global records. */
  readonly headerBytes: number;
}

export const defaultTarLimits: TarLimits = {
  entries: 5_000_000,
  pathBytes: 4095,
  // As Go's archive/tar, so Docker, allows for one such header.
  headerBytes: 1024 * 1024,
};
