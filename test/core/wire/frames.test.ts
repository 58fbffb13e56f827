import fc from 'fast-check';
import { expect, test } from 'vitest';
import { encodeFrame, FRAME_MAX, FrameError, FrameReader } from '../../../src/core/wire/frames.ts';

const payloads = fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 20 });

test('frames come back whole and in order, however the stream is cut', () => {
  fc.assert(
    fc.property(payloads, fc.array(fc.integer({ min: 1, max: 400 })), (sent, cuts) => {
      const stream = sent.flatMap((payload, index) => [...encodeFrame(index + 1, index, payload)]);
      const reader = new FrameReader();
      const got = [];
      let at = 0;
      for (const cut of [...cuts, stream.length]) {
        got.push(...reader.take(Uint8Array.from(stream.slice(at, at + cut))));
        at += cut;
      }
      expect(got.map(({ type, seq }) => [type, seq])).toEqual(sent.map((_, i) => [i + 1, i]));
      expect(got.map(({ payload }) => [...payload])).toEqual(sent.map((one) => [...one]));
    }),
  );
});

test('a length above the limit is a fault at once', () => {
  const head = new Uint8Array(12);
  new DataView(head.buffer).setUint32(0, FRAME_MAX + 1, true);
  expect(() => new FrameReader().take(head)).toThrow(FrameError);
  expect(() => encodeFrame(1, 1, new Uint8Array(FRAME_MAX + 1))).toThrow(FrameError);
});
