// bpf(2) for tests that play root, in Python.

/** bpf(2) by number (linux/bpf.h). */
export const BPF = `
import ctypes, os, socket, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
def bpf(cmd, attr):
    b = ctypes.create_string_buffer(attr + bytes(128 - len(attr)), 128)
    r = libc.syscall(${process.arch === 'x64' ? 321 : 280}, cmd, b, 128)
    if r < 0: raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return r
def at(buffer): return ctypes.addressof(buffer)
def get(path):
    p = ctypes.create_string_buffer(path.encode())
    return bpf(7, struct.pack('<QII', at(p), 0, 0))
def detach(path): bpf(34, struct.pack('<I', get(path)))
def lookup(fd, key, size):
    k, v = ctypes.create_string_buffer(key, len(key)), ctypes.create_string_buffer(size)
    bpf(1, struct.pack('<IIQQQ', fd, 0, at(k), at(v), 0)); return v.raw
def update(fd, key, value):
    k, v = ctypes.create_string_buffer(key, len(key)), ctypes.create_string_buffer(value, len(value))
    bpf(2, struct.pack('<IIQQQ', fd, 0, at(k), at(v), 0))
`;

/** A program of two instructions that returns a result (linux/bpf.h: its type by number), as `prog`. */
export function program(type: number, result: number): string {
  return `
code = ctypes.create_string_buffer(bytes.fromhex('b70000000${result}0000009500000000000000'), 16)
name = ctypes.create_string_buffer(b'GPL')
prog = bpf(5, struct.pack('<IIQQ', ${type}, 2, at(code), at(name)))`;
}
