/** The default validator refuses what the module's own refuses (plugins/default-validator), but where it is meant to differ. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ContainerAdjustment, CreateContainerRequest, Init, LinuxContainerAdjustment } from '../../../api/nri/messages.ts';
import type { DefaultValidatorSettings } from '../../../src/nri/settings.ts';
import { mergeHere, mergeThere, notBuilt } from './merge-lab.ts';
import type { MergeCase } from './merge-lab.ts';

const NONE: DefaultValidatorSettings = {
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
const ALL: DefaultValidatorSettings = {
  ...NONE,
  rejectOciHookAdjustment: true,
  rejectRuntimeDefaultSeccompAdjustment: true,
  rejectUnconfinedSeccompAdjustment: true,
  rejectCustomSeccompAdjustment: true,
  rejectNamespaceAdjustment: true,
  rejectSysctlAdjustment: true,
};

/** What the container has, and what the pod's annotations say. */
interface Asked {
  readonly profile?: number;
  readonly annotations?: Readonly<Record<string, string>>;
}

const request = ({ profile, annotations = {} }: Asked): Init<CreateContainerRequest> => ({
  pod: { id: 'p1', annotations },
  container: {
    id: 'c1',
    name: 'ctr',
    linux: { sysctl: { 'net.own': '1' }, seccompProfile: profile === undefined ? undefined : { profileType: profile } },
  },
});

const validate = (
  name: string,
  settings: Partial<DefaultValidatorSettings>,
  adjust: readonly Init<ContainerAdjustment>[],
  asked: Asked = {},
): MergeCase => ({
  name,
  call: 'create',
  request: request(asked),
  answers: adjust.map((one) => ({ adjust: one })),
  validator: { ...NONE, ...settings },
});

const hooks: Init<ContainerAdjustment> = { hooks: { prestart: [{ path: '/x' }] } };
const linux = (adjust: Init<LinuxContainerAdjustment>): Init<ContainerAdjustment> => ({ linux: adjust });
const seccomp = linux({ seccompPolicy: { defaultAction: 'SCMP_ACT_ALLOW' } });
const REQUIRED = 'required-plugins.noderesource.dev';
const TOLERATE = 'example.com/tolerate';
const tolerant = { requiredPlugins: ['no-such'], tolerateMissingPluginsAnnotation: TOLERATE };
/** RuntimeDefault, Unconfined, Localhost, none, and one that is not known. */
const PROFILES = [0, 1, 2, undefined, 7];
const SECCOMP_SETTINGS = ['rejectRuntimeDefaultSeccompAdjustment', 'rejectUnconfinedSeccompAdjustment', 'rejectCustomSeccompAdjustment'];

