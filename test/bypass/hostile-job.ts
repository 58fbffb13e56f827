// A job that wants its own words read as ours: names of processes and of hosts made of what a log, a
// summary or a console might take for markup or a command.

/** Names of processes, 15 bytes at most, as Python bytes. */
const COMMS = [
  ['::error::x'],
  ['##[add-mask]a'],
  ['::stop-commands'],
  ['<img src=x>'],
  ['</td></table>'],
  ['[x](http://e)'],
  ['`|`|**b**'],
  ['<!--'],
  ['\\n::warning::'],
  ['%0A::error::'],
  ['\\xe2\\x80\\xae#\\xe2\\x80\\x8b#[x'],
  ['\\xff\\xfe\\x1b[2J'],
  ['www.evil.test'],
  ['@everyone #1'],
  ['~~~\\n```'],
] as const;

/** Labels of names, as Python bytes. */
const LABELS = [
  '<img src=x onerror=alert(1)>',
  '</td></tr></table>',
  '::stop-commands::x',
  '##[add-mask]a',
  '[x](http://evil.test)',
  'http://evil.test',
  '`|`|**b**',
  '\\n::error::x\\n',
  '\\xe2\\x80\\xae\\xe2\\x80\\x8b##\\xe2\\x80\\x8b[error]',
  '\\xff\\xfe\\x1b[2J\\x07',
  '<!--',
  '@octocat',
  '%0A##[error]x',
] as const;

/** Each process is refused a connection and asks for each name. */
export const HOSTILE_JOB = `
import ctypes, os, socket, struct
libc = ctypes.CDLL(None)
comms = [${COMMS.map(([comm]) => `b'${comm}'`).join(', ')}]
labels = [${LABELS.map((label) => `b'${label}'`).join(', ')}]
def question(label): return struct.pack('>6H', 7, 256, 1, 0, 0, 0) + bytes([len(label)]) + label + b'\\4evil\\4test\\0\\0\\1\\0\\1'
for index, comm in enumerate(comms):
    libc.prctl(15, comm, 0, 0, 0)
    t = socket.socket(); t.settimeout(1)
    try: t.connect(('203.0.113.%d' % (index + 1), 443)); print('connected')
    except OSError: pass
    u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.settimeout(2); u.connect(('192.0.2.53', 53))
    for label in labels[index % len(labels)::7]:
        u.send(question(label)); u.recv(512)
print('tried', len(comms), len(labels))
`;
