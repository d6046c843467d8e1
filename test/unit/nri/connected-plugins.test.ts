import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Event } from '../../../api/nri/enums.ts';
import { PLUGIN_SERVICE, PluginMethods, RUNTIME_SERVICE, RuntimeMethods } from '../../../api/nri/messages.ts';
import { Mux, PLUGIN_SERVICE_CONNECTION, RUNTIME_SERVICE_CONNECTION } from '../../../src/nri/mux.ts';
import { TtrpcClient } from '../../../src/nri/ttrpc/client.ts';
import { Code, TtrpcError } from '../../../src/nri/ttrpc/errors.ts';
import { serve, type Handler } from '../../../src/nri/ttrpc/server.ts';
import { containerOf, creation, NriLab, podOf } from '../../support/nri-lab.ts';
import { joinAs } from '../../support/nri-raw-plugin.ts';
import { until } from '../../support/pods.ts';

async function inLab(work: (lab: NriLab) => Promise<void>, settings: ConstructorParameters<typeof Object>[0] = {}): Promise<void> {
  const lab = await NriLab.start(settings as object);
  try {
    await work(lab);
  } finally {
    await lab.end();
  }
}

const RUN_POD_SANDBOX = 1;
const STOP_POD_SANDBOX = 2;
const CREATE_CONTAINER = 1 << 3;

test('a plugin of before 0.11, which knows no call of an event, gets it by StateChange', async () => {
  await inLab(async (lab) => {
    const heard: unknown[] = [];
    const stateChange = async (payload: Uint8Array): Promise<Uint8Array> => {
      const { event, pod } = PluginMethods.StateChange.request.decode(payload);
      heard.push([event, pod?.id]);
      return Promise.resolve(new Uint8Array(0));
    };
    await joinAs(lab, '10', 'old', RUN_POD_SANDBOX | STOP_POD_SANDBOX, { StateChange: stateChange });
    await lab.untilReady(1);
    for (const id of ['p1', 'p2']) await lab.plugins.relay(Event.RUN_POD_SANDBOX, { pod: podOf({ id }) });
    await lab.plugins.relay(Event.STOP_POD_SANDBOX, { pod: podOf({ id: 'p1' }) });
    assert.deepEqual(heard, [
      [Event.RUN_POD_SANDBOX, 'p1'],
      [Event.RUN_POD_SANDBOX, 'p2'],
      [Event.STOP_POD_SANDBOX, 'p1'],
    ]);
    assert.deepEqual(
      lab.calls.filter(({ failed }) => failed),
      [],
    );
  });
});

test('a plugin that hears of all events and knows no validation is no validator', async () => {
  await inLab(async (lab) => {
    await joinAs(lab, '10', 'all', 0, { CreateContainer: async () => Promise.resolve(new Uint8Array(0)) });
    await lab.untilReady(1);
    await lab.plugins.createContainer(creation('app'));
    assert.deepEqual(lab.warnings, []);
  });
});

for (const [how, leaves] of [
  ['has time to read why and to leave', true],
  ['and stays is dropped all the same', false],
] as const)
  test(`a plugin that may not register ${how}`, async () => {
    await inLab(async (lab) => {
      const socket = connect(lab.socket);
      const client = new TtrpcClient(new Mux(socket).open(RUNTIME_SERVICE_CONNECTION));
      const request = RuntimeMethods.RegisterPlugin.request.encode({ pluginName: 'test', pluginIdx: '7' });
      const fault = 'its index is "7", must be two digits';
      await assert.rejects(client.call(RUNTIME_SERVICE, 'RegisterPlugin', request, { timeoutMs: 5000 }), { message: fault });
      await sleep(50);
      assert.equal(client.reason, undefined, 'its connection is closed together with the answer');
      if (leaves) socket.destroy();
      await client.closed;
      await until('it is gone', async () => Promise.resolve(lab.reports('gone').length === 1));
      const reason = `registration of an NRI plugin: ${fault}`;
      assert.deepEqual([lab.warnings, lab.reports('gone')[0]?.lastError], [[`an NRI plugin is dropped: unknown: ${reason}`], reason]);
      assert.ok(!lab.lines.some(({ message }) => message === 'an NRI plugin has left'));
    });
  });

test('an answer that cannot be read drops the plugin', async () => {
  await inLab(async (lab) => {
    await joinAs(lab, '10', 'noise', CREATE_CONTAINER, { CreateContainer: async () => Promise.resolve(Uint8Array.of(10, 200, 1)) });
    await lab.untilReady(1);
    const { updates } = await lab.plugins.createContainer(creation('app'));
    assert.deepEqual([updates, lab.plugins.active], [[], false]);
    assert.match(lab.warnings.join(), /dropped: 10-noise: CreateContainer: the answer to CreateContainer cannot be read/);
  });
});

test('an answer that comes too late changes nothing', async () => {
  await inLab(
    async (lab) => {
      const { promise, resolve } = Promise.withResolvers<Uint8Array>();
      const { socket } = await joinAs(lab, '10', 'late', CREATE_CONTAINER, { CreateContainer: async () => promise });
      await lab.untilReady(1);
      const { adjust } = await lab.plugins.createContainer(creation('app'));
      resolve(PluginMethods.CreateContainer.response.encode({ adjust: { annotations: { too: 'late' } } }));
      assert.deepEqual(adjust.annotations, {});
      await until('it is closed', async () => Promise.resolve(socket.destroyed));
      assert.deepEqual((await lab.plugins.createContainer(creation('next'))).adjust.annotations, {});
    },
    { requestTimeoutMs: 150 },
  );
});

