/** What pier answers of what a container uses, with Docker's own names (API 1.51). */

export interface CpuStats {
  readonly cpu_usage: {
    /** Nanoseconds. */
    readonly total_usage: number;
    readonly percpu_usage?: readonly number[];
    readonly usage_in_kernelmode: number;
    readonly usage_in_usermode: number;
  };
  readonly system_cpu_usage?: number;
  readonly online_cpus?: number;
  readonly throttling_data: {
    readonly periods: number;
    readonly throttled_periods: number;
    readonly throttled_time: number;
  };
}

export interface BlkioStatEntry {
  readonly major: number;
  readonly minor: number;
  readonly op: string;
  readonly value: number;
}

export interface NetworkStats {
  readonly rx_bytes: number;
  readonly rx_packets: number;
  readonly rx_errors: number;
  readonly rx_dropped: number;
  readonly tx_bytes: number;
  readonly tx_packets: number;
  readonly tx_errors: number;
  readonly tx_dropped: number;
}

/** One of `GET /containers/{id}/stats` */
export interface ContainerStats {
  readonly name: string;
  readonly id: string;
  readonly read: string;
  readonly preread: string;
  readonly num_procs: number;
  readonly storage_stats: object;
  readonly pids_stats: { readonly current?: number; readonly limit?: number };
  readonly blkio_stats: {
    readonly io_service_bytes_recursive: readonly BlkioStatEntry[] | null;
    readonly io_serviced_recursive: readonly BlkioStatEntry[] | null;
    readonly io_queue_recursive: null;
    readonly io_service_time_recursive: null;
    readonly io_wait_time_recursive: null;
    readonly io_merged_recursive: null;
    readonly io_time_recursive: null;
    readonly sectors_recursive: null;
  };
  readonly cpu_stats: CpuStats;
  readonly precpu_stats: CpuStats;
  readonly memory_stats: {
    readonly usage?: number;
    readonly max_usage?: number;
    readonly stats?: Readonly<Record<string, number>>;
    readonly failcnt?: number;
    readonly limit?: number;
  };
  readonly networks?: Readonly<Record<string, NetworkStats>>;
}
