// Posts JSON to addresses that were looked up and opened before: the host's name is for TLS and the
// Host header only, nothing is looked up here.
import { readFileSync } from 'node:fs';
import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import type { LookupFunction } from 'node:net';
import { rootCertificates } from 'node:tls';
import { type Address, isIPv4, printAddress } from '../../core/net/address.ts';

const TIMEOUT_MS = 10_000;
/** Where distributions keep their CAs: an own webhook may have one of the machine's. */
const CA_BUNDLES = ['/etc/ssl/certs/ca-certificates.crt', '/etc/pki/tls/certs/ca-bundle.crt'];

function machineCertificates(): readonly string[] {
  return CA_BUNDLES.flatMap((path) => {
    try {
      return [readFileSync(path, 'utf8')];
    } catch {
      return [];
    }
  });
}

function lookupOf(addresses: readonly Address[]): LookupFunction {
  const found = addresses.map((address) => ({
    address: printAddress(address),
    family: isIPv4(address) ? 4 : 6,
  }));
  return (_host, options, callback) => {
    const [first] = found;
    if (first === undefined) callback(new Error('the webhook has no address'), '', 0);
    else if (options.all === true) callback(null, found);
    else callback(null, first.address, first.family);
  };
}

/** Resolves on a 2xx answer within ten seconds; redirects are not followed. */
export function postJson(url: URL, addresses: readonly Address[], body: string): Promise<void> {
  const isTls = url.protocol === 'https:';
  return new Promise((resolve, reject) => {
    const options = {
      method: 'POST',
      agent: false,
      lookup: lookupOf(addresses),
      signal: AbortSignal.timeout(TIMEOUT_MS),
      headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) },
    };
    const request = isTls
      ? requestHttps(url, { ...options, ca: [...rootCertificates, ...machineCertificates()] })
      : requestHttp(url, options);
    request.on('error', reject);
    request.on('response', (response) => {
      const { statusCode = 0 } = response;
      response.destroy();
      if (statusCode >= 200 && statusCode < 300) resolve();
      else reject(new Error(`the webhook answered ${statusCode}`));
    });
    request.end(body);
  });
}
