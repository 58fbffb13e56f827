// The clocks of the daemon. CLOCK_MONOTONIC, as the kernel's grants count.

/** What performance.now() counts from, in milliseconds of CLOCK_MONOTONIC. */
const originMs = Number(process.hrtime.bigint() / 1000n) / 1000 - performance.now();

/** Milliseconds of CLOCK_MONOTONIC. */
export function nowMs(): number {
  return originMs + performance.now();
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

/** Calls `run` once what has arrived already is worked off. */
export function soon(run: () => void): void {
  setImmediate(run);
}
