/**
 * A queue whose command waits at a gate until the test opens it: so a job stands still where a test wants to look.
 */

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Reports on its job, waits for the file that the job's data names, and then does what they say. */
const program = `
import { existsSync } from 'node:fs';
const chunks = [];
for await (const chunk of process.stdin) chunks.push(chunk);
const { data } = JSON.parse(Buffer.concat(chunks));
const say = (said) => console.log(JSON.stringify(said));
say({ progress: 40, stage: 'reading', message: 'Reading ' + (data.what ?? 'it') });
while (data.gate && !existsSync(data.gate)) await new Promise((resume) => setTimeout(resume, 10));
say({ progress: 80, stage: 'writing', message: 'Writing it down' });
if (data.fails) {
  console.error(data.fails);
  process.exit(3);
}
say({ result: { pages: 7 } });
`;

export class GatedQueue {
  /** Makes the settings of a queue `gated`; start the server with `flags`. */
  async start() {
    this.directory = await mkdtemp(join(tmpdir(), 'tidings-gated-'));
    await writeFile(join(this.directory, 'work.mjs'), program);
    const settings = `[queue.gated]\ncommand = [${JSON.stringify(process.execPath)}, "work.mjs"]\nconcurrency = 2\nattempts = 1\n`;
    await writeFile(join(this.directory, 'tidings.toml'), settings);
    this.flags = ['--config', join(this.directory, 'tidings.toml')];
    return this;
  }

  /** The name of a gate that is closed. */
  gate(name) {
    return join(this.directory, `gate-${name}`);
  }

  open(name) {
    return writeFile(this.gate(name), '');
  }

  stop() {
    return rm(this.directory, { recursive: true, force: true });
  }
}
