/** What came of requests since the last time somebody asked. Shared by the program and its driver. */
export interface LoadCounts {
  readonly answered: number;
  readonly failed: number;
  readonly byServer: Readonly<Record<string, number>>;
  readonly p50Ms: number;
  readonly p99Ms: number;
}
