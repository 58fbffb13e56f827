const decoder = new TextDecoder();

/** A process name of the kernel's: up to the first NUL, bytes that are not UTF-8 as U+FFFD. */
export function decodeComm(bytes: Uint8Array): string {
  const codes: number[] = [];
  for (const byte of bytes) {
    if (byte === 0) break;
    if (byte >= 0x80) return decodeWide(bytes);
    codes.push(byte);
  }
  return String.fromCharCode.apply(null, codes);
}

function decodeWide(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return decoder.decode(end < 0 ? bytes : bytes.subarray(0, end));
}
