// The post step: builds the edges, seals the session main has started.
import { sealSession } from './action/seal-session.ts';
import { parseSavedSession, STATE_KEY } from './action/session-files.ts';
import { uploadArtifact } from './edge/github/artifact.ts';
import { readRunnerContext } from './edge/github/runner-context.ts';
import { log, state, writeSummary } from './edge/github/workflow-commands.ts';
import { askControl } from './edge/host/control-socket.ts';
import { readText, writeReportFiles } from './edge/host/report-files.ts';

async function post(): Promise<void> {
  const saved = parseSavedSession(state.get(STATE_KEY));
  if (saved === undefined) {
    log.info('cargowall did not start in this job: there is nothing to report.');
    return;
  }
  // biome-ignore lint/style/noProcessEnv: a root reads the environment once
  const { temp } = readRunnerContext(process.env);
  await sealSession(saved, {
    log,
    ask: askControl,
    readLog: readText,
    writeSummary,
    writeFiles: (files) => writeReportFiles(temp, files),
    upload: uploadArtifact,
  });
}

post().catch((error: unknown) => {
  log.fail(
    `cargowall: the report failed: ${error instanceof Error ? error.message : String(error)}`,
  );
});
