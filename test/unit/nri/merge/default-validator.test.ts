import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Field, messages } from '../../../../api/nri/messages.ts';
import type { Init, ValidateContainerAdjustmentRequest } from '../../../../api/nri/messages.ts';
import { defaultValidator } from '../../../../src/nri/merge/default-validator.ts';

const OFF = {
  enable: true,
  rejectOciHookAdjustment: false,
  rejectRuntimeDefaultSeccompAdjustment: false,
  rejectUnconfinedSeccompAdjustment: false,
  rejectCustomSeccompAdjustment: false,
  rejectNamespaceAdjustment: false,
  rejectSysctlAdjustment: false,
  requiredPlugins: [],
  tolerateMissingPluginsAnnotation: '',
};
const ask = (asked: Init<ValidateContainerAdjustmentRequest>): ValidateContainerAdjustmentRequest =>
  messages.ValidateContainerAdjustmentRequest.decode(messages.ValidateContainerAdjustmentRequest.encode(asked));

/** What two plugins have done to everything that the validator can refuse. */
const BUSY = ask({
  container: { id: 'c1', name: 'ctr', linux: { seccompProfile: { profileType: 0 } } },
  adjust: { linux: { sysctl: { 'a.b': '1', '-c.d': '' } } },
  owners: {
    owners: {
      c1: {
        simple: { [Field.OciHooks]: '10-a,20-b', [Field.SeccompPolicy]: '10-a' },
        compound: {
          [Field.Namespace]: { owners: { ipc: '10-a', pid: '20-b' } },
          [Field.Sysctl]: { owners: { 'a.b': '10-a', '-c.d': '20-b' } },
        },
      },
    },
  },
  plugins: [{ index: '10', name: 'a' }],
});

test('each setting refuses in words that name what was done and by whom', async () => {
  const reasons: readonly (readonly [object, string])[] = [
    [{ rejectOciHookAdjustment: true }, 'OCI hooks may not be added, which plugins "10-a", "20-b" did'],
    [
      { rejectRuntimeDefaultSeccompAdjustment: true },
      'the seccomp policy of a container whose profile is RuntimeDefault may not be changed, which plugin "10-a" did',
    ],
    [{ rejectNamespaceAdjustment: true }, 'namespaces may not be changed, which plugin "10-a" did (ipc), plugin "20-b" did (pid)'],
    [{ rejectSysctlAdjustment: true }, 'sysctls may not be changed, which plugins "10-a", "20-b" did'],
    [{ requiredPlugins: ['a', '10-a', 'c'] }, 'required plugin "c" is not there'],
  ];
  for (const [settings, reason] of reasons) assert.equal(await defaultValidator({ ...OFF, ...settings })(BUSY), reason);
  assert.equal(await defaultValidator(OFF)(BUSY), undefined);
});

test('a validator that is off refuses nothing', async () => {
  assert.equal(await defaultValidator({ ...OFF, enable: false, rejectOciHookAdjustment: true, requiredPlugins: ['x'] })(BUSY), undefined);
});

test('an annotation that is no list of names refuses, whatever it is', async () => {
  const validate = defaultValidator(OFF);
  for (const value of ['a', '{ a: b }', '[[a]]', '[a', '['.repeat(9_000), '&a [*a]', '- a\n'.repeat(2501)]) {
    const reason = await validate(ask({ pod: { annotations: { 'required-plugins.noderesource.dev': value } } }));
    assert.match(reason ?? '', /^annotation required-plugins\.noderesource\.dev is .* must be a YAML list of names: [^\n]*$/s);
    assert.ok(reason!.length < 1000);
  }
});
