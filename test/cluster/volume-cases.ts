/** Volumes, and what is handed to containers by the cluster's objects. */
import assert from 'node:assert/strict';
import type { V1EnvVar, V1Volume } from '@kubernetes/client-node';
import { CLUSTER_IMAGES } from './images.ts';
import { container, SLEEP, until } from './world.ts';
import type { Case, World } from './world.ts';

export const VOLUME_CASES: readonly Case[] = [
  { name: 'config map, secret, projected and downward volumes, and env of them', run: configuration },
  { name: 'a changed config map reaches a running container', run: changedConfigMap },
  { name: 'an image volume, whole and a sub path', run: imageVolume },
];

const field = (name: string, fieldPath: string): V1EnvVar => ({ name, valueFrom: { fieldRef: { fieldPath } } });

const VOLUMES: readonly V1Volume[] = [
  { name: 'map', configMap: { name: 'settings' } },
  { name: 'secret', secret: { secretName: 'password', defaultMode: 0o400 } },
  { name: 'info', downwardAPI: { items: [{ path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } }] } },
  {
    name: 'all',
    projected: {
      sources: [
        { configMap: { name: 'settings', items: [{ key: 'color', path: 'a/color' }] } },
        { secret: { name: 'password' } },
        { serviceAccountToken: { path: 'token', audience: 'podwright' } },
      ],
    },
  },
];

async function configuration(world: World): Promise<void> {
  await world.withNamespace('configuration', async (space) => {
    const namespace = space.name;
    await world.core.createNamespacedConfigMap({
      namespace,
      body: { metadata: { name: 'settings' }, data: { color: 'blue', 'data-1': 'x' } },
    });
    await world.core.createNamespacedSecret({ namespace, body: { metadata: { name: 'password' }, stringData: { word: 'swordfish' } } });
    const main = container('main', SLEEP, {
      env: [field('POD_NAME', 'metadata.name'), field('NODE', 'spec.nodeName')],
      envFrom: [{ configMapRef: { name: 'settings' } }, { prefix: 'S_', secretRef: { name: 'password' } }],
      volumeMounts: ['map', 'secret', 'info', 'all'].map((name) => ({ name, mountPath: `/${name}`, readOnly: true })),
    });
    await space.pod('config', [main], { volumes: [...VOLUMES] });
    await space.untilReady('config');
    const environment = (await space.run('config', 'main', 'env')).split('\n');
    for (const line of ['POD_NAME=config', 'NODE=podwright-test', 'color=blue', 'data-1=x', 'S_word=swordfish'])
      assert.ok(environment.includes(line), `the environment has no ${line}:\n${environment.join('\n')}`);
    const files = ['/map/color', '/secret/word', '/info/labels', '/all/a/color', '/all/word'];
    const text = await space.run('config', 'main', 'sh', '-c', `for file in ${files.join(' ')}; do cat $file; echo; done`);
    assert.deepEqual(text.trim().split('\n'), ['blue', 'swordfish', 'app="config"', 'blue', 'swordfish']);
    assert.equal((await space.run('config', 'main', 'cat', '/all/token')).split('.').length, 3, 'the token must be a JWT');
    assert.equal((await space.exec('config', 'main', 'touch', '/map/color')).status.status, 'Failure', 'a config map is read-only');
  });
}

async function changedConfigMap(world: World): Promise<void> {
  await world.withNamespace('changed-map', async (space) => {
    const namespace = space.name;
    const body = (color: string): object => ({ metadata: { name: 'settings' }, data: { color } });
    await world.core.createNamespacedConfigMap({ namespace, body: body('blue') });
    const main = container('main', SLEEP, { volumeMounts: [{ name: 'map', mountPath: '/map' }] });
    await space.pod('reader', [main], { volumes: [{ name: 'map', configMap: { name: 'settings' } }] });
    await space.untilReady('reader');
    await world.core.replaceNamespacedConfigMap({ namespace, name: 'settings', body: body('green') });
    await until('the container sees the new value', async () =>
      (await space.run('reader', 'main', 'cat', '/map/color')) === 'green' ? true : undefined,
    );
  });
}

async function imageVolume(world: World): Promise<void> {
  await world.withNamespace('image-volume', async (space) => {
    const volumes = [{ name: 'image', image: { reference: CLUSTER_IMAGES.busybox, pullPolicy: 'IfNotPresent' } }];
    const volumeMounts = [
      { name: 'image', mountPath: '/whole' },
      { name: 'image', mountPath: '/etc-of-image', subPath: 'etc' },
    ];
    await space.pod('image', [container('main', SLEEP, { volumeMounts })], { volumes });
    await space.untilReady('image');
    assert.match(await space.run('image', 'main', 'cat', '/etc-of-image/passwd'), /^nobody:/m);
    assert.match(await space.run('image', 'main', 'ls', '/whole/bin'), /^busybox$/m);
    assert.equal((await space.exec('image', 'main', 'touch', '/whole/file')).status.status, 'Failure', 'an image volume is read-only');
  });
}
