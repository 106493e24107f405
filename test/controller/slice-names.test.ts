import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { labelValueOf, sliceName } from '../../src/controller/slice-names.ts';

const objectName = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const labelValue = /^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$/;

describe('names of slices', () => {
  it('follow from owner and number, and from nothing else', () => {
    const web = { name: 'web', uid: 'a' };
    assert.equal(sliceName(web, 0), sliceName({ ...web }, 0));
    const names = [sliceName(web, 0), sliceName(web, 1), sliceName({ ...web, uid: 'b' }, 0)];
    assert.equal(new Set(names).size, 3);
    for (const name of names) assert.match(name, /^web-[0-9a-f]{8}$/);
  });

  it('are valid however long the name of the owner is', () => {
    for (const name of [
      'x'.repeat(253),
      `${'x'.repeat(243)}.abcdefghi`,
      `${'x'.repeat(243)}-.`.slice(0, 253),
    ]) {
      const made = sliceName({ name, uid: 'a' }, 7);
      assert.ok(made.length <= 253);
      assert.match(made, objectName);
    }
  });
});

describe('names as values of labels', () => {
  it('stay as they are while they fit', () => assert.equal(labelValueOf('web.shop'), 'web.shop'));

  it('are cut and told apart by a hash where they are too long', () => {
    const long = ['a', 'b'].map((end) => labelValueOf(`${'x'.repeat(53)}.${'y'.repeat(60)}${end}`));
    assert.notEqual(long[0], long[1]);
    for (const value of long) {
      assert.ok(value.length <= 63);
      assert.match(value, labelValue);
    }
  });
});
