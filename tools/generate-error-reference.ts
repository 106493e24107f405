import { errorCodes } from '../src/base/index.ts';

/** docs/errors.md: the closed list of error codes, in the order of the registry. */
export function renderErrorReference(): string {
  const rows = Object.entries(errorCodes).map(([code, meaning]) => `| \`${code}\` | ${meaning} |`);
  return `<!-- Generated from src/base/errors.ts by "npm run generate". Do not edit. -->

# Errors

Every error that lvs-operator raises on purpose carries one of these codes: in the log as \`code\`, in \`status\` beside
the object it is about, and on \`error.code\` in the source. The text of a message may change from release to release,
its code does not. Match on the code. A code that was retired is never used again for something else.

| Code | Meaning |
| --- | --- |
${rows.join('\n')}
`;
}
