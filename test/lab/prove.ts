// main's part of the proof in the lab: node prove.ts '{"stage":"flipped",…}' prints the line for the
// daemon.
import { type ProofNames, proofLine, tryProof } from '../../src/action/prove.ts';
import { tryConnect, tryQuestion, trySend } from '../../src/edge/host/proof-attempts.ts';

const { proof } = JSON.parse(process.argv[2] ?? '') as { proof: ProofNames };
const attempts = { connect: tryConnect, send: trySend, ask: tryQuestion };
process.stdout.write(`${proofLine(await tryProof(proof, attempts))}\n`);