const CASES: readonly MergeCase[] = [
  validate('nothing is done', ALL, [{}]),
  validate('a validator that is off', { ...ALL, enable: false }, [hooks, seccomp]),
  validate('all is done and nothing is refused', NONE, [
    hooks,
    seccomp,
    linux({ namespaces: [{ type: 'ipc' }], sysctl: { 'net.a': '1' } }),
  ]),
  validate('hooks', { rejectOciHookAdjustment: true }, [{}, hooks]),
  validate('hooks of three plugins', { rejectOciHookAdjustment: true }, [hooks, {}, hooks, hooks]),
  validate('other things than hooks', { rejectOciHookAdjustment: true }, [{ args: ['x'] }, seccomp]),
  ...PROFILES.flatMap((profile) =>
    SECCOMP_SETTINGS.map((setting) =>
      validate(
        `a policy over profile ${profile}, ${setting}`,
        { [setting]: true },
        [{}, seccomp],
        profile === undefined ? {} : { profile },
      ),
    ),
  ),
  validate('no policy', ALL, [{ env: [{ key: 'A' }] }], { profile: 0 }),
  validate('a namespace', { rejectNamespaceAdjustment: true }, [linux({ namespaces: [{ type: 'ipc', path: '/x' }] })]),
  validate('a namespace that is removed', { rejectNamespaceAdjustment: true }, [linux({ namespaces: [{ type: '-ipc' }] })]),
  validate('namespaces of two plugins', { rejectNamespaceAdjustment: true }, [
    linux({ namespaces: [{ type: 'ipc' }, { type: 'uts' }] }),
    linux({ namespaces: [{ type: 'pid' }] }),
  ]),
  validate('a sysctl', { rejectSysctlAdjustment: true }, [{}, linux({ sysctl: { 'net.a': '1' } })]),
  validate('a sysctl that is taken over', { rejectSysctlAdjustment: true }, [
    linux({ sysctl: { 'net.a': '1' } }),
    linux({ sysctl: { '-net.a': '', 'net.a': '1' } }),
  ]),
  validate('sysctls of two plugins', { rejectSysctlAdjustment: true }, [
    linux({ sysctl: { 'net.a': '1' } }),
    linux({ sysctl: { 'net.b': '1' } }),
  ]),

  validate('required plugins that are there', { requiredPlugins: ['a', '20-b', 'witness', 'default-validator'] }, [{}, {}]),
  validate('a required plugin that is not there', { requiredPlugins: ['a', 'c'] }, [{}, {}]),
  validate('a required plugin of another index', { requiredPlugins: ['21-b'] }, [{}, {}]),
  validate('required plugins that are not there', { requiredPlugins: ['x', 'a', 'y'] }, [{}]),
  validate('a required plugin, tolerated by the pod', tolerant, [{}], { annotations: { [TOLERATE]: 'true' } }),
  validate('a required plugin, not tolerated', tolerant, [{}], { annotations: { [TOLERATE]: 'F' } }),
  validate('a required plugin, tolerated by the pod, by its long name', tolerant, [{}], { annotations: { [`${TOLERATE}/pod`]: 'T' } }),
  validate('a required plugin, tolerated for the container alone', tolerant, [{}], {
    annotations: { [`${TOLERATE}/container.ctr`]: '1', [`${TOLERATE}/pod`]: 'false', [TOLERATE]: 'false' },
  }),
  validate('a required plugin, tolerated for another container', tolerant, [{}], { annotations: { [`${TOLERATE}/container.other`]: '1' } }),
  validate('a required plugin, tolerated for the pod but not the container', tolerant, [{}], {
    annotations: { [`${TOLERATE}/container.ctr`]: '0', [`${TOLERATE}/pod`]: 'true' },
  }),
  ...['', 'yes', 'tRuE', ' true', '01'].map((value) =>
    validate(`a toleration of ${JSON.stringify(value)}`, tolerant, [{}], { annotations: { [TOLERATE]: value } }),
  ),
  validate('a toleration that no setting names', { requiredPlugins: ['x'] }, [{}], { annotations: { [TOLERATE]: 'true', '': 'true' } }),
  ...['', '[]', '[a]', '- a\n- b', '[x]', '["20-b", a, x, y]', 'a', '{a: b}', '[[a]]', '[{a: b}]', '[1, true]', '[a', '*a', '# x'].map(
    (value) => validate(`an annotation of ${JSON.stringify(value)}`, {}, [{}, {}], { annotations: { [REQUIRED]: value } }),
  ),
  validate('annotations, of which the container’s counts', {}, [{}], {
    annotations: { [`${REQUIRED}/container.ctr`]: '[a]', [`${REQUIRED}/pod`]: '[x]', [REQUIRED]: '[y]' },
  }),
  validate('annotations, of which the pod’s long one counts', {}, [{}], { annotations: { [`${REQUIRED}/pod`]: '[x]', [REQUIRED]: '[a]' } }),
  validate('an annotation and a setting', { requiredPlugins: ['y'] }, [{}], { annotations: { [REQUIRED]: '[x]' } }),
  validate('an annotation that is tolerated', { tolerateMissingPluginsAnnotation: TOLERATE }, [{}], {
    annotations: { [REQUIRED]: '[x', [TOLERATE]: 'true' },
  }),
  validate('hooks before required plugins', { ...ALL, requiredPlugins: ['x'] }, [hooks, seccomp]),
  validate('required plugins before sysctls', { ...ALL, requiredPlugins: ['x'] }, [linux({ sysctl: { 'net.a': '1' } })]),
];

/** What a refusal is about, and which plugins it names. */
function subjectOf(refusal: string | undefined): unknown {
  if (refusal === undefined) return 'not refused';
  const subjects = ['annotation', 'hook', 'seccomp', 'namespace', 'sysctl', 'required plugin'];
  const about = subjects.find((subject) => refusal.toLowerCase().includes(subject));
  if (about === 'annotation') return about;
  const named = refusal.matchAll(/\b\d\d-[ab-e]\b|(?<=")(?:x|y|[xy],[xy]|no-such|1|true|1,true|21-b|c)(?=")/g);
  return { about, named: [...new Set([...named].flatMap(([name]) => name.split(',')))].sort() };
}

const theirs = notBuilt === false ? await mergeThere(CASES) : [];
for (const [index, one] of CASES.entries()) {
  test(`validated like the module: ${one.name}`, { skip: notBuilt }, async () => {
    const ours = await mergeHere(one);
    assert.deepEqual(subjectOf(ours.refusal), subjectOf(theirs[index]!.refusal), `${ours.refusal} / ${theirs[index]!.refusal}`);
  });
}

test('a removal of a sysctl is an adjustment too, which the module overlooks', { skip: notBuilt }, async () => {
  const one = validate('', { rejectSysctlAdjustment: true }, [{}, linux({ sysctl: { '-net.own': '' } })]);
  assert.deepEqual(subjectOf((await mergeHere(one)).refusal), { about: 'sysctl', named: ['20-b'] });
  assert.equal((await mergeThere([one]))[0]!.refusal, undefined);
});
