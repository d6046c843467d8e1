/** What a plugin sends that means harm, or is out of its mind. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { stat } from 'node:fs/promises';
import { connect } from 'node:net';
import { test } from 'node:test';
import { PluginMethods, RUNTIME_SERVICE, RuntimeMethods } from '../../../api/nri/messages.ts';
import { messageOf } from '../../../src/base/errors.ts';
import { Metrics } from '../../../src/metrics/metrics.ts';
import { nriMetrics } from '../../../src/daemon/nri-metrics.ts';
import type { NriSettings } from '../../../src/nri/settings.ts';
import { Code, TtrpcError } from '../../../src/nri/ttrpc/errors.ts';
import { creation, NriLab } from '../../support/nri-lab.ts';
import { joinAs } from '../../support/nri-raw-plugin.ts';
import { until } from '../../support/pods.ts';

const CREATE_CONTAINER = 1 << 3;
const VALIDATE_CONTAINER_ADJUSTMENT = 1 << 13;
const MIB = 1024 * 1024;

async function inLab(work: (lab: NriLab) => Promise<void>, settings: Partial<NriSettings> = {}): Promise<void> {
  const lab = await NriLab.start(settings);
  try {
    await work(lab);
  } finally {
    await lab.end();
  }
}

/** A field of messages without anything in them, two bytes each. */
const nothings = (tag: number, bytes: number): Buffer => Buffer.alloc(bytes, Buffer.from([tag, 0]));

test('an answer of a million things is not even read: that would block the event loop for seconds', async () => {
  await inLab(async (lab) => {
    await joinAs(lab, '10', 'many', CREATE_CONTAINER, { CreateContainer: async () => Promise.resolve(nothings(0x12, 3 * MIB)) });
    await lab.untilReady(1);

    await assert.rejects(lab.plugins.createContainer(creation('app')), {
      kind: 'Internal',
      message: 'NRI plugin 10-many: CreateContainer: its answer has 3145728 bytes, must have 1048576 at most',
    });
  });
});

test('what a plugin wants on its own account has limits too', async () => {
  await inLab(async (lab) => {
    const { client } = await joinAs(lab, '10', 'many', CREATE_CONTAINER);
    await lab.untilReady(1);
    const ask = async (payload: Uint8Array): Promise<Uint8Array> =>
      client.call(RUNTIME_SERVICE, 'UpdateContainers', payload, { timeoutMs: 5000 });

    await assert.rejects(ask(nothings(0x0a, 3 * MIB)), {
      code: Code.InvalidArgument,
      message: /it has 3145728 bytes, must have 1048576 at most/,
    });
    await assert.rejects(ask(nothings(0x0a, 30_000)), {
      code: Code.InvalidArgument,
      message: /15000 updates and evictions, must be 10000 at most/,
    });
    const same = (count: number): Uint8Array =>
      RuntimeMethods.UpdateContainers.request.encode({ update: Array.from({ length: count }, () => ({ containerId: 'c2' })) });
    await assert.rejects(ask(same(21)), { code: Code.InvalidArgument, message: /21 updates of container c2, must be 20 at most/ });
    await ask(RuntimeMethods.UpdateContainers.request.encode({ update: [{ containerId: 'c1' }] }));
    assert.deepEqual(lab.updates.map(({ updates }) => updates.length), [1]); // prettier-ignore
  });
});

