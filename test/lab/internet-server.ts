// Runs inside the lab's internet: node internet-server.ts FOLDER. DNS from hosts.json, plain and
// TLS web servers on every address, and the service of the runner: renewals, logs, artifacts.
import { createSocket } from 'node:dgram';
import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer as createHttp, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createHttps } from 'node:https';
import { createServer as createTcp } from 'node:net';
import { join } from 'node:path';
import packet from 'dns-packet';

const folder = process.argv[2] ?? '.';
const { hosts, resolvers } = JSON.parse(readFileSync(join(folder, 'hosts.json'), 'utf8')) as {
  hosts: Record<string, string[]>;
  resolvers: string[];
};

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

function answer(message: Buffer): Buffer {
  const asked = packet.decode(message);
  const [question] = asked.questions ?? [];
  const name = question?.name.toLowerCase() ?? '';
  say(`dns ${name} ${question?.type}`);
  const isV6 = question?.type === 'AAAA';
  const fitting = (hosts[name] ?? []).filter((address) => address.includes(':') === isV6);
  const isAddress = isV6 || question?.type === 'A';
  return packet.encode({
    type: 'response',
    id: asked.id ?? 0,
    flags: packet.RECURSION_DESIRED | packet.RECURSION_AVAILABLE | (name in hosts ? 0 : 3),
    questions: asked.questions ?? [],
    answers: isAddress
      ? fitting.map((data) => ({ name, type: isV6 ? 'AAAA' : 'A', ttl: 60, data }))
      : [],
  });
}

async function serveDns(address: string): Promise<void> {
  const udp = createSocket(address.includes(':') ? 'udp6' : 'udp4');
  udp.on('message', (message, from) => udp.send(answer(message), from.port, from.address));
  const tcp = createTcp((client) => {
    client.on('error', () => client.destroy());
    client.once('data', (bytes) => {
      const reply = answer(bytes.subarray(2));
      const head = Buffer.alloc(2);
      head.writeUInt16BE(reply.length);
      client.end(Buffer.concat([head, reply]));
    });
  });
  await new Promise<void>((done) => udp.bind(53, address, done));
  await new Promise<void>((done) => tcp.listen(53, address, done));
}

async function body(request: IncomingMessage): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of request) pieces.push(piece as Buffer);
  return Buffer.concat(pieces);
}

/** The twirp calls of the artifact service. */
function artifactCall(path: string): unknown {
  if (path.endsWith('/CreateArtifact')) {
    const url = 'https://productionresultssa7.blob.core.windows.net/artifacts/artifact.zip?sig=lab';
    return { ok: true, signed_upload_url: url };
  }
  return { ok: true, artifact_id: '1' };
}

/** Files of a host's site; a host with a site has nothing else. */
function servePublished(url: URL, response: ServerResponse): boolean {
  const site = join(folder, 'www', url.hostname);
  if (!existsSync(site)) return false;
  const path = join(site, url.pathname, url.pathname.endsWith('/') ? 'index.html' : '');
  if (existsSync(path)) {
    if (path.endsWith('.html')) response.setHeader('content-type', 'text/html');
    response.end(readFileSync(path));
  } else {
    response.statusCode = 404;
    response.end();
  }
  return true;
}

async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? '/', `http://${request.headers.host ?? 'lab'}`);
  const content = await body(request);
  say(
    `web ${request.method} ${request.headers.host} ${url.pathname} ${url.searchParams.get('comp') ?? ''}`,
  );
  if (url.pathname.startsWith('/twirp/')) {
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify(artifactCall(url.pathname)));
    return;
  }
  if (servePublished(url, response)) return;
  if (url.pathname.startsWith('/hook')) {
    appendFileSync(join(folder, 'uploads', 'hook.jsonl'), `${content.toString()}\n`);
    response.end();
    return;
  }
  if (request.method === 'PUT') {
    const name = url.pathname.split('/').at(-1) ?? 'unnamed';
    const file = join(folder, 'uploads', name);
    if (url.searchParams.get('comp') === 'block') appendFileSync(file, content);
    else if (url.searchParams.get('comp') !== 'blocklist') writeFileSync(file, content);
    response.statusCode = 201;
    response.setHeader('x-ms-request-id', 'lab');
    response.end();
    return;
  }
  response.end(`hello from ${request.headers.host}\n`);
}

const tls = {
  key: readFileSync(join(folder, 'server.key')),
  cert: readFileSync(join(folder, 'server.pem')),
};
const onRequest = (request: IncomingMessage, response: ServerResponse) => {
  handle(request, response).catch((error: unknown) => {
    say(`failed ${String(error)}`);
    response.destroy();
  });
};
for (const address of resolvers) await serveDns(address);
for (const address of new Set(Object.values(hosts).flat())) {
  await new Promise<void>((done) => createHttp(onRequest).listen(80, address, done));
  const secure = createHttps({ ...tls, keepAlive: true }, onRequest);
  secure.keepAliveTimeout = 600_000;
  await new Promise<void>((done) => secure.listen(443, address, done));
}
say('ready');
