// Waits with a common limit: a word in time ends them and leaves nothing behind, none ends them at the limit.
import { expect, test, vi } from 'vitest';
import { Patience } from '../../src/daemon/patience.ts';

function clockOf() {
  return {
    nowMs: () => Date.now(),
    after: (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms)),
    soon: (action: () => void) => queueMicrotask(action),
  };
}

test('a word in time ends the wait at once, as it was said', async () => {
  vi.useFakeTimers();
  try {
    const patience = new Patience(clockOf(), 1500);
    await patience.wait(Promise.resolve('heard'));
    await expect(patience.wait(Promise.reject(new Error('no')))).rejects.toThrow('no');
    await vi.advanceTimersByTimeAsync(400);
    expect(vi.getTimerCount()).toBe(0);
  } finally {
    vi.useRealTimers();
  }
});

test('thousands that wait have one timer, and end within a quarter of the limit behind it', async () => {
  vi.useFakeTimers();
  try {
    const patience = new Patience(clockOf(), 1500);
    let ended = 0;
    for (let n = 0; n < 5000; n++) {
      void patience.wait(new Promise(() => {})).then(() => ended++);
    }
    expect(vi.getTimerCount()).toBe(1);
    await vi.advanceTimersByTimeAsync(1499);
    expect(ended).toBe(0);
    await vi.advanceTimersByTimeAsync(376);
    expect(ended).toBe(5000);
    expect(vi.getTimerCount()).toBe(0);
  } finally {
    vi.useRealTimers();
  }
});