test('the words of a plugin are cut: a megabyte of them does not reach logs, status and callers', async () => {
  await inLab(async (lab) => {
    const words = 'x'.repeat(MIB);
    await joinAs(
      lab,
      '10',
      'wordy',
      CREATE_CONTAINER,
      { CreateContainer: async () => Promise.reject(new TtrpcError(Code.Internal, words)) },
      'v'.repeat(MIB),
    );
    await lab.untilReady(1);

    const refused = await lab.plugins.createContainer(creation('app')).catch(messageOf);
    assert.ok(typeof refused === 'string' && refused.length < 1000, 'the words of an error');
    const [report] = lab.reports('ready');
    assert.ok(report!.lastError!.length < 1000 && report!.version.length < 1000, 'the words of a report');
  });
  await inLab(async (lab) => {
    const reason = 'x'.repeat(MIB / 2);
    const validate = PluginMethods.ValidateContainerAdjustment.response.encode({ reject: true, reason });
    await joinAs(lab, '10', 'v', VALIDATE_CONTAINER_ADJUSTMENT, { ValidateContainerAdjustment: async () => Promise.resolve(validate) });
    await lab.untilReady(1);

    const refused = await lab.plugins.createContainer(creation('app')).catch(messageOf);
    assert.ok(typeof refused === 'string' && refused.length < 1000, 'the reason of a validator');
  });
});

test('a name of a plugin is no longer than a name', async () => {
  await inLab(async (lab) => {
    await assert.rejects(joinAs(lab, '10', 'n'.repeat(MIB), CREATE_CONTAINER), (error: Error) => {
      assert.match(error.message, /its name has 1048576 characters, must have 100 at most/);
      return true;
    });
  });
});

test('nobody but root can connect, whatever the umask', async () => {
  const mask = process.umask(0);
  try {
    await inLab(async (lab) => {
      assert.equal((await stat(lab.socket)).mode & 0o777, 0o600);
    });
  } finally {
    process.umask(mask);
  }
});

test('connections that never register are held in a number that can be borne', async () => {
  await inLab(async (lab) => {
    const sockets = Array.from({ length: 150 }, () => connect(lab.socket));
    const closed = Promise.all(sockets.slice(100).map(async (socket) => once(socket.resume(), 'close')));
    await closed;
    await until('others are held', async () => Promise.resolve(lab.reports('registering').length === 100));
    const refused = lab.warnings.filter((line) => /connections of NRI plugins are refused: 100 others are not ready yet/.test(line));
    assert.ok(refused.length >= 1 && refused.length <= 3, `${refused.length} lines of the log`);
    for (const socket of sockets) socket.destroy();
    await until('there is room again', async () => Promise.resolve(lab.reports('registering').length === 0));
    await joinAs(lab, '10', 'good', CREATE_CONTAINER);
    await lab.untilReady(1);
  });
});

test('connections that come and go without end do not fill the log, in whatever way they end', async () => {
  await inLab(async (lab) => {
    const started = performance.now();
    for (let count = 0; count < 100; count += 1) {
      const socket = connect(lab.socket);
      await once(socket, 'connect');
      const closed = once(socket.resume(), 'close');
      if (count % 2 === 0) socket.end();
      else socket.write(Buffer.from('00000001ffffffff', 'hex'));
      await closed;
    }
    const told = (): number => lab.lines.filter(({ message }) => /has left|is dropped/.test(message)).length;
    const counted = (): number[] => lab.warnings.map((line) => Number(/left out: (\d+) more than 20 in a second/.exec(line)?.[1] ?? 0));
    const all = (): number => counted().reduce((sum, each) => sum + each, told());
    await until('each is told or counted', async () => Promise.resolve(all() === 100), 5000);

    const periods = Math.ceil((performance.now() - started) / 1000);
    assert.ok(told() >= 20 && told() <= periods * 20 && told() < 100, `${told()} lines of the log in ${periods} s`);
    await joinAs(lab, '10', 'good', CREATE_CONTAINER);
    await lab.untilReady(1);
  });
});

test('a plugin that connects again and again, and leaves none of its connections, has an end', async () => {
  await inLab(async (lab) => {
    for (let count = 0; count < 4; count += 1)
      await Promise.all(Array.from({ length: 50 }, async () => joinAs(lab, '10', 'again', CREATE_CONTAINER)));
    await lab.untilReady(200);
    await assert.rejects(joinAs(lab, '10', 'again', CREATE_CONTAINER));
    assert.ok(lab.warnings.some((line) => /refused: 200 others are connected/.test(line)));
  });
});

