import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseContexts, refusalsOf } from '../../../src/linux/selinux.ts';

test('parseContexts() reads lxc_contexts; what it does not name is as usual', () => {
  const text = [
    'process = "system_u:system_r:mine_t:s0"',
    'content = "system_u:object_r:virt_var_lib_t:s0"',
    'file = "system_u:object_r:mine_file_t:s0"',
    'ro_file="system_u:object_r:ro_t:s0"',
    'sandbox_lxc_process = "system_u:system_r:other_t:s0"',
  ];
  assert.deepEqual(parseContexts(text.join('\n')), { process: 'system_u:system_r:mine_t:s0', file: 'system_u:object_r:mine_file_t:s0' });
  const usual = { process: 'system_u:system_r:container_t:s0', file: 'system_u:object_r:container_file_t:s0' };
  assert.deepEqual(parseContexts(''), usual);
  assert.deepEqual(parseContexts('#process = "x"\nfile ='), usual);
});

test('refusalsOf() leaves out files without labels and files that are gone', () => {
  const of = (what: string): string => `chcon: failed to change context of 'a' to 'b': ${what}`;
  assert.deepEqual(refusalsOf(`${of('Operation not supported')}\nchcon: cannot access 'x': No such file or directory\n`), []);
  assert.deepEqual(refusalsOf(`${of('Operation not supported')}\n${of('Permission denied')}\n`), [of('Permission denied')]);
  assert.deepEqual(refusalsOf(''), ['chcon failed and said nothing']);
});
