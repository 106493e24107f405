import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

/** A folder that is gone after the test. Files by relative path; folders between are made. */
export function temporaryFolder(files: Readonly<Record<string, string | Uint8Array>> = {}): {
  readonly path: string;
  write(name: string, content: string | Uint8Array): void;
  [Symbol.dispose](): void;
} {
  const path = mkdtempSync(join(tmpdir(), 'lvs-manifests-'));
  const write = (name: string, content: string | Uint8Array) => {
    mkdirSync(dirname(join(path, name)), { recursive: true });
    writeFileSync(join(path, name), content);
  };
  for (const [name, content] of Object.entries(files)) write(name, content);
  return { path, write, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

/** A VirtualService on TCP 80 with what a test wants to see changed. */
export function serviceYaml(name: string, scheduler = 'wlc'): string {
  return `apiVersion: networking.lvs-operator.io/v1alpha1
kind: VirtualService
metadata:
  name: ${name}
spec:
  scheduler: ${scheduler}
  ports:
    - port: 80
`;
}