test('a plugin that comes under ever new names does not fill the metrics', async () => {
  const metrics = new Metrics();
  const { onCall } = nriMetrics(metrics);
  for (let count = 0; count < 1000; count += 1) onCall({ plugin: `10-p${count}`, call: 'Configure', ms: 1, failed: true });

  const text = await metrics.render();
  const names = new Set([...text.matchAll(/plugin="([^"]+)"/g)].map(([, name]) => name));
  assert.equal(names.size, 101);
  assert.ok(names.has('other'));
});

test('one that hangs at its synchronization and comes back at once does not hold everybody up again', async () => {
  await inLab(
    async (lab) => {
      const hang = { Synchronize: async () => new Promise<Uint8Array>(() => undefined) };
      await joinAs(lab, '10', 'hangs', CREATE_CONTAINER, hang);
      await until('it is dropped', async () => Promise.resolve(lab.warnings.length > 0));
      await joinAs(lab, '10', 'hangs', CREATE_CONTAINER, hang);
      await until('it waits', async () => Promise.resolve(lab.warnings.length > 1));
      assert.match(lab.warnings.at(-1)!, /has held pods up before, and waits for its synchronization: 10-hangs/);

      const started = performance.now();
      for (let count = 0; count < 10; count += 1) await lab.plugins.window(async () => Promise.resolve());
      assert.ok(performance.now() - started < 500, 'windows are not held up');
      await joinAs(lab, '20', 'other', CREATE_CONTAINER);
      await lab.untilReady(1, 2000);
    },
    { registrationTimeoutMs: 1000, requestTimeoutMs: 200 },
  );
});

test('one that hangs at events and comes back at once does not cost each of them its timeout', async () => {
  await inLab(
    async (lab) => {
      const hang = { CreateContainer: async () => new Promise<Uint8Array>(() => undefined) };
      await joinAs(lab, '10', 'hangs', CREATE_CONTAINER, hang);
      await lab.untilReady(1);
      await lab.plugins.createContainer(creation('first'));
      assert.match(lab.warnings.join(), /dropped: 10-hangs: CreateContainer: no answer/);

      await joinAs(lab, '10', 'hangs', CREATE_CONTAINER, hang);
      await until('it waits', async () => Promise.resolve(lab.warnings.length > 1));
      assert.match(lab.warnings.at(-1)!, /has held pods up before, and waits for its synchronization: 10-hangs/);
      const started = performance.now();
      for (let count = 0; count < 10; count += 1)
        await lab.plugins.window(async () => lab.plugins.createContainer(creation(`next${count}`)));
      assert.ok(performance.now() - started < 500, 'containers are not held up');
      await joinAs(lab, '20', 'other', CREATE_CONTAINER);
      await lab.untilReady(1, 2000);
    },
    { requestTimeoutMs: 200 },
  );
});

test('one that leaves or fails in another way comes back at once', async () => {
  await inLab(async (lab) => {
    for (let count = 0; count < 5; count += 1) {
      const { socket } = await joinAs(lab, '10', 'leaves', CREATE_CONTAINER, {
        CreateContainer: async () => Promise.resolve(Uint8Array.of(10, 200, 1)),
      });
      await lab.untilReady(1, 2000);
      await lab.plugins.createContainer(creation('app'));
      await until('it is closed', async () => Promise.resolve(socket.destroyed));
    }
  });
});

test('one that names no events is a validator, so where it does not answer at a creation, nothing has been allowed', async () => {
  await inLab(
    async (lab) => {
      await joinAs(lab, '10', 'all', 0, { CreateContainer: async () => new Promise<Uint8Array>(() => undefined) });
      await lab.untilReady(1);
      await assert.rejects(lab.plugins.createContainer(creation('app')), {
        kind: 'Internal',
        message: 'NRI plugin 10-all: it has not said whether it allows the container',
      });
      await lab.plugins.createContainer(creation('app'));
    },
    { requestTimeoutMs: 200 },
  );
});
