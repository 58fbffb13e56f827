// Where the allowed connections of the benches lead.
import { SERVER4 } from '../test/lab/lab.ts';

/** Accepts and closes. */
export const PORT = 9443;
/** Reads all that comes. */
export const BULK_PORT = 9444;

/** The server, for a lab's internet. */
export const SINK = `
import socket, threading
l = socket.socket(); l.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
l.bind(('${SERVER4}', ${PORT})); l.listen(4096); print('ready', flush=True)
def drain(at):
    while True:
        c, _ = at.accept()
        while c.recv(1 << 20): pass
b = socket.socket(); b.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
b.bind(('${SERVER4}', ${BULK_PORT})); b.listen(16)
threading.Thread(target=drain, args=(b,), daemon=True).start()
while True:
    c, _ = l.accept(); c.close()
`;
