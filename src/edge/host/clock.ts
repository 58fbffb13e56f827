// The clocks of the daemon. CLOCK_MONOTONIC, as the kernel's grants count.

/** Milliseconds of CLOCK_MONOTONIC. */
export function nowMs(): number {
  return Number(process.hrtime.bigint() / 1000n) / 1000;
}

/** Nanoseconds of CLOCK_MONOTONIC. */
export function nowNs(): bigint {
  return process.hrtime.bigint();
}

/** Resolves after `ms`; the timer keeps nothing alive. */
export function after(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref());
}

/** Calls `work` every `ms` for as long as the process lives. */
export function every(ms: number, work: () => void): void {
  setInterval(work, ms);
}
