import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { LabDirector } from '../lab/director-process.ts';
import { LabHost, runInLab } from '../lab/host.ts';
import { labPool, virtualService } from './director-objects.ts';

/** A kernel without IPVS. A file of its own, hence a boot of its own: once loaded, the module does not go. */
describe('a kernel without IPVS', () => {
  it('is told in one line with what to do, by every command that needs it', async () => {
    await runInLab(['ip', 'netns', 'add', 'bare']);
    const host = new LabHost('director', 'bare');
    writeFileSync('/proc/sys/kernel/modprobe', '/bin/false');
    const director = new LabDirector(host, {
      'pool.yaml': labPool,
      'web.yaml': virtualService('web', '192.0.2.150'),
    });
    const folders = ['--manifests', director.manifests, '--state-dir', director.stateDirectory];
    for (const argv of [
      ['director', ...folders],
      ['plan', ...folders],
      ['cleanup', ...folders.slice(2)],
    ]) {
      const result = await director.command(argv);
      const error = result.stderr.split('\n').filter((line) => !line.startsWith('{') && line !== '');
      console.log(error.join('\n'));
      assert.equal(result.code, 1, `${argv[0]}: ${result.stdout}${result.stderr}`);
      assert.equal(error.length, 1, `${argv[0]}: ${result.stderr}`);
      assert.match(error[0] ?? '', /no IPVS.*ip_vs.*\[LVS_IPVS_UNAVAILABLE\]/);
    }
    // What needs no kernel works as ever.
    const validate = await director.command(['validate', director.manifests]);
    assert.equal(validate.code, 0, validate.stderr);
  });
});
