# An attempt: python3 -c THIS TO MARKER SCRIPT. Says `sent`, or what the kernel answered. The script
# has the destination as TO, the marker as M, and what packets are made of by hand.
import ctypes, os, socket, struct, sys, time

TO, M = sys.argv[1], sys.argv[2].encode()
OWN4, OWN6 = "192.0.2.2", "2001:db8::2"
SPORT = 30000 + os.getpid() % 30000  # a flow of its own each time: one flow has one record


def ipv4(proto, payload, to=None, src=OWN4, options=b"", ihl=None, total=None, fragment=0):
    ihl = 5 + len(options) // 4 if ihl is None else ihl
    total = 20 + len(options) + len(payload) if total is None else total
    head = struct.pack(">BBHHHBBH4s4s", 0x40 | ihl, 0, total, SPORT, fragment, 64, proto, 0,
                       socket.inet_aton(src), socket.inet_aton(to or TO)) + options
    words = struct.unpack(f">{len(head) // 2}H", head)
    s = sum(words)
    while s >> 16:
        s = (s >> 16) + (s & 0xFFFF)
    return head[:10] + struct.pack(">H", ~s & 0xFFFF) + head[12:] + payload


def ipv6(proto, payload, to=None, src=OWN6, length=None):
    length = len(payload) if length is None else length
    return struct.pack(">IHBB16s16s", 6 << 28, length, proto, 64,
                       socket.inet_pton(10, src), socket.inet_pton(10, to or TO)) + payload


def udp(payload, port=9, length=None):
    return struct.pack(">HHHH", SPORT, port, 8 + len(payload) if length is None else length, 0) + payload


def tcp(payload=b"", port=443, flags=2, options=b"", doff=None):
    options += bytes(-len(options) % 4)
    doff = 5 + len(options) // 4 if doff is None else doff
    return struct.pack(">HHIIBBHHH", SPORT, port, 1, 1, doff << 4, flags, 1024, 0, 0) + options + payload


def frame(kind, payload, device="up0"):
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    s.bind((device, 0))
    s.send(b"\xff" * 6 + s.getsockname()[4] + kind + payload)


def frame4(packet): frame(b"\x08\0", packet)
def frame6(packet): frame(b"\x86\xdd", packet)


# raw sockets whose headers are the sender's own
def raw4(packet): socket.socket(2, socket.SOCK_RAW, 255).sendto(packet, (TO, 0))
def raw6(packet): socket.socket(10, socket.SOCK_RAW, 255).sendto(packet, (TO, 0))


# raw sockets of one protocol
def proto4(proto, payload): socket.socket(2, socket.SOCK_RAW, proto).sendto(payload, (TO, 0))
def proto6(proto, payload): socket.socket(10, socket.SOCK_RAW, proto).sendto(payload, (TO, 0))


def datagram(family=2): return socket.socket(family, socket.SOCK_DGRAM)


def stream(port=443, kind=socket.SOCK_STREAM, proto=0, to=None):
    s = socket.socket(10 if ":" in (to or TO) else 2, kind, proto)
    s.settimeout(1)
    s.connect((to or TO, port))
    s.sendall(M)


try:
    exec(sys.argv[3])
except OSError as e:
    print(type(e).__name__, e.errno)
else:
    print("sent")
