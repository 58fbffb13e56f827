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

/** The maps of our programs, by name: id, type, sizes of key and value; and a descriptor of one. */
export const MAPS = `
def info(fd, size=256):
    b = ctypes.create_string_buffer(size)
    bpf(15, struct.pack('<IIQ', fd, size, at(b))); return b.raw
def maps():
    found = {}
    names = [n for n in os.listdir('/run/cargowall/bpf') if n.startswith(('program_', 'link_'))]
    for n in names:
        fd = get('/run/cargowall/bpf/' + n)
        if n.startswith('link_'): fd = bpf(13, struct.pack('<I', struct.unpack_from('<I', info(fd), 8)[0]))
        ids = ctypes.create_string_buffer(4 * 64); b = ctypes.create_string_buffer(256)
        struct.pack_into('<IQ', b, 52, 64, at(ids))
        bpf(15, struct.pack('<IIQ', fd, 256, at(b)))
        for id in struct.unpack_from('<%dI' % struct.unpack_from('<I', b, 52)[0], ids):
            m = info(bpf(14, struct.pack('<I', id)))
            kind, id, key, value = struct.unpack_from('<IIII', m)
            found[m[24:40].split(b'\\0')[0].decode()] = (id, kind, key, value)
    return found
def insn(op, dst=0, src=0, off=0, imm=0): return struct.pack('<BBhi', op, dst | src << 4, off, imm)
def load(code, kind=1):
    c, license = ctypes.create_string_buffer(code, len(code)), ctypes.create_string_buffer(b'GPL')
    return bpf(5, struct.pack('<IIQQ', kind, len(code) // 8, at(c), at(license)))
def writer(fd):
    'A program that writes zeros into a map'
    code = b''.join(insn(0x7a, 10, off=-8 * n) for n in range(1, 33))
    code += insn(0x18, 1, 1, imm=fd) + insn(0) + insn(0xbf, 2, 10) + insn(7, 2, imm=-256) + insn(0xbf, 3, 10)
    code += insn(7, 3, imm=-136) + insn(0xb7, 4) + insn(0x85, imm=2) + insn(0xb7, 0) + insn(0x95)
    return load(code)
`;
