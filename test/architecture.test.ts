import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { findArchitectureViolations, packageName } from './source/architecture.ts';
import { findImports, parseSource, projectRoot, readSources } from './source/source-text.ts';

describe('architecture', () => {
  const sources = readSources('src');

  it('every import in src keeps the rules of the house', () => {
    assert.deepEqual(findArchitectureViolations(sources), []);
  });

  it('there are imports to judge, type-only ones among them', () => {
    const imports = sources.flatMap(findImports);
    assert.ok(imports.length > 20);
    assert.ok(imports.some((found) => found.isTypeOnly));
  });

  it('every dependency of the package is imported by the sources', () => {
    const manifest: unknown = JSON.parse(readFileSync(path.join(projectRoot, 'package.json'), 'utf8'));
    assert.ok(typeof manifest === 'object' && manifest !== null && 'dependencies' in manifest);
    const used = new Set(sources.flatMap(findImports).map((found) => packageName(found.specifier)));
    const unused = Object.keys(manifest.dependencies ?? {}).filter((name) => !used.has(name));
    assert.deepEqual(unused, []);
  });
});

describe('the rules catch', () => {
  const doors = {
    'src/base/index.ts': '',
    'src/netlink/index.ts': '',
    'src/netlink/libc.ts': '',
    'src/ipvs/index.ts': '',
    'src/ipvs/pure.ts': '',
    'src/ipvs/client.ts': '',
    'src/link/index.ts': '',
    'src/plan/index.ts': '',
  };
  const table: [scenario: string, file: string, text: string, violation: RegExp | undefined][] = [
    ['an import downhill is fine', 'src/plan/a.ts', "import { a } from '../base/index.ts';", undefined],
    ['an import uphill', 'src/ipvs/a.ts', "import { a } from '../plan/index.ts';", /must not know plan/],
    [
      'a type import uphill',
      'src/ipvs/a.ts',
      "import type { A } from '../plan/index.ts';",
      /must not know plan/,
    ],
    ['neighbours of one rank', 'src/link/a.ts', "export { a } from '../ipvs/pure.ts';", /must not know ipvs/],
    [
      'a way in beside the door',
      'src/director/a.ts',
      "import { a } from '../ipvs/client.ts';",
      /through client.ts/,
    ],
    ['a room without a rank', 'src/helpers/a.ts', "import { a } from '../base/index.ts';", /has no rank/],
    ['a file that is not there', 'src/ipvs/a.ts', "import { a } from './missing.ts';", /is no file/],
    ['an import without its ending', 'src/director/a.ts', "import { a } from '../ipvs/index';", /is no file/],
    ['a room that uses its own door', 'src/ipvs/a.ts', "import { a } from './index.ts';", /its own room/],
    ['koffi outside of libc.ts', 'src/netlink/a.ts', "import koffi from 'koffi';", /enters through/],
    ['koffi in libc.ts is fine', 'src/netlink/libc.ts', "import koffi from 'koffi';", undefined],
    ['koffi loaded on the sly', 'src/ipvs/a.ts', "createRequire(url)('koffi');", /loads "koffi"/],
    ['zod outside of api', 'src/plan/a.ts', "import * as z from 'zod';", /enters through src\/api/],
    ['zod in api is fine', 'src/api/a.ts', "import * as z from 'zod';", undefined],
    [
      'undici outside of kube',
      'src/plan/a.ts',
      "import { Agent } from 'undici';",
      /enters through src\/kube/,
    ],
    [
      'client-node loaded where it is needed is fine',
      'src/kube/a.ts',
      "await import('@kubernetes/client-node');",
      undefined,
    ],
    [
      'client-node outside of kube, for a type too',
      'src/director/a.ts',
      "import type { V1Pod } from '@kubernetes/client-node';",
      /enters through src\/kube/,
    ],
    ['pino in cli is fine', 'src/cli/a.ts', "import { pino } from 'pino';", undefined],
    [
      'a package nobody expected',
      'src/cli/a.ts',
      "import x from '@scope/pkg/deep';",
      /"@scope\/pkg" has no entrance/,
    ],
    ['a computed import', 'src/director/a.ts', 'await import(name);', /computed/],
    [
      'a pure room that opens a shell door',
      'src/plan/a.ts',
      "import { a } from '../ipvs/index.ts';",
      /no pure door/,
    ],
    [
      'a pure room that opens a pure door is fine',
      'src/plan/a.ts',
      "import { a } from '../ipvs/pure.ts';",
      undefined,
    ],
    [
      'files in pure code',
      'src/plan/a.ts',
      "import { readFileSync } from 'node:fs';",
      /pure code imports node:fs/,
    ],
    ['isIP in pure code is fine', 'src/base/a.ts', "import { isIP } from 'node:net';", undefined],
    [
      'sockets in pure code',
      'src/base/a.ts',
      "import { isIP, connect } from 'node:net';",
      /imports node:net/,
    ],
    ['timers in pure code', 'src/api/a.ts', 'setTimeout(f, 1);', /uses setTimeout/],
    ['the clock in pure code', 'src/plan/a.ts', 'const now = Date.now();', /uses Date.now/],
    ['a fresh date in pure code', 'src/plan/a.ts', 'const now = new Date();', /uses new Date/],
    ['a date of a given time is fine', 'src/plan/a.ts', 'const then = new Date(nowMs);', undefined],
    ['chance in pure code', 'src/plan/a.ts', 'Math.random();', /uses Math.random/],
    ['the process in pure code', 'src/base/a.ts', 'process.exit(1);', /uses process/],
    [
      'a property named process is fine',
      'src/plan/a.ts',
      'x.process(); const y = { process: 1 };',
      undefined,
    ],
    ['an impure word in a comment is fine', 'src/plan/a.ts', '// Date.now() is not used', undefined],
    [
      'a logger in pure code',
      'src/plan/a.ts',
      "import type { Logger } from '../base/index.ts';",
      /never logs/,
    ],
    ['the environment outside of cli', 'src/director/a.ts', 'const a = process.env.A;', /only cli/],
    ['the environment in cli is fine', 'src/cli/a.ts', 'const a = process.env.A;', undefined],
  ];
  for (const [scenario, file, text, violation] of table) {
    it(scenario, () => {
      const tree = Object.entries({ ...doors, [file]: text }).map(([name, content]) =>
        parseSource(name, content),
      );
      const [found, ...others] = findArchitectureViolations(tree);
      if (violation === undefined) assert.equal(found, undefined);
      else assert.match(found ?? 'no violation', violation);
      assert.ok(others.length <= 1, others.join('\n'));
    });
  }

  it('a pure door that reaches a shell file', () => {
    const tree = [
      parseSource('src/ipvs/pure.ts', "export { a } from './codec.ts';"),
      parseSource('src/ipvs/codec.ts', "import { a } from './client.ts';\nexport { a };"),
      parseSource('src/ipvs/client.ts', "import fs from 'node:fs';\nexport const a = fs;"),
    ];
    assert.deepEqual(findArchitectureViolations(tree), ['src/ipvs/client.ts:1: pure code imports node:fs']);
  });

  it('but not a pure door that names only a type of a shell file', () => {
    const tree = [
      parseSource('src/ipvs/pure.ts', "export type { A } from './client.ts';"),
      parseSource('src/ipvs/client.ts', "import fs from 'node:fs';\nexport type A = typeof fs;"),
    ];
    assert.deepEqual(findArchitectureViolations(tree), []);
  });
});