test('a plugin that does not take parts cannot be synchronized with more than one', async () => {
  await inLab(async (lab) => {
    const env = ['x'.repeat(1024 * 1024)];
    lab.snapshot = { pods: [], containers: Array.from({ length: 8 }, (_, index) => containerOf({ id: `c${index}`, env })) };
    await joinAs(lab, '10', 'whole', CREATE_CONTAINER, { Synchronize: async () => Promise.resolve(new Uint8Array(0)) });
    await until('it is dropped', async () => Promise.resolve(lab.warnings.length > 0));
    assert.match(
      lab.warnings.join(),
      /dropped: 10-whole: .*Synchronize: it does not take what there is in parts, and 8 containers do not fit into one/,
    );
  });
});

test('a plugin is told of the time that it has, and registers once', async () => {
  await inLab(async (lab) => {
    const socket = connect(lab.socket);
    const mux = new Mux(socket);
    const client = new TtrpcClient(mux.open(RUNTIME_SERVICE_CONNECTION));
    const configured = Promise.withResolvers<{ registrationTimeout: bigint; requestTimeout: bigint }>();
    const configure: Handler = async (payload) => {
      configured.resolve(PluginMethods.Configure.request.decode(payload));
      return Promise.reject(new TtrpcError(Code.Internal, 'enough'));
    };
    serve(mux.open(PLUGIN_SERVICE_CONNECTION), { [PLUGIN_SERVICE]: { Configure: configure } });
    const update = client.call(RUNTIME_SERVICE, 'UpdateContainers', new Uint8Array(0), { timeoutMs: 5000 });
    await assert.rejects(update, { code: Code.FailedPrecondition, message: /not configured yet/ });
    const request = RuntimeMethods.RegisterPlugin.request.encode({ pluginName: 'twice', pluginIdx: '10' });
    const [first, second] = await Promise.allSettled(
      [1, 2].map(async () => client.call(RUNTIME_SERVICE, 'RegisterPlugin', request, { timeoutMs: 5000 })),
    );
    assert.deepEqual([first?.status, second?.status], ['fulfilled', 'rejected']);
    const { registrationTimeout, requestTimeout } = await configured.promise;
    assert.deepEqual([registrationTimeout, requestTimeout], [5000n, 2000n]);
  });
});

test('plugins are told that the daemon ends', async () => {
  let wasTold = false;
  const lab = await NriLab.start();
  const shutdown = async (): Promise<Uint8Array> => {
    wasTold = true;
    return Promise.resolve(new Uint8Array(0));
  };
  const { socket } = await joinAs(lab, '10', 'polite', CREATE_CONTAINER, { Shutdown: shutdown });
  await lab.untilReady(1);
  await lab.end();
  assert.equal(wasTold, true);
  await until('it is closed', async () => Promise.resolve(socket.destroyed));
  assert.deepEqual(lab.warnings, []);
});

test('a plugin of which the index is higher is asked later, whenever it has come', async () => {
  await inLab(async (lab) => {
    const asked: string[] = [];
    for (const index of ['90', '05', '50'])
      await joinAs(lab, index, 'p', CREATE_CONTAINER, {
        CreateContainer: async () => {
          asked.push(index);
          return Promise.resolve(new Uint8Array(0));
        },
      });
    await lab.untilReady(3);
    await lab.plugins.createContainer(creation('app'));
    assert.deepEqual(asked, ['05', '50', '90']);
  });
});

test('a plugin that joins meanwhile waits for the window, and the next window for it', async () => {
  await inLab(async (lab) => {
    const order: string[] = [];
    const { promise: held, resolve: release } = Promise.withResolvers<undefined>();
    const { promise: work, resolve: end } = Promise.withResolvers<undefined>();
    const first = lab.plugins.window(async () => {
      await work;
      order.push('first window');
    });
    await joinAs(lab, '10', 'joins', CREATE_CONTAINER, {
      Synchronize: async () => {
        order.push('synchronize');
        await held;
        return new Uint8Array(0);
      },
    });
    await until('it waits', async () => Promise.resolve(lab.reports('waiting').length === 1));
    assert.deepEqual([lab.plugins.active, lab.plugins.wants(Event.CREATE_CONTAINER), order], [true, true, []]);
    const second = lab.plugins.window(async () => {
      order.push('second window');
      return Promise.resolve();
    });
    end(undefined);
    await first;
    await until('it is asked', async () => Promise.resolve(order.includes('synchronize')));
    release(undefined);
    await second;
    assert.deepEqual(order, ['first window', 'synchronize', 'second window']);
  });
});

test('nothing is created without the plugins that the end of the daemon takes away', async () => {
  const lab = await NriLab.start();
  const asked = Promise.withResolvers<undefined>();
  await joinAs(lab, '10', 'slow', CREATE_CONTAINER, {
    CreateContainer: async () => {
      asked.resolve(undefined);
      return new Promise(() => undefined);
    },
  });
  await lab.untilReady(1);
  const refused = { kind: 'Unavailable', message: /the daemon ends, and its NRI plugins with it/ };
  const created = assert.rejects(lab.plugins.createContainer(creation('app')), refused);
  await asked.promise;
  await lab.end();
  await created;
  assert.ok(lab.plugins.active && lab.plugins.wants(Event.CREATE_CONTAINER));
  await assert.rejects(lab.plugins.createContainer(creation('late')), refused);
});
